#include "cli/generation/generation.h"

namespace enigma::cli {

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
  return json;
}

}  // namespace enigma::cli
