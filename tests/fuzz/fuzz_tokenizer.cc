// A tokenizer from a stranger: the head of a GGUF file with the text to encode behind it, or a ranks file with a zero
// byte and the text behind it.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "engine/spec/gguf.h"
#include "engine/text/tokenizer.h"

namespace {

using namespace enigma;
using namespace enigma::engine;

void Require(bool holds) {
  if (!holds) std::abort();
}

void EncodeAndDecode(const Tokenizer& tokenizer, std::string_view text) {
  for (const bool parse_special : {false, true}) {
    const std::vector<TokenId> ids = tokenizer.Encode(text, {.add_special = true, .parse_special = parse_special});
    for (const TokenId id : ids) Require(id >= 0 && static_cast<uint32_t>(id) < tokenizer.vocab_size());
    Require(ids == tokenizer.Encode(text, {.add_special = true, .parse_special = parse_special}));

    Detokenizer detokenizer(tokenizer, /*continuation=*/false, /*render_special=*/true);
    std::string streamed;
    for (const TokenId id : ids) {
      streamed += detokenizer.Add(id);
      Require(ValidUtf8Prefix(streamed) == streamed.size());
    }
    streamed += detokenizer.Finish();
    Require(streamed == Decode(tokenizer, ids, /*render_special=*/true));
    for (const TokenId id : ids) Require(!tokenizer.IsControl(id) || tokenizer.TokenBytes(id, false).empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.substr(0, 4) == "GGUF") {
    const auto file = GgufFile::ParseHead({data, size}, size, "fuzz");
    if (!file.ok()) return 0;
    const auto tokenizer = Tokenizer::FromGguf((*file)->metadata());
    if (tokenizer.ok()) EncodeAndDecode(**tokenizer, bytes.substr((*file)->HeadBytes().size()));
    return 0;
  }
  const size_t ranks_end = std::min(bytes.find('\0'), size);
  const auto tokenizer =
      Tokenizer::FromTiktoken(bytes.substr(0, ranks_end), "llama-bpe", {"<|begin_of_text|>", "<|eot_id|>"});
  if (tokenizer.ok()) EncodeAndDecode(**tokenizer, bytes.substr(ranks_end));
  return 0;
}
