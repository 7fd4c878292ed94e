#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "coordinator/gateway/openai/body.h"
#include "coordinator/operations/control_plane.h"
#include "engine/text/chat_template.h"
#include "engine/text/tool_calls/forced_calls.h"
#include "engine/text/tool_calls/free_call_reader.h"
#include "proto/inference.pb.h"

namespace enigma::coordinator {

// What a request says about tools.
struct ToolChoice {
  enum class Mode : uint8_t { kNone, kAuto, kRequired };
  Mode mode = Mode::kNone;
  Json tools;                   // for the prompt, as they were given; null where none may be called
  std::vector<Json> functions;  // those that may be called: objects with name, parameters and strict
  std::vector<size_t> indices;  // of each of them in the request's list
  bool several = true;          // one answer may hold several calls

  // Whether planning it compiles a schema; `formatted`: the request has one for its answers.
  bool Compiles(bool formatted) const {
    return mode == Mode::kRequired || (mode == Mode::kAuto && (formatted || HasStrict()));
  }
  bool HasStrict() const;
};

// The fields "tools", "tool_choice" and "parallel_tool_calls". Errors go to `fields`.
ToolChoice ReadTools(Fields& fields);

// How one model is to answer such a request, and how its answers are to be read.
struct ToolPlan {
  std::string prefill;  // goes behind the prompt
  std::optional<engine::ForcedCalls> forced;
  std::optional<engine::FreeCallReader::Options> free;

  // For one answer; null where answers are text and nothing else.
  std::unique_ptr<engine::CallReader> MakeReader() const;
};

// Settles how calls are made: what must be a call is held to it by a schema (put into request.sampling), what may be
// one is looked for in the form that the model's template writes, with the control tokens of that form shown
// (request.shown_tokens), and held to its schema where a tool is strict. INVALID_ARGUMENT names the tool whose
// parameters cannot be held to. May compile schemas.
absl::StatusOr<ToolPlan> PlanTools(ControlPlane& plane, const engine::ChatTemplate& chat,
                                   const engine::Tokenizer& tokenizer, const ToolChoice& choice,
                                   enigma::v1::GenerateRequest& request);

}  // namespace enigma::coordinator
