#include "engine/spec/router_spec.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma::engine {
namespace {

using ::testing::HasSubstr;

RouterSpec Sound() {
  RouterSpec router;
  router.labels = {"chat", "code"};
  router.label_tokens = {5, 3};
  return router;
}

GgufMetadata FileOf(const RouterSpec& router, size_t vocabulary) {
  GgufMetadata metadata;
  auto tokens = std::make_unique<GgufArray>();
  for (size_t i = 0; i < vocabulary; ++i) tokens->strings.push_back(std::to_string(i));
  metadata.Set("tokenizer.ggml.tokens", std::move(tokens));
  SetRouterKeys(router, metadata);
  return metadata;
}

TEST(RouterSpecTest, WhatIsSetIsRead) {
  RouterSpec router = Sound();
  router.prompt = "text: {text} label:";
  router.temperature = 1.5;
  router.threshold = 0.25;
  router.prompt_tokens = 255;
  const auto read = RouterSpecFromGguf(FileOf(router, 6));
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_TRUE(read->has_value());
  EXPECT_EQ((*read)->labels, router.labels);
  EXPECT_EQ((*read)->label_tokens, router.label_tokens);
  EXPECT_EQ((*read)->PromptHead(), "text: ");
  EXPECT_EQ((*read)->PromptTail(), " label:");
  EXPECT_EQ((*read)->temperature, 1.5);
  EXPECT_EQ((*read)->threshold, 0.25);
  EXPECT_EQ((*read)->PromptTokensMax(64), 64u);
  EXPECT_EQ((*read)->PromptTokensMax(2048), 255u) << "longer ones were not trained on";
  EXPECT_EQ(Sound().PromptTokensMax(1 << 20), 4096u);
}

TEST(RouterSpecTest, OtherModelsAreNone) {
  const auto read = RouterSpecFromGguf(GgufMetadata());
  ASSERT_TRUE(read.ok());
  EXPECT_FALSE(read->has_value());
}

TEST(RouterSpecTest, WhatIsWrongIsNamed) {
  const struct {
    const char* message;
    std::function<void(RouterSpec&)> spoil;
  } cases[] = {
      {"a router tells 2 to 1024 apart", [](auto& r) { r.labels = {"chat"}; }},
      {"there are 1 tokens for 2 labels", [](auto& r) { r.label_tokens = {1}; }},
      {"'chat' comes twice",
       [](auto& r) {
         r.labels = {"chat", "chat"};
       }},
      {"label ' ' is empty", [](auto& r) { r.labels[0] = " "; }},
      {"has a control character", [](auto& r) { r.labels[0] = "a\nb"; }},
      {"has a control character", [](auto& r) { r.labels[0] = "a\xC2\x85"; }},
      {"begins or ends with a space", [](auto& r) { r.labels[0] = "a "; }},
      {"is no UTF-8", [](auto& r) { r.labels[0] = "a\xFF"; }},
      {"enigma.router.prompt_tokens': 3 is not from 7", [](auto& r) { r.prompt_tokens = 3; }},
      {"is longer than 64 bytes", [](auto& r) { r.labels[1] = std::string(65, 'x'); }},
      {"token 6 is none of a vocabulary of 6", [](auto& r) { r.label_tokens[0] = 6; }},
      {"token -1 is none", [](auto& r) { r.label_tokens[0] = -1; }},
      {"token 3 stands for two labels",
       [](auto& r) {
         r.label_tokens = {3, 3};
       }},
      {"enigma.router.prompt", [](auto& r) { r.prompt = "Q:"; }},
      {"{text} once", [](auto& r) { r.prompt = "{text}{text}"; }},
      {"enigma.router.temperature': 0 is not above 0", [](auto& r) { r.temperature = 0; }},
      {"enigma.router.threshold': 1 is not", [](auto& r) { r.threshold = 1; }},
  };
  EXPECT_TRUE(RouterSpecFromGguf(FileOf(Sound(), 6)).ok());
  for (const auto& wrong : cases) {
    RouterSpec router = Sound();
    wrong.spoil(router);
    const auto read = RouterSpecFromGguf(FileOf(router, 6));
    EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument) << wrong.message;
    EXPECT_THAT(std::string(read.status().message()), HasSubstr(wrong.message));
  }
}

}  // namespace
}  // namespace enigma::engine
