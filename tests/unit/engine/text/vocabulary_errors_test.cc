#include <cmath>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/text/tokenizer.h"
#include "tests/unit/engine/text/small_vocabularies.h"

namespace enigma::engine {
namespace {

using ::testing::AllOf;
using testing::BytePairVocabulary;
using testing::Floats;
using ::testing::HasSubstr;
using testing::Integers;
using testing::SentencePieceVocabulary;
using testing::Strings;

struct Case {
  const char* what;
  std::function<void(GgufMetadata&)> change;
  std::vector<const char*> named;  // what the message must name
};

void ExpectErrors(const std::function<GgufMetadata()>& make, const std::vector<Case>& cases) {
  const GgufMetadata good = make();
  const auto made = Tokenizer::FromGguf(good);
  ASSERT_TRUE(made.ok()) << made.status();
  for (const Case& c : cases) {
    GgufMetadata metadata = make();
    c.change(metadata);
    const auto tokenizer = Tokenizer::FromGguf(metadata);
    ASSERT_FALSE(tokenizer.ok()) << c.what;
    for (const char* name : c.named) {
      EXPECT_THAT(std::string(tokenizer.status().message()), HasSubstr(name)) << c.what;
    }
  }
}

TEST(VocabularyErrors, NameKeyAndIndexForSentencePiece) {
  ExpectErrors(
      SentencePieceVocabulary,
      {
          {"unigram",
           [](auto& m) { m.Set("tokenizer.ggml.model", std::string("t5")); },
           {"tokenizer.ggml.model", "t5"}},
          {"model is a number", [](auto& m) { m.Set("tokenizer.ggml.model", uint64_t{1}); }, {"tokenizer.ggml.model"}},
          {"no tokens", [](auto& m) { m.Set("tokenizer.ggml.tokens", Strings({})); }, {"tokenizer.ggml.tokens"}},
          {"tokens are numbers",
           [](auto& m) { m.Set("tokenizer.ggml.tokens", Integers({1})); },
           {"tokenizer.ggml.tokens"}},
          {"tokens are a number",
           [](auto& m) { m.Set("tokenizer.ggml.tokens", uint64_t{5}); },
           {"tokenizer.ggml.tokens"}},
          {"a huge token",
           [](auto& m) {
             m.Set("tokenizer.ggml.tokens", Strings({"a", std::string(100'000, 'x')}));
           },
           {"tokenizer.ggml.tokens[1]", "100000"}},
          {"too few scores",
           [](auto& m) {
             m.Set("tokenizer.ggml.scores", Floats({1, 2}));
           },
           {"tokenizer.ggml.scores", "2"}},
          {"no scores", [](auto& m) { m.Set("tokenizer.ggml.scores", Floats({})); }, {"tokenizer.ggml.scores"}},
          {"scores are text",
           [](auto& m) { m.Set("tokenizer.ggml.scores", std::string("high")); },
           {"tokenizer.ggml.scores"}},
          {"too few types",
           [](auto& m) { m.Set("tokenizer.ggml.token_type", Integers({1})); },
           {"tokenizer.ggml.token_type"}},
          {"BOS out of range",
           [](auto& m) { m.Set("tokenizer.ggml.bos_token_id", uint64_t{100'000}); },
           {"tokenizer.ggml.bos_token_id", "100000"}},
          {"EOS negative",
           [](auto& m) { m.Set("tokenizer.ggml.eos_token_id", int64_t{-1}); },
           {"tokenizer.ggml.eos_token_id"}},
          {"EOT out of range",
           [](auto& m) { m.Set("tokenizer.ggml.eot_token_id", uint64_t{0xFFFFFFFF}); },
           {"tokenizer.ggml.eot_token_id"}},
          {"the flag is a string",
           [](auto& m) { m.Set("tokenizer.ggml.add_bos_token", std::string("yes")); },
           {"tokenizer.ggml.add_bos_token"}},
          {"the prefix is a number",
           [](auto& m) { m.Set("tokenizer.ggml.add_space_prefix", uint64_t{1}); },
           {"tokenizer.ggml.add_space_prefix"}},
      });
}

// A vocabulary of three tokens, of which one thing is changed.
GgufMetadata Three(std::vector<std::string> tokens, std::vector<double> scores, std::vector<int64_t> types) {
  GgufMetadata metadata;
  metadata.Set("tokenizer.ggml.model", std::string("llama"));
  metadata.Set("tokenizer.ggml.tokens", Strings(std::move(tokens)));
  metadata.Set("tokenizer.ggml.scores", Floats(std::move(scores)));
  metadata.Set("tokenizer.ggml.token_type", Integers(std::move(types)));
  return metadata;
}

std::string MessageOf(const GgufMetadata& metadata) {
  return std::string(Tokenizer::FromGguf(metadata).status().message());
}

TEST(VocabularyErrors, NameTheElementAtFault) {
  EXPECT_EQ(MessageOf(Three({"a", "b", "c"}, {0, 0, 0}, {1, 1, 1})), "");
  EXPECT_THAT(MessageOf(Three({"a", "b", "a"}, {0, 0, 0}, {1, 1, 1})),
              AllOf(HasSubstr("tokenizer.ggml.tokens[2]"), HasSubstr("element 0")));
  EXPECT_THAT(MessageOf(Three({"a", "b", "c"}, {0, std::nan(""), 0}, {1, 1, 1})),
              HasSubstr("tokenizer.ggml.scores[1]"));
  EXPECT_THAT(MessageOf(Three({"a", "b", "c"}, {0, 0, 0}, {1, 1, 7})), HasSubstr("tokenizer.ggml.token_type[2] is 7"));
  EXPECT_THAT(MessageOf(Three({"a", "b", "c"}, {0, 0, 0}, {1, 0, 1})), HasSubstr("tokenizer.ggml.token_type[1] is 0"));
  EXPECT_THAT(MessageOf(Three({"a", "<0xG1>", "c"}, {0, 0, 0}, {1, 6, 1})), HasSubstr("tokenizer.ggml.tokens[1]"));
}

TEST(VocabularyErrors, EmptyTokensMayRepeat) { EXPECT_EQ(MessageOf(Three({"", "", "c"}, {0, 0, 0}, {1, 1, 1})), ""); }

TEST(VocabularyErrors, NameKeyAndIndexForBytePairs) {
  ExpectErrors(
      [] { return BytePairVocabulary("gpt-2"); },
      {
          {"unknown pre-tokenizer",
           [](auto& m) { m.Set("tokenizer.ggml.pre", std::string("no-such-model")); },
           {"tokenizer.ggml.pre", "no-such-model", "llama-bpe"}},
          {"pre is a number", [](auto& m) { m.Set("tokenizer.ggml.pre", uint64_t{1}); }, {"tokenizer.ggml.pre"}},
          {"merges are numbers",
           [](auto& m) { m.Set("tokenizer.ggml.merges", uint64_t{3}); },
           {"tokenizer.ggml.merges"}},
          {"a merge without a space",
           [](auto& m) {
             m.Set("tokenizer.ggml.merges", Strings({"h e", "ll"}));
           },
           {"tokenizer.ggml.merges[1]", "ll"}},
          {"a merge with nothing behind the space",
           [](auto& m) { m.Set("tokenizer.ggml.merges", Strings({"h "})); },
           {"tokenizer.ggml.merges[0]"}},
          {"a merge of an unknown token",
           [](auto& m) {
             m.Set("tokenizer.ggml.merges", Strings({"h e", "l l", "xyz e"}));
           },
           {"tokenizer.ggml.merges[2]", "'xyz'"}},
          {"a merge to an unknown token",
           [](auto& m) { m.Set("tokenizer.ggml.merges", Strings({"h z"})); },
           {"tokenizer.ggml.merges[0]", "'hz'"}},
          {"absurdly many merges",
           [](auto& m) { m.Set("tokenizer.ggml.merges", Strings(std::vector<std::string>(100'000, "h e"))); },
           {"tokenizer.ggml.merges", "100000"}},
      });
}

TEST(VocabularyErrors, MissingKeysAreNamed) {
  const GgufMetadata whole = BytePairVocabulary("gpt-2");
  for (const char* missing :
       {"tokenizer.ggml.model", "tokenizer.ggml.tokens", "tokenizer.ggml.merges", "tokenizer.ggml.pre"}) {
    GgufMetadata metadata;
    for (const char* key : {"tokenizer.ggml.model", "tokenizer.ggml.pre"}) {
      if (std::string_view(key) != missing) metadata.Set(key, std::string(*whole.String(key)));
    }
    for (const char* key : {"tokenizer.ggml.tokens", "tokenizer.ggml.merges"}) {
      if (std::string_view(key) != missing) metadata.Set(key, Strings((*whole.Array(key))->strings));
    }
    EXPECT_THAT(MessageOf(metadata), HasSubstr(missing));
  }
}

TEST(VocabularyErrors, AddingATokenThatDoesNotExistIsAnError) {
  GgufMetadata metadata;
  metadata.Set("tokenizer.ggml.model", std::string("gpt2"));
  metadata.Set("tokenizer.ggml.pre", std::string("gpt-2"));
  metadata.Set("tokenizer.ggml.tokens", Strings({"a"}));
  metadata.Set("tokenizer.ggml.merges", Strings({}));
  EXPECT_EQ(MessageOf(metadata), "");
  metadata.Set("tokenizer.ggml.add_eos_token", true);
  EXPECT_THAT(MessageOf(metadata),
              AllOf(HasSubstr("tokenizer.ggml.add_eos_token"), HasSubstr("tokenizer.ggml.eos_token_id")));
}

}  // namespace
}  // namespace enigma::engine
