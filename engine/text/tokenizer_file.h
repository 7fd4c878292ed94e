#pragma once

#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/spec/gguf.h"
#include "engine/text/learned_vocabulary.h"
#include "engine/text/special_tokens.h"

namespace enigma::engine {

// ChatML: <|im_start|>role, a line end, the content, <|im_end|>, a line end; before the first message the BOS text.
inline constexpr char kChatMlTemplate[] =
    R"({{- bos_token }}{%- for message in messages %})"
    R"({{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}{%- endfor %})"
    R"({%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %})";

// What a model was trained on that knows questions with answers alone, one at a time: the last question of a
// conversation as data have it (engine/corpus/question_answer.h), and an answer that has been begun.
inline constexpr char kQuestionTemplate[] =
    R"({%- set last = namespace(question='') %}{%- for message in messages %}{%- if message.role == 'user' %})"
    R"({%- set last.question = message.content %}{%- endif %}{%- endfor %})"
    R"({{- bos_token + 'Q: ' + (last.question | trim) + '\nA:' }})"
    R"({%- if messages[-1].role == 'assistant' %}{{- ' ' + (messages[-1].content | trim) }}{%- endif %})";

// Of a model that has learned to say what pictures show and has read nothing else: words beside a picture would only
// lead it astray, so they are left out.
inline constexpr char kCaptionTemplate[] = "{{- bos_token }}";

// A trained tokenizer as GGUF's metadata keys tokenizer.* hold it, for Tokenizer::FromGguf and for llama.cpp. Ids are
// in GPT-2's order: the 256 bytes, what the merges make, whole words, and last the special tokens, as control tokens.
struct TokenizerFile {
  std::string pre;  // the name of the pre-tokenizer that its words were cut by
  LearnedVocabulary vocabulary;
  SpecialTokens special_tokens;
  bool add_bos = true;        // texts begin with BOS, where there is one; so do documents in training
  std::string chat_template;  // Jinja; empty: none, and texts are continued as they stand
};

// Adds the keys tokenizer.*. InvalidArgument when the special tokens are not right (SpecialTokens::Check), or one of
// them is written as a token of the vocabulary is.
absl::Status AddTokenizerKeys(const TokenizerFile& file, GgufMetadata& metadata);

// The whole metadata of a file that holds a vocabulary and no model.
absl::StatusOr<GgufMetadata> VocabularyMetadata(const TokenizerFile& file, const std::string& name);

// Every key that begins with "tokenizer.", from a vocabulary's file to the model that was trained with it.
void CopyTokenizerKeys(const GgufMetadata& from, GgufMetadata& to);

}  // namespace enigma::engine
