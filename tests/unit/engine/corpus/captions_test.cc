#include "engine/corpus/captions.h"

#include <pthread.h>

#include <atomic>
#include <cmath>
#include <new>
#include <system_error>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "tests/unit/engine/text/small_vocabularies.h"

namespace enigma::engine {
namespace {

using namespace testing;  // the ids of the small vocabularies
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Ids = std::vector<TokenId>;

constexpr TokenId kPicture = kSpUserDefined;

std::vector<CaptionedPicture> Read(const std::string& text) {
  auto pictures = ReadCaptions({"captions.jsonl", text});
  EXPECT_TRUE(pictures.ok()) << pictures.status();
  return pictures.ok() ? *std::move(pictures) : std::vector<CaptionedPicture>();
}

std::string Refusal(const std::string& text) {
  return ToString(ReadCaptions({"captions.jsonl", text}).status().message());
}

TEST(ReadCaptionsTest, OneOrManyCaptions) {
  const auto pictures = Read(
      "{\"image\": \"a.png\", \"caption\": \"one\"}\r\n"
      "\n"
      "{\"image\": \"x/b.jpg\", \"captions\": [\"two\", \"three\"], \"facts\": {}}\n"
      "{\"image\": \"c.png\", \"caption\": \"four\", \"captions\": [\"five\", \"four\"]}\n"
      "{\"image\": \"d.png\", \"caption\": \"six\", \"captions\": [\"seven\"]}");
  ASSERT_EQ(pictures.size(), 4U);
  EXPECT_EQ(pictures[0].image, "a.png");
  EXPECT_THAT(pictures[0].captions, ElementsAre("one"));
  EXPECT_EQ(pictures[0].line, 1U);
  EXPECT_EQ(pictures[1].image, "x/b.jpg");
  EXPECT_EQ(pictures[1].line, 3U);  // empty lines count
  EXPECT_EQ(pictures[1].caption, "two");
  EXPECT_THAT(pictures[1].captions, ElementsAre("two", "three"));
  EXPECT_EQ(pictures[2].caption, "four");
  EXPECT_THAT(pictures[2].captions, ElementsAre("five", "four"));
  EXPECT_THAT(pictures[3].captions, ElementsAre("six", "seven"));
}

TEST(ReadCaptionsTest, WhatIsNoCaptionIsNamedWithItsLine) {
  EXPECT_THAT(Refusal(""), HasSubstr("captions.jsonl: it names no pictures"));
  EXPECT_THAT(Refusal("{\"image\": \"a\", \"caption\": \"b\"}\n[]"),
              HasSubstr("captions.jsonl, line 2: it is no JSON"));
  EXPECT_THAT(Refusal("{\"image\": \"a\", \"caption\": \"b\""), HasSubstr("line 1: it is no JSON object"));
  EXPECT_THAT(Refusal("\xFF"), HasSubstr("not UTF-8"));
  EXPECT_THAT(Refusal("{\"image\": \"a\"}"), HasSubstr("neither"));
  EXPECT_THAT(Refusal("{\"image\": \"a\", \"caption\": \"\"}"), HasSubstr("\"caption\" is no text"));
  EXPECT_THAT(Refusal("{\"image\": \"a\", \"caption\": 3}"), HasSubstr("\"caption\" is no text"));
  EXPECT_THAT(Refusal("{\"image\": \"a\", \"captions\": 3}"), HasSubstr("\"captions\" is no list"));
  EXPECT_THAT(Refusal("{\"image\": \"a\", \"captions\": [3]}"), HasSubstr("something else than texts"));
  EXPECT_THAT(Refusal("{\"image\": \"a\", \"caption\": \"" + std::string(1 << 20, 'x') + "\"}"), HasSubstr("1 MiB"));
}

TEST(ReadCaptionsTest, PathsDoNotLeadOutOfTheFolder) {
  for (const char* path : {"", "/etc/passwd", "..", "../a.png", "a/../../b.png", "a/..", "a\\u0000b"}) {
    EXPECT_THAT(Refusal("{\"image\": \"" + std::string(path) + "\", \"caption\": \"b\"}"),
                HasSubstr("no path below the file's folder"))
        << path;
  }
  EXPECT_EQ(Read("{\"image\": \"..a/b..png\", \"caption\": \"b\"}").size(), 1U);
}

TEST(ReadCaptionsTest, NamesOfPicturesCanBeShown) {
  const auto refusal = [](const std::string& image) {
    return Refusal("{\"image\": \"" + image + "\", \"caption\": \"b\"}");
  };
  EXPECT_THAT(refusal("a\\nb.png"), HasSubstr("captions.jsonl, line 1: \"image\" has control characters"));
  for (const char* image : {"a\\u007f.png", "a\\u0080.png", "a\\u009bm.png"}) {
    EXPECT_THAT(refusal(image), HasSubstr("has control characters")) << image;
  }
  EXPECT_EQ(refusal("\\u00a0\\u00fc\\u65e5.png"), "");
  EXPECT_THAT(refusal(std::string(4097, 'x')), HasSubstr("more than 4096 bytes"));
  EXPECT_EQ(refusal(std::string(4096, 'x')), "");
}

TEST(ReadCaptionsTest, ALineTooManyIsNamed) {
  std::string lines;
  for (int i = 0; i < 4; ++i) lines += "{\"image\": \"a.png\", \"caption\": \"one\"}\n\n";
  EXPECT_TRUE(ReadCaptions({"c.jsonl", lines}, 4).ok());
  const absl::Status refused = ReadCaptions({"c.jsonl", lines + "what is not read"}, 3).status();
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_THAT(ToString(refused.message()), HasSubstr("c.jsonl, line 7: at most 3 lines with pictures"));
}

absl::StatusOr<Image> OneColour(const std::string& image) {
  if (image == "gone") return absl::NotFoundError("gone");
  Image picture = Image::Blank(3, 3);
  picture.rgb.assign(picture.rgb.size(), static_cast<uint8_t>(image.back()));
  return picture;
}

TEST(PrepareCaptionsTest, PicturesStandBehindTheBeginTokenAndBeforeTheText) {
  const auto tokenizer = Tokenizer::FromGguf(SentencePieceVocabulary()).value();
  const auto prepared =
      PrepareCaptions({{"x", "hello", {"hello"}}}, OneColour, *tokenizer,
                      {.side = 4, .picture_rows = 3, .picture_token = kPicture, .validation_share = 0});
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  const TokenSet& set = *prepared->tokens;
  ASSERT_EQ(set.documents(), 1U);
  Ids ids;
  std::vector<bool> trained;
  for (uint64_t i = 0; i < set.tokens(); ++i) {
    ids.push_back(set.Token(i));
    trained.push_back(set.IsTrained(i));
  }
  EXPECT_THAT(ids, ElementsAre(1, kPicture, kPicture, kPicture, kSpSpaceHello, 2));
  EXPECT_THAT(trained, ElementsAre(false, false, false, false, true, true));
  EXPECT_EQ(prepared->pictures->side(), 4U);
}

TEST(PrepareCaptionsTest, WithoutABeginTokenEvenTheFirstIsLearned) {
  const auto tokenizer = Tokenizer::FromGguf(BytePairVocabulary("gpt-2")).value();
  const auto prepared = PrepareCaptions({{"x", "hello", {"hello"}}}, OneColour, *tokenizer,
                                        {.side = 4, .picture_rows = 2, .picture_token = 7, .validation_share = 0});
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  const TokenSet& set = *prepared->tokens;
  ASSERT_EQ(set.tokens(), 4U);
  EXPECT_EQ(set.Token(0), 7);
  EXPECT_EQ(set.Token(2), kBpHello);
  EXPECT_FALSE(set.IsTrained(1));
  EXPECT_TRUE(set.IsTrained(2));
}

TEST(PrepareCaptionsTest, PicturesGoWithTheirTextsIntoBothParts) {
  const auto tokenizer = Tokenizer::FromGguf(BytePairVocabulary("gpt-2")).value();
  std::vector<CaptionedPicture> pictures;
  for (int i = 0; i < 200; ++i) {
    const std::string name(1, static_cast<char>('!' + i % 90));
    pictures.push_back({std::to_string(i) + name, name, {name}});
  }
  const CaptionOptions options = {
      .side = 2, .picture_rows = 1, .picture_token = kBpEndOfText - 1, .validation_share = 0.2};
  const auto prepared = PrepareCaptions(pictures, OneColour, *tokenizer, options);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  const TokenSet& set = *prepared->tokens;
  EXPECT_NEAR(static_cast<double>(set.documents(TokenSet::Part::kValidation)), 40, 20);
  ASSERT_EQ(prepared->pictures->pictures(), 200U);
  for (uint64_t document = 0; document < set.documents(); ++document) {
    // The caption is a byte, and the picture has its brightness.
    EXPECT_EQ(set.Token(set.begin(document) + 1), prepared->pictures->Picture(document).rgb[0]);
  }
}

TEST(PrepareCaptionsTest, ThreadsChangeNothing) {
  const auto tokenizer = Tokenizer::FromGguf(BytePairVocabulary("gpt-2")).value();
  std::vector<CaptionedPicture> pictures;
  for (uint64_t i = 0; i < 600; ++i) {
    const std::string name(1, static_cast<char>('!' + i % 90));
    pictures.push_back({std::to_string(i) + name, name, {name}, i + 1});
  }
  CaptionOptions options = {.side = 2, .picture_rows = 1, .picture_token = kBpEndOfText - 1, .validation_share = 0.2};
  const auto alone = PrepareCaptions(pictures, OneColour, *tokenizer, options);
  options.threads = 3;
  std::vector<uint64_t> heard;
  options.progress = [&heard](uint64_t done, uint64_t total) {
    EXPECT_EQ(total, 600U);
    heard.push_back(done);
    return true;
  };
  const auto together = PrepareCaptions(pictures, OneColour, *tokenizer, options);
  ASSERT_TRUE(alone.ok() && together.ok()) << together.status();
  EXPECT_EQ(together->tokens->hash(), alone->tokens->hash());
  EXPECT_EQ(together->pictures->hash(), alone->pictures->hash());
  EXPECT_THAT(heard, ElementsAre(0, 256, 512));
  EXPECT_EQ(together->report.training.documents + together->report.validation.documents, 600U);
  ASSERT_EQ(together->report.warnings.size(), 1U);
  EXPECT_EQ(together->report.warnings[0].code, "few_examples");

  // Of two that are wrong the first is named, whoever loads which.
  pictures[40].image = "gone";
  pictures[41].image = "gone";
  options.validation_share = 0;
  options.file = "c.jsonl";
  EXPECT_THAT(ToString(PrepareCaptions(pictures, OneColour, *tokenizer, options).status().message()),
              HasSubstr("c.jsonl, line 41: gone: gone"));
  options.progress = [](uint64_t done, uint64_t) { return done == 0; };
  pictures[40].image = pictures[41].image = "x";
  EXPECT_EQ(PrepareCaptions(pictures, OneColour, *tokenizer, options).status().code(), absl::StatusCode::kCancelled);
}

TEST(PrepareCaptionsTest, APictureIsLoadedOnceHoweverManyLinesNameIt) {
  const auto tokenizer = Tokenizer::FromGguf(BytePairVocabulary("gpt-2")).value();
  std::vector<CaptionedPicture> pictures;
  for (int i = 0; i < 700; ++i) {
    const std::string name(1, static_cast<char>('a' + i % 3));
    pictures.push_back({name, name, {name}});
  }
  std::atomic<int> loads = 0;
  const auto load = [&loads](const std::string& image) {
    ++loads;
    return OneColour(image);
  };
  const CaptionOptions options = {
      .side = 2, .picture_rows = 1, .picture_token = 7, .validation_share = 0, .threads = 2};
  const auto prepared = PrepareCaptions(pictures, load, *tokenizer, options);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_EQ(loads, 3);
  ASSERT_EQ(prepared->pictures->pictures(), 700U);
  for (uint64_t document = 0; document < 700; ++document) {
    EXPECT_EQ(prepared->pictures->Picture(document).rgb[0], 'a' + document % 3) << document;
  }
}

TEST(PrepareCaptionsTest, CancelIsHeardBeforeTheFirstPictureIsLoaded) {
  const auto tokenizer = Tokenizer::FromGguf(BytePairVocabulary("gpt-2")).value();
  const std::vector<CaptionedPicture> pictures(3000, {"x", "hello", {"hello"}});
  int asked = 0;
  CaptionOptions options = {.side = 2, .picture_rows = 1, .picture_token = 7, .validation_share = 0};
  options.progress = [&asked](uint64_t, uint64_t) { return ++asked < 2; };
  const auto load = [](const std::string& image) {
    ADD_FAILURE() << image << " was loaded";
    return OneColour(image);
  };
  EXPECT_TRUE(absl::IsCancelled(PrepareCaptions(pictures, load, *tokenizer, options).status()));
}

TEST(PrepareCaptionsTest, WithoutMemoryForAPictureItsLineIsNamed) {
  const auto tokenizer = Tokenizer::FromGguf(BytePairVocabulary("gpt-2")).value();
  CaptionOptions options = {.side = 2, .picture_rows = 1, .picture_token = 7, .validation_share = 0, .threads = 2};
  options.file = "c.jsonl";
  const auto load = [](const std::string&) -> absl::StatusOr<Image> { throw std::bad_alloc(); };
  const absl::Status refused =
      PrepareCaptions({{"x", "a", {}, 1}, {"y", "b", {}, 2}}, load, *tokenizer, options).status();
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_THAT(ToString(refused.message()), HasSubstr("c.jsonl, line 1: x: there is no memory left"));
}

TEST(PrepareCaptionsTest, AThreadThatCannotStartIsDoneWithout) {
  const auto tokenizer = Tokenizer::FromGguf(BytePairVocabulary("gpt-2")).value();
  CaptionOptions options = {.side = 2, .picture_rows = 1, .picture_token = 7, .validation_share = 0};
  const std::vector<CaptionedPicture> pictures = {{"x", "a", {}, 1}, {"y", "b", {}, 2}};
  const auto alone = PrepareCaptions(pictures, OneColour, *tokenizer, options);
  options.threads = 4;
  // No thread starts with a stack that no address space has room for.
  pthread_attr_t usual;
  pthread_attr_t vast;
  ASSERT_EQ(::pthread_getattr_default_np(&usual), 0);
  ASSERT_EQ(::pthread_getattr_default_np(&vast), 0);
  ASSERT_EQ(::pthread_attr_setstacksize(&vast, size_t{1} << 56), 0);
  ASSERT_EQ(::pthread_setattr_default_np(&vast), 0);
  EXPECT_THROW(std::thread([] {}).join(), std::system_error);
  const auto prepared = PrepareCaptions(pictures, OneColour, *tokenizer, options);
  ASSERT_EQ(::pthread_setattr_default_np(&usual), 0);
  ::pthread_attr_destroy(&usual);
  ::pthread_attr_destroy(&vast);
  ASSERT_TRUE(alone.ok() && prepared.ok()) << prepared.status();
  EXPECT_EQ(prepared->pictures->hash(), alone->pictures->hash());
}

TEST(PrepareCaptionsTest, WhatCannotBeUsedIsSaid) {
  const auto tokenizer = Tokenizer::FromGguf(BytePairVocabulary("gpt-2")).value();
  const auto refusal = [&](const CaptionedPicture& picture, const CaptionOptions& options) {
    return ToString(PrepareCaptions({picture}, OneColour, *tokenizer, options).status().message());
  };
  const CaptionOptions good = {.side = 2, .picture_rows = 1, .picture_token = 7, .validation_share = 0};
  EXPECT_THAT(refusal({"gone", "a", {}}, good), HasSubstr("gone"));
  EXPECT_THAT(refusal({"x", "a\x07", {}}, good), HasSubstr("the caption of x holds the token"));
  CaptionOptions options = good;
  options.tokens_max = 4;
  options.file = "c.jsonl";
  EXPECT_EQ(refusal({"x", "a", {}, 3}, options), "");
  EXPECT_THAT(refusal({"x", "abcdefg", {}, 3}, options), HasSubstr("c.jsonl, line 3: with the 1 rows of its picture"));
  options = good;
  options.picture_rows = 0;
  EXPECT_THAT(refusal({"x", "a", {}}, options), HasSubstr("0 rows"));
  options = good;
  options.validation_share = std::nan("");
  EXPECT_THAT(refusal({"x", "a", {}}, options), HasSubstr("share for validation"));
}

}  // namespace
}  // namespace enigma::engine
