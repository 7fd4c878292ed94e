#include "eval/router/router_metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "engine/kernels/exact_math.h"

namespace enigma::eval {

namespace {

constexpr size_t kBins = 15;
constexpr int kThresholds = 20;
constexpr double kProbabilityMin = 1e-30;

double Share(double part, double whole) { return whole > 0 ? part / whole : 0; }

double CalibrationError(const std::vector<RouterAnswer>& answers, double texts) {
  struct Bin {
    double texts = 0;
    double confidence = 0;
    double right = 0;
  };
  std::array<Bin, kBins> bins;
  for (const RouterAnswer& answer : answers) {
    if (!answer.truth) continue;
    Bin& bin = bins[std::min(static_cast<size_t>(answer.confidence * kBins), kBins - 1)];
    bin.texts += 1;
    bin.confidence += answer.confidence;
    bin.right += *answer.truth == answer.predicted ? 1 : 0;
  }
  double error = 0;
  for (const Bin& bin : bins) error += std::fabs(bin.confidence - bin.right);
  return Share(error, texts);
}

// By ranks, as Mann and Whitney count them.
std::optional<double> OosAuroc(const std::vector<RouterAnswer>& answers, uint64_t in_scope, uint64_t out_of_scope) {
  if (in_scope == 0 || out_of_scope == 0) return std::nullopt;
  std::vector<std::pair<double, bool>> scores;  // 1 - confidence, and whether the text is out of scope
  for (const RouterAnswer& answer : answers) scores.emplace_back(1 - answer.confidence, !answer.truth);
  std::sort(scores.begin(), scores.end());
  double wins = 0;
  double below = 0;  // texts in scope with a lower score
  for (size_t begin = 0; begin < scores.size();) {
    size_t end = begin;
    double same_in = 0;
    double same_out = 0;
    for (; end < scores.size() && scores[end].first == scores[begin].first; ++end) {
      (scores[end].second ? same_out : same_in) += 1;
    }
    wins += same_out * (below + same_in / 2);
    below += same_in;
    begin = end;
  }
  return wins / (static_cast<double>(in_scope) * static_cast<double>(out_of_scope));
}

std::vector<LabelQuality> QualityOfLabels(const std::vector<std::vector<uint64_t>>& confusion, size_t labels) {
  std::vector<LabelQuality> quality(labels);
  for (size_t label = 0; label < labels; ++label) {
    const auto right = static_cast<double>(confusion[label][label]);
    double predicted = 0;
    for (size_t row = 0; row < labels; ++row) predicted += static_cast<double>(confusion[row][label]);
    for (const uint64_t count : confusion[label]) quality[label].texts += count;
    quality[label].precision = Share(right, predicted);
    quality[label].recall = Share(right, static_cast<double>(quality[label].texts));
    quality[label].f1 = Share(2 * right, predicted + static_cast<double>(quality[label].texts));
  }
  return quality;
}

}  // namespace

ThresholdPoint MeasureThreshold(const std::vector<RouterAnswer>& answers, double threshold) {
  double texts = 0;
  double oos_texts = 0;
  double decided = 0;
  double right = 0;
  double oos_decided = 0;
  for (const RouterAnswer& answer : answers) {
    const bool decides = answer.confidence >= threshold;
    (answer.truth ? texts : oos_texts) += 1;
    if (!decides) continue;
    (answer.truth ? decided : oos_decided) += 1;
    right += answer.truth == answer.predicted ? 1 : 0;
  }
  return {.threshold = threshold,
          .coverage = Share(decided, texts),
          .accuracy = Share(right, decided),
          .oos_coverage = Share(oos_decided, oos_texts)};
}

RouterMetrics MeasureRouter(const std::vector<RouterAnswer>& answers, size_t labels) {
  RouterMetrics metrics;
  metrics.confusion.assign(labels + 1, std::vector<uint64_t>(labels));
  double right = 0;
  double nll = 0;
  for (const RouterAnswer& answer : answers) {
    ++metrics.confusion[answer.truth.value_or(labels)][answer.predicted];
    ++(answer.truth ? metrics.texts : metrics.oos_texts);
    if (!answer.truth) continue;
    right += *answer.truth == answer.predicted ? 1 : 0;
    nll -= engine::ExactLog(std::max(answer.truth_probability, kProbabilityMin));
  }
  const auto texts = static_cast<double>(metrics.texts);
  metrics.accuracy = Share(right, texts);
  metrics.nll = Share(nll, texts);
  metrics.ece = CalibrationError(answers, texts);
  metrics.oos_auroc = OosAuroc(answers, metrics.texts, metrics.oos_texts);
  metrics.labels = QualityOfLabels(metrics.confusion, labels);
  for (int i = 0; i < kThresholds; ++i) {
    metrics.thresholds.push_back(MeasureThreshold(answers, static_cast<double>(i) / kThresholds));
  }
  return metrics;
}

SetMistakes CountSetMistakes(const std::vector<RouterAnswer>& answers, const std::vector<size_t>& from,
                             const std::vector<size_t>& to, double threshold) {
  const auto holds = [](const std::vector<size_t>& set, size_t label) {
    return std::find(set.begin(), set.end(), label) != set.end();
  };
  SetMistakes counted;
  for (const RouterAnswer& answer : answers) {
    if (!answer.truth || !holds(from, *answer.truth)) continue;
    ++counted.texts;
    if (!holds(to, answer.predicted)) continue;
    ++counted.mistakes;
    counted.decided += answer.confidence >= threshold ? 1 : 0;
  }
  return counted;
}

}  // namespace enigma::eval
