#include "engine/text/router_prompt.h"

#include <memory>

#include <gtest/gtest.h>

#include "tests/unit/engine/text/small_vocabularies.h"

namespace enigma::engine {
namespace {

using testing::SmallTokenizer;

std::string Read(std::string_view text, uint32_t tokens_max) {
  const RouterSpec router;
  const std::vector<TokenId> ids = RouterPrompt(router, SmallTokenizer(), text, tokens_max);
  EXPECT_LE(ids.size(), tokens_max);
  return Decode(SmallTokenizer(), ids);
}

TEST(RouterPromptTest, TheTextStandsInThePrompt) { EXPECT_EQ(Read("hello", 64), "Q: hello\nA: [E:tool]"); }

TEST(RouterPromptTest, ControlTokensInATextArePlainText) {
  const std::vector<TokenId> ids = RouterPrompt(RouterSpec(), SmallTokenizer(), "<|endoftext|>", 64);
  for (const TokenId id : ids) EXPECT_NE(id, testing::kBpEndOfText);
}

TEST(RouterPromptTest, ALongTextLosesItsMiddle) {
  const std::string read = Read("abcdefghijklmnopqrstuvwxyz0123456789", 24);
  EXPECT_EQ(read, "Q: abcdefghi\nA: [E:tool]");
  EXPECT_EQ(Read("abcdefghijklmnopqrstuvwxyz0123456789", 32), "Q: abcdefghijklm6789\nA: [E:tool]");
}

TEST(RouterPromptTest, AnEndlessTextCostsNoMoreThanALongOne) {
  // Two bytes a character: none is cut in two.
  std::string text = "begin ";
  for (int i = 0; i < 500'000; ++i) text += "\xC3\xA4";
  text += " end";
  const std::string read = Read(text, 64);
  EXPECT_EQ(read.substr(0, 9), "Q: begin ");
  EXPECT_NE(read.find(" end\nA: [E:tool]"), std::string::npos);
  EXPECT_LT(read.size(), 80u);
}

}  // namespace
}  // namespace enigma::engine
