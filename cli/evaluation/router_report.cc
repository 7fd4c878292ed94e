#include "cli/evaluation/router_report.h"

#include <algorithm>
#include <tuple>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>

namespace enigma::cli {

namespace {

constexpr size_t kConfusionsShown = 12;

std::string Percent(double share) { return absl::StrFormat("%.1f %%", share * 100); }

Json PointJson(const eval::ThresholdPoint& point, bool has_oos) {
  Json json = {{"threshold", point.threshold}, {"coverage", point.coverage}, {"accuracy", point.accuracy}};
  if (has_oos) json["oos_coverage"] = point.oos_coverage;
  return json;
}

Json MistakesJson(const eval::SetMistakes& counted) {
  return {{"mistakes", counted.mistakes}, {"decided", counted.decided}, {"texts", counted.texts}};
}

// "code taken for chat: 3", the most frequent first.
std::string ConfusionText(const RouterReport& report) {
  const std::vector<std::string>& labels = report.router.labels;
  std::vector<std::tuple<uint64_t, size_t, size_t>> mistakes;
  for (size_t truth = 0; truth < labels.size(); ++truth) {
    for (size_t predicted = 0; predicted < labels.size(); ++predicted) {
      const uint64_t count = report.metrics.confusion[truth][predicted];
      if (truth != predicted && count > 0) mistakes.emplace_back(count, truth, predicted);
    }
  }
  std::stable_sort(mistakes.begin(), mistakes.end(),
                   [](const auto& a, const auto& b) { return std::get<0>(a) > std::get<0>(b); });
  if (mistakes.empty()) return "";
  Table table({"LABEL", "TAKEN FOR", "TEXTS"}, {2});
  for (size_t i = 0; i < std::min(mistakes.size(), kConfusionsShown); ++i) {
    const auto& [count, truth, predicted] = mistakes[i];
    table.AddRow({labels[truth], labels[predicted], absl::StrCat(count)});
  }
  std::string text = "\n" + table.Render();
  if (mistakes.size() > kConfusionsShown) {
    absl::StrAppend(&text, mistakes.size() - kConfusionsShown, " more pairs with fewer texts\n");
  }
  return text;
}

std::string MistakesText(const char* what, const eval::SetMistakes& counted) {
  if (counted.texts == 0) return "";
  const double share = static_cast<double>(counted.mistakes) / static_cast<double>(counted.texts);
  return absl::StrCat(what, counted.mistakes, " of ", counted.texts, " texts (", Percent(share), "), ", counted.decided,
                      " of them at the threshold or above\n");
}

std::string LabelsText(const RouterReport& report) {
  Table table({"LABEL", "TEXTS", "PRECISION", "RECALL", "F1"}, {1, 2, 3, 4});
  for (size_t i = 0; i < report.router.labels.size(); ++i) {
    const eval::LabelQuality& label = report.metrics.labels[i];
    table.AddRow({report.router.labels[i], absl::StrCat(label.texts), FormatDecimal(label.precision, 3),
                  FormatDecimal(label.recall, 3), FormatDecimal(label.f1, 3)});
  }
  return table.Render();
}

std::string CurveText(const eval::RouterMetrics& metrics) {
  const bool has_oos = metrics.oos_texts > 0;
  std::vector<std::string> headers = {"THRESHOLD", "DECIDED", "OF THEM RIGHT"};
  if (has_oos) headers.emplace_back("OUT OF SCOPE DECIDED");
  Table table(headers, {0, 1, 2, 3});
  for (size_t i = 0; i < metrics.thresholds.size(); i += 2) {
    const eval::ThresholdPoint& point = metrics.thresholds[i];
    std::vector<std::string> row = {FormatDecimal(point.threshold, 2), Percent(point.coverage),
                                    Percent(point.accuracy)};
    if (has_oos) row.push_back(Percent(point.oos_coverage));
    table.AddRow(row);
  }
  return table.Render();
}

}  // namespace

Json ToJson(const RouterReport& report) {
  const eval::RouterMetrics& metrics = report.metrics;
  const bool has_oos = metrics.oos_texts > 0;
  Json per_label = Json::object();
  for (size_t i = 0; i < report.router.labels.size(); ++i) {
    const eval::LabelQuality& label = metrics.labels[i];
    per_label[report.router.labels[i]] = {
        {"texts", label.texts}, {"precision", label.precision}, {"recall", label.recall}, {"f1", label.f1}};
  }
  Json curve = Json::array();
  for (const eval::ThresholdPoint& point : metrics.thresholds) curve.push_back(PointJson(point, has_oos));
  Json json = {{"model", report.model},
               {"texts", metrics.texts},
               {"accuracy", metrics.accuracy},
               {"nll", metrics.nll},
               {"ece", metrics.ece},
               {"per_label", std::move(per_label)},
               {"confusion", {{"labels", report.router.labels}, {"rows", metrics.confusion}}},
               {"oos_texts", metrics.oos_texts}};
  json["oos_auroc"] = metrics.oos_auroc ? Json(*metrics.oos_auroc) : Json(nullptr);
  json["temperature"] = report.router.temperature;
  json["threshold"] = report.router.threshold;
  json["at_threshold"] = PointJson(report.at_threshold, has_oos);
  json["threshold_curve"] = std::move(curve);
  json["mistakes"] = {{"hard", report.hard},
                      {"easy", report.easy},
                      {"hard_to_easy", MistakesJson(report.hard_to_easy)},
                      {"easy_to_hard", MistakesJson(report.easy_to_hard)}};
  json["latency_ms"] = {{"median", report.seconds_median * 1e3}, {"p99", report.seconds_p99 * 1e3}};
  return json;
}

std::string ToText(const RouterReport& report) {
  const eval::RouterMetrics& metrics = report.metrics;
  std::string text = absl::StrFormat(
      "texts          %d (%d labels), each in %s (p99 %s)\n"
      "accuracy       %s\n"
      "calibration    error %.3f; nll %.3f at temperature %.3f\n"
      "threshold      %.2f: %s decided, %s of them right\n",
      metrics.texts, report.router.labels.size(), FormatSeconds(report.seconds_median),
      FormatSeconds(report.seconds_p99), Percent(metrics.accuracy), metrics.ece, metrics.nll, report.router.temperature,
      report.router.threshold, Percent(report.at_threshold.coverage), Percent(report.at_threshold.accuracy));
  if (metrics.oos_auroc) {
    absl::StrAppend(&text,
                    absl::StrFormat("out of scope   AUROC %.3f over %d texts; %s of them decided\n", *metrics.oos_auroc,
                                    metrics.oos_texts, Percent(report.at_threshold.oos_coverage)));
  }
  absl::StrAppend(&text, MistakesText("hard to easy   ", report.hard_to_easy),
                  MistakesText("easy to hard   ", report.easy_to_hard), "\n", LabelsText(report), ConfusionText(report),
                  "\n", CurveText(metrics));
  return text;
}

}  // namespace enigma::cli
