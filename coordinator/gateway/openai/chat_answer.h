#pragma once

#include <functional>
#include <memory>
#include <string>

#include "coordinator/gateway/openai/answer.h"
#include "coordinator/state/model_files.h"
#include "engine/text/tool_calls/call_reader.h"

namespace enigma::coordinator {

struct ChatAnswerOptions {
  std::string model;
  TokenizerPtr tokenizer;  // for the texts of log probabilities
  bool logprobs = false;
  size_t top_logprobs = 0;
  size_t choices = 1;
  // A reader for one choice; null, or giving null: answers are text and hold no calls.
  std::function<std::unique_ptr<engine::CallReader>()> make_reader;
};

// Chat completions and their chunks. Calls of tools come as OpenAI streams them: index, id, type and name first, then
// the arguments piece by piece; the finish reason of an answer with calls is tool_calls.
AnswerFormat ChatAnswerFormat(const ChatAnswerOptions& options);

}  // namespace enigma::coordinator
