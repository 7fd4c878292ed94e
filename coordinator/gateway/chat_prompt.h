#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "coordinator/gateway/openai/tools.h"
#include "coordinator/operations/control_plane.h"
#include "engine/text/chat_template.h"
#include "proto/inference.pb.h"

namespace enigma::coordinator {

// The prompt that the model's own template makes of a conversation: with the model's BOS, and control tokens as text.
// INVALID_ARGUMENT when there is no template, or it refuses the messages.
absl::StatusOr<std::string> RenderChat(ControlPlane& plane, const Model& model, const engine::ChatRequest& chat);

// A message as OpenAI writes it, so that one reader checks both.
Json MessageJson(const enigma::v1::ChatMessage& message);

// Makes a rendered conversation the prompt of a request.
void SetRendered(std::string prompt, enigma::v1::GenerateRequest& request);

// Makes a prompt of the request's `chat`, with its tools, and says how answers are to be read. What is checked is what
// the HTTP API checks. INVALID_ARGUMENT names the message or the tool. May compile schemas.
absl::StatusOr<ToolPlan> ApplyChat(ControlPlane& plane, const Model& model, const engine::Tokenizer& tokenizer,
                                   enigma::v1::GenerateRequest& request);

}  // namespace enigma::coordinator
