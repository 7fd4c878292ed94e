#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "coordinator/gateway/openai/tools.h"
#include "coordinator/operations/control_plane.h"
#include "engine/text/chat_template.h"
#include "proto/inference.pb.h"

namespace enigma::coordinator {

// A message as OpenAI writes it, so that one reader checks both.
Json MessageJson(const enigma::v1::ChatMessage& message);

// Makes a prompt of a conversation, by the model's own template (with the model's BOS, and control tokens as text), and
// says how answers are to be read. Of one with pictures, their rows stand before the prompt (docs/vision.md), which is
// the text by itself where there is no text, or no template and nothing but what a user says.
// INVALID_ARGUMENT when there is no template, or it refuses the messages; else it names the tool. May compile schemas.
absl::StatusOr<ToolPlan> MakeChatPrompt(ControlPlane& plane, const Model& model, const engine::Tokenizer& tokenizer,
                                        engine::ChatRequest chat, const ToolChoice& tools, bool has_pictures,
                                        enigma::v1::GenerateRequest& request);

// The same of the request's own `chat`. What is checked is what the HTTP API checks; errors may also name the message.
absl::StatusOr<ToolPlan> ApplyChat(ControlPlane& plane, const Model& model, const engine::Tokenizer& tokenizer,
                                   bool has_pictures, enigma::v1::GenerateRequest& request);

}  // namespace enigma::coordinator
