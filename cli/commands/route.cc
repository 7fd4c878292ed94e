// `enigma route TEXT`: which specialist would answer a text, and why.
#include <cstdio>
#include <memory>
#include <string>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "cli/cluster/cluster_client.h"
#include "cli/commands/commands.h"
#include "cli/input/read_text.h"
#include "cli/output/format.h"

namespace enigma::cli {

namespace {

constexpr int kLabelsShown = 5;

struct RouteFlags {
  ClusterFlags cluster;
  std::string text;
  std::string file;
  std::string model;
  bool json = false;
};

Json LabelsJson(const v1::ClassifyReply& reply) {
  Json labels = Json::array();
  for (const v1::LabelProbability& label : reply.labels()) {
    labels.push_back({{"label", label.label()}, {"probability", label.probability()}});
  }
  return labels;
}

Json RouteJson(const v1::ClassifyReply& reply) {
  Json json = Json::object();
  if (reply.has_route()) {
    const v1::RouteInfo& route = reply.route();
    json["intent"] = route.intent().empty() ? Json() : Json(route.intent());
    json["confidence"] = route.intent().empty() ? Json() : Json(route.confidence());
    json["method"] = route.method();
    json["task"] = route.task();
    json["model"] = route.model();
    json["nodes"] = Json(std::vector<std::string>(route.nodes().begin(), route.nodes().end()));
    json["why"] = route.why();
  }
  json["router"] = reply.model().empty() ? Json() : Json(reply.model());
  json["threshold"] = reply.model().empty() ? Json() : Json(reply.threshold());
  json["labels"] = LabelsJson(reply);
  json["seconds"] = reply.seconds();
  return json;
}

void PrintRoute(const v1::RouteInfo& route) {
  std::printf("%-11s %s\n", "task", route.task().c_str());
  std::printf("%-11s %s\n", "model", route.model().c_str());
  const std::string nodes = absl::StrJoin(route.nodes(), ", ");
  std::printf("%-11s %s\n", "node", nodes.empty() ? "none yet: it is loaded when it is asked" : nodes.c_str());
  std::printf("%-11s %s\n", "method", route.method().c_str());
  if (!route.intent().empty()) {
    std::printf("%-11s %s\n", "intent", route.intent().c_str());
    std::printf("%-11s %s\n", "confidence", FormatDecimal(route.confidence(), 4).c_str());
  }
  std::printf("%-11s %s\n", "why", route.why().c_str());
}

void PrintLabels(const v1::ClassifyReply& reply, bool all) {
  Table table({"LABEL", "PROBABILITY"}, {1});
  for (const v1::LabelProbability& label : reply.labels()) {
    table.AddRow({label.label(), FormatDecimal(label.probability(), 4)});
    if (!all && &label == &reply.labels(std::min(reply.labels_size(), kLabelsShown) - 1)) break;
  }
  std::fputs(table.Render().c_str(), stdout);
}

absl::Status RunRoute(const RouteFlags& flags, bool has_text) {
  v1::ClassifyRequest request;
  request.set_model(flags.model);
  if (has_text) {
    request.set_text(flags.text);
  } else {
    ENIGMA_ASSIGN_OR_RETURN(*request.mutable_text(), ReadText(flags.file.empty() ? "-" : flags.file));
  }
  ENIGMA_ASSIGN_OR_RETURN(const auto client, ClusterClient::Open(flags.cluster));
  v1::ClassifyReply reply;
  const auto context = QuickCall();
  ENIGMA_RETURN_IF_ERROR(client->Explain(client->inference().Classify(context.get(), request, &reply)));
  if (flags.json) {
    PrintJson(RouteJson(reply));
    return absl::OkStatus();
  }
  if (reply.has_route()) PrintRoute(reply.route());
  if (reply.has_route() && reply.labels_size() > 0) std::printf("\n");
  if (reply.labels_size() > 0) PrintLabels(reply, !reply.has_route());
  return absl::OkStatus();
}

}  // namespace

void AddRoute(Command& root) {
  Command command = root.Add("route", "which specialist would answer a text, and why");
  auto flags = std::make_shared<RouteFlags>();
  flags->cluster.AddTo(command);
  const Argument text = command.MaybeEmptyText("TEXT", flags->text, "what somebody would ask", "");
  command.Text("--file", flags->file, "the whole of this file; - or nothing reads standard input", "PATH")
      .Excludes(text);
  command
      .Text("--model", flags->model,
            "have this router read the text, whatever the specialists are, and show every label", "NAME")
      .Utf8();
  command.Switch("--json", flags->json, "as JSON");
  command.Examples({"enigma route \"write a function that reverses a list\"", "enigma route --model router \"2 + 2\""});
  command.Does([flags, text] { return RunRoute(*flags, text.given()); });
}

}  // namespace enigma::cli
