#pragma once

#include <string_view>

#include "coordinator/gateway/openai/answer.h"
#include "coordinator/operations/control_plane.h"
#include "engine/text/tokenizer.h"

namespace enigma::coordinator {

// {"tokens", "token_logprobs", "top_logprobs", "text_offset"} as completions have it: `top` alternatives each, and the
// token that was chosen. `offset` is where the first token begins in the answer's text, in characters, and is moved
// behind the last.
Json CompletionLogprobs(const ChoiceText& choice, const engine::Tokenizer& tokenizer, size_t top, size_t& offset);
// {"content": [{"token", "logprob", "bytes", "top_logprobs"}], "refusal": null} as chat has it. `top` alternatives
// each.
Json ChatLogprobs(const ChoiceText& choice, const engine::Tokenizer& tokenizer, size_t top);

// Of a model that is known. May read it from its file the first time.
absl::StatusOr<TokenizerPtr> TokenizerOf(ControlPlane& plane, std::string_view model);

}  // namespace enigma::coordinator
