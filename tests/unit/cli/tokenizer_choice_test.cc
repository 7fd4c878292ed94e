#include "cli/training/tokenizer_choice.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/usage_error.h"
#include "tests/support/process.h"

namespace enigma::cli {
namespace {

TEST(TokenizerChoiceTest, AKindOrAFile) {
  EXPECT_EQ(ParseTokenizerChoice("")->kind, "");
  EXPECT_EQ(ParseTokenizerChoice("chars")->kind, "chars");
  EXPECT_EQ(ParseTokenizerChoice("bpe")->kind, "bpe");
  EXPECT_FALSE(ParseTokenizerChoice("bpe")->vocab_size);
  EXPECT_EQ(ParseTokenizerChoice("bpe:512")->vocab_size, 512u);
  const testing::TemporaryDirectory folder;
  const std::string path = folder.path() + "/bpe.gguf";
  std::ofstream(path) << "x";
  EXPECT_EQ(ParseTokenizerChoice(path)->path, path);
  EXPECT_EQ(ParseTokenizerChoice(path)->kind, "");
}

TEST(TokenizerChoiceTest, WhatItIsNotIsSaid) {
  for (const char* text : {"bpe:", "bpe:299", "bpe:9999999", "bpe:x", "bpe:-512", "char", "/no/such/file", "/tmp"}) {
    const absl::Status status = ParseTokenizerChoice(text).status();
    EXPECT_TRUE(IsUsageError(status)) << text;
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(text));
  }
}

}  // namespace
}  // namespace enigma::cli
