#include <cstdio>
#include <string>
#include <utility>

#include "engine/weights/synth_plan.h"

namespace enigma::engine {
namespace {

// Token types of tokenizer.ggml.token_type.
constexpr int64_t kNormal = 1, kUnknown = 2, kControl = 3, kByte = 6;
constexpr char kSpace[] = "\xE2\x96\x81";  // U+2581, a space within SentencePiece's pieces
constexpr char kLetters[] = "etaoinshrdlucmfwygpbvkqxjz";
constexpr uint64_t kLetterCount = 26;

// The `number`-th word of `length` letters; each starts with a word of one letter less.
std::string Word(uint64_t number, uint32_t length) {
  std::string word(length, ' ');
  for (uint32_t i = length; i-- > 0; number /= kLetterCount) word[i] = kLetters[number % kLetterCount];
  return word;
}

class Vocabulary {
 public:
  explicit Vocabulary(uint32_t size) : size_(size) {}
  bool full() const { return tokens_->strings.size() >= size_; }
  void Add(std::string piece, int64_t type, double score) {
    if (full()) return;
    tokens_->strings.push_back(std::move(piece));
    scores_->floats.push_back(score);
    types_->integers.push_back(type);
  }
  // Pieces found earlier have the higher score, as in a trained vocabulary where merges are ranked.
  void AddPiece(std::string piece) { Add(std::move(piece), kNormal, -static_cast<double>(pieces_++)); }

  void MoveTo(GgufMetadata& metadata) {
    metadata.Set("tokenizer.ggml.tokens", std::move(tokens_));
    metadata.Set("tokenizer.ggml.scores", std::move(scores_));
    metadata.Set("tokenizer.ggml.token_type", std::move(types_));
  }

 private:
  const uint32_t size_;
  uint64_t pieces_ = 0;
  std::unique_ptr<GgufArray> tokens_ = std::make_unique<GgufArray>();
  std::unique_ptr<GgufArray> scores_ = std::make_unique<GgufArray>();
  std::unique_ptr<GgufArray> types_ = std::make_unique<GgufArray>();
};

}  // namespace

void AddSynthVocabulary(uint32_t size, GgufMetadata& metadata) {
  Vocabulary vocabulary(size);
  vocabulary.Add("<unk>", kUnknown, 0.0);
  vocabulary.Add("<s>", kControl, 0.0);
  vocabulary.Add("</s>", kControl, 0.0);
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", byte);
    vocabulary.Add(name, kByte, 0.0);
  }
  vocabulary.AddPiece(kSpace);
  for (char c = '!'; c <= '~'; ++c) vocabulary.AddPiece(std::string(1, c));
  uint64_t words = kLetterCount;
  for (uint32_t length = 1; !vocabulary.full(); ++length, words *= kLetterCount) {
    for (uint64_t i = 0; i < words && !vocabulary.full(); ++i) vocabulary.AddPiece(kSpace + Word(i, length));
    for (uint64_t i = 0; i < words * kLetterCount && !vocabulary.full(); ++i) vocabulary.AddPiece(Word(i, length + 1));
  }

  metadata.Set("tokenizer.ggml.model", std::string("llama"));
  metadata.Set("tokenizer.ggml.pre", std::string("default"));
  vocabulary.MoveTo(metadata);
  metadata.Set("tokenizer.ggml.unknown_token_id", uint64_t{0});
  metadata.Set("tokenizer.ggml.bos_token_id", uint64_t{1});
  metadata.Set("tokenizer.ggml.eos_token_id", uint64_t{2});
  metadata.Set("tokenizer.ggml.add_bos_token", true);
  metadata.Set("tokenizer.ggml.add_eos_token", false);
}

}  // namespace enigma::engine
