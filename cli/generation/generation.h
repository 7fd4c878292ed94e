#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "cli/output/format.h"
#include "engine/spec/sampling_params.h"
#include "engine/text/tokenizer.h"

namespace enigma::cli {

struct ChatTurn {
  std::string role;  // "system", "user", "assistant"
  std::string text;
};

struct GenerationRequest {
  std::string prompt;
  std::vector<engine::TokenId> prompt_ids;  // used instead of `prompt` when not empty
  std::vector<ChatTurn> chat;  // used instead of both when not empty; the model's template makes the prompt
  std::vector<std::string>
      pictures;                // JPEG or PNG files; their rows stand before the prompt. The cluster's models alone
  bool parse_special = false;  // control tokens in the prompt are tokens, not text
  engine::SamplingParams sampling;
  std::optional<std::string> json_schema;  // the answer is JSON of this schema
};

struct GenerationTiming {
  double queue_seconds = 0;
  double first_token_seconds = 0;  // from the request to the first token
  double total_seconds = 0;
};

// Who was chosen to answer, and what decided that (docs/routing.md).
struct GenerationRoute {
  std::string method;      // "model", "keyword", ...; empty: nobody said
  std::string intent;      // that a router read; empty: none did
  std::string confidence;  // of it, as it was written
};

struct GenerationResult {
  std::string model;
  std::vector<engine::TokenId> prompt_ids;
  std::vector<engine::TokenId> ids;
  std::string text;
  std::string finish_reason;  // "stop" or "length"
  GenerationTiming timing;
  std::vector<std::string> nodes;  // stage by stage; empty without a cluster
  std::string contract;            // numeric contract that made the tokens
  GenerationRoute route;           // of the cluster's answer
};

// Takes text as it is made. False ends the answer: nobody wants the rest.
using TextSink = std::function<bool(std::string_view)>;

// A model that answers: the cluster's, or a file in this process. Not thread-safe, but for what is said below.
class AnsweringModel {
 public:
  virtual ~AnsweringModel() = default;
  // How many threads may be in Generate at the same time.
  virtual size_t answers_at_once() const { return 1; }
  // Text goes to `sink` as it arrives.
  virtual absl::StatusOr<GenerationResult> Generate(const GenerationRequest& request, const TextSink& sink) = 0;
  virtual absl::StatusOr<bool> HasChatTemplate() = 0;
};

// "math, by model (intent math, confidence 0.9931)": who answered and why. Empty where the client named the model.
std::string DescribeRoute(const GenerationResult& result);

// Adds "method", "intent" and "confidence", the latter null without a router; nothing where nobody said.
void AddRoute(const GenerationRoute& route, Json& json);

// {"model","prompt_ids","ids","text","finish_reason","timing",...}
Json ToJson(const GenerationResult& result);

}  // namespace enigma::cli
