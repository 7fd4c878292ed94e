#include "cli/generation/generation.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

namespace enigma::cli {

std::string DescribeRoute(const GenerationResult& result) {
  const GenerationRoute& route = result.route;
  if (route.method.empty() || route.method == "explicit") return "";
  return absl::StrCat(
      result.model, ", by ", route.method,
      route.intent.empty() ? "" : absl::StrCat(" (intent ", route.intent, ", confidence ", route.confidence, ")"));
}

void AddRoute(const GenerationRoute& route, Json& json) {
  if (route.method.empty()) return;
  double confidence = 0;
  json["method"] = route.method;
  json["intent"] = route.intent.empty() ? Json() : Json(route.intent);
  json["confidence"] = absl::SimpleAtod(route.confidence, &confidence) ? Json(confidence) : Json();
}

Json ToJson(const GenerationResult& result) {
  const GenerationTiming& timing = result.timing;
  const double decode_seconds = timing.total_seconds - timing.first_token_seconds;
  // The first token belongs to prefill, and one step alone tells of the clock and the network, not of a speed.
  const bool decoded = result.ids.size() > 2 && decode_seconds > 0;
  Json json = {
      {"model", result.model},
      {"prompt_ids", result.prompt_ids},
      {"ids", result.ids},
      {"text", result.text},
      {"finish_reason", result.finish_reason},
      {"timing",
       {{"queue_seconds", timing.queue_seconds},
        {"first_token_seconds", timing.first_token_seconds},
        {"total_seconds", timing.total_seconds},
        {"decode_tps", decoded ? Json(static_cast<double>(result.ids.size() - 1) / decode_seconds) : Json(nullptr)}}},
  };
  if (!result.nodes.empty()) json["nodes"] = result.nodes;
  if (!result.contract.empty()) json["contract"] = result.contract;
  AddRoute(result.route, json);
  return json;
}

}  // namespace enigma::cli
