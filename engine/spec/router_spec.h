#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/spec/gguf.h"

namespace enigma::engine {

// What makes a text model a router: which of its tokens are labels, and how its answer is read. In a GGUF file the keys
// enigma.router.labels (strings), .label_tokens (integers), .prompt (string), .prompt_tokens (integer), .temperature
// and .threshold (f32); since a manifest's first piece is the file's head, they go wherever the model goes.
struct RouterSpec {
  static constexpr char kPromptDefault[] = "Q: {text}\nA: [E:tool]";
  static constexpr char kTextMark[] = "{text}";
  static constexpr size_t kLabelsMax = 1024;
  static constexpr size_t kLabelBytesMax = 64;
  static constexpr uint32_t kPromptTokensMost = 4096;  // whatever the model can read: an answer is to be quick
  static constexpr uint32_t kPromptTokensLeast = 7;

  std::vector<std::string> labels;      // 2 or more, each once
  std::vector<int32_t> label_tokens;    // the vocabulary's token of each label, each once
  std::string prompt = kPromptDefault;  // the text to classify stands for "{text}", which comes once
  double temperature = 1;               // logits are divided by it; above 0
  double threshold = 0;                 // below this confidence the router abstains; from 0 to below 1
  uint32_t prompt_tokens = 0;           // of the longest prompt in training; 0: as many as the model reads

  // The prompt's parts before and behind the text.
  std::string_view PromptHead() const;
  std::string_view PromptTail() const;
  // Tokens of a prompt at most, of a model with this context.
  uint32_t PromptTokensMax(uint32_t context) const;
};

// "[intent:chat]": how the token of a label is written where a vocabulary gets one for it.
std::string LabelTokenText(std::string_view label);

// InvalidArgument, as the rest of a sentence ("is empty"): blank, longer than kLabelBytesMax, no UTF-8, or with control
// characters or white space at an end, which no header could carry.
absl::Status CheckLabel(std::string_view label);

// InvalidArgument names the key, its value and what it may be. `vocabulary`: tokens of the model's.
absl::Status CheckRouterSpec(const RouterSpec& router, uint32_t vocabulary);

// Nothing where the file has no key enigma.router.labels. A file without prompt, temperature or threshold has the
// defaults above. Errors as CheckRouterSpec has them, the vocabulary being that of the file.
absl::StatusOr<std::optional<RouterSpec>> RouterSpecFromGguf(const GgufMetadata& metadata);

void SetRouterKeys(const RouterSpec& router, GgufMetadata& metadata);

}  // namespace enigma::engine
