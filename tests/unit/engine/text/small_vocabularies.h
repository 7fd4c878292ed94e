#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/spec/gguf.h"
#include "engine/text/tokenizer.h"

namespace enigma::engine::testing {

// Vocabularies small enough to work out the tokens of a text by hand.

std::unique_ptr<GgufArray> Strings(std::vector<std::string> values);
std::unique_ptr<GgufArray> Integers(std::vector<int64_t> values);
std::unique_ptr<GgufArray> Floats(std::vector<double> values);

// SentencePiece: 0 <unk>, 1 <s>, 2 </s>, 3..258 the bytes, then the words below. BOS is added, EOS is not.
enum SentencePieceIds {
  kSpSpace = 259,  // "▁"
  kSpH,            // "h"
  kSpE,            // "e"
  kSpL,            // "l"
  kSpO,            // "o"
  kSpLl,           // "ll"
  kSpHe,           // "he"
  kSpSpaceHe,      // "▁he"
  kSpLlo,          // "llo"
  kSpSpaceHello,   // "▁hello"
  kSpTwoSpaces,    // "▁▁"
  kSpUserDefined,  // "<user>", user-defined
  kSpEndOfTurn,    // "<end_of_turn>", control
  kSpTokens
};
GgufMetadata SentencePieceVocabulary();
inline constexpr int kSpByte0 = 3;

// Byte-level BPE: ids 0..255 are the bytes by value, then the words below. No BOS is added.
enum BytePairIds {
  kBpHe = 256,     // "he"
  kBpLl,           // "ll"
  kBpLlo,          // "llo"
  kBpHello,        // "hello"
  kBpSpaceHe,      // " he"
  kBpWord,         // "word": no merges lead to it
  kBpEndOfText,    // "<|endoftext|>", control, BOS and EOS
  kBpThreeSpaces,  // "   ", user-defined
  kBpStart,        // "<|im_start|>", control
  kBpEnd,          // "<|im_end|>", control
  kBpTokens
};
GgufMetadata BytePairVocabulary(const std::string& pre);
// Of the pre-tokenizer "gpt-2".
const Tokenizer& SmallTokenizer();

}  // namespace enigma::engine::testing
