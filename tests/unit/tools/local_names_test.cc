// What tools/local_names takes for one name in two files.
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/process.h"

namespace enigma::testing {
namespace {

using ::testing::HasSubstr;

class LocalNamesTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text) const {
    const std::filesystem::path path = folder_.path() + "/" + name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  // A file whose unnamed namespace holds this.
  void WriteOwn(const std::string& name, const std::string& own, const std::string& space = "enigma::part") const {
    Write(name,
          "namespace " + space + " {\nnamespace {\n\n" + own + "\n}  // namespace\n\n}  // namespace " + space + "\n");
  }
  std::string Found() const {
    const RunResult result = RunCommand({ENIGMA_SOURCE_DIR "/tools/local_names", folder_.path()});
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(result.err, "");
    return result.out;
  }

  TemporaryDirectory folder_;
};

TEST_F(LocalNamesTest, TwoFilesOfATargetThatIsCompiledAsOneHaveNoNameInCommon) {
  Write("part/CMakeLists.txt",
        "enigma_library(part BATCHED\n  SOURCES one.cc two.cc  # both\n    sub/three.cc\n  DEPS x)\n");
  WriteOwn("part/one.cc", "absl::StatusOr<std::vector<int>> SizeOf(const A& a) { return 1; }\n");
  WriteOwn("part/two.cc", "int SizeOf(const B& b);\n\nint Other(const B& b) { return SizeOf(b); }\n");
  WriteOwn("part/sub/three.cc", "int sizes[] = {SizeOf(b)};\n");
  EXPECT_EQ(Found(),
            "part/two.cc:4: SizeOf is a name of part/one.cc:4 too, which is compiled with it (part): rename one, or "
            "share what is the same\n");
}

TEST_F(LocalNamesTest, ItKnowsEveryKindOfDeclaration) {
  Write("CMakeLists.txt", "enigma_test(part PCH grpc SOURCES one.cc two.cc DEPS x)\n");
  const std::string declarations =
      "constexpr std::array<int, 3> kSizes = {1, 2, 3};\nconst char* const kNames[] = {\"a\"};\nclass Reader {\n};\n"
      "enum class Kind { kA };\nstruct Pair;\ntemplate <typename T>\nstd::map<int, T>& MapOf(T& t) {\n}\n"
      "MATCHER_P(Holds, what, \"\") { return true; }\n[[noreturn]] void Refuse(const char* why) {\n}\n";
  WriteOwn("one.cc", declarations + "using Number = int;\n");
  WriteOwn("two.cc", declarations + "using Number = long;\n");
  const std::string found = Found();
  for (const char* name : {"kSizes", "kNames", "Reader", "Kind", "Pair", "MapOf", "Holds", "Refuse", "Number"}) {
    EXPECT_THAT(found, HasSubstr(std::string(": ") + name + " is a name of one.cc")) << found;
  }
}

TEST_F(LocalNamesTest, WhatIsNoClashIsNotTold) {
  Write("CMakeLists.txt",
        "enigma_library(part BATCHED SOURCES one.cc two.cc)\nenigma_library(other BATCHED SOURCES three.cc)\n"
        "enigma_library(apart SOURCES four.cc five.cc six.cc APART six.cc)\n");
  WriteOwn("one.cc",
           "using Json = nlohmann::json;\nusing std::string;\nconstexpr int kOne = 1;\nbool operator==(A a, A b) {\n}\n"
           "const char kText[] = R\"(\nkTwo = 2\n)\";\nTEST(A, B) {\n}\nint A::Size() {\n}\n");
  WriteOwn("two.cc",
           "using Json = nlohmann::json;\nusing std::string;\nconstexpr int kTwo = 1;\nbool operator==(B a, B b) {\n}\n"
           "TEST(A, C) {\n}\nint B::Size() {\n}\n");
  WriteOwn("three.cc", "constexpr int kOne = 1;\n");
  WriteOwn("four.cc", "constexpr int kOne = 1;\n");
  WriteOwn("five.cc", "constexpr int kOne = 1;\n");
  WriteOwn("six.cc", "constexpr int kOne = 1;\n");
  EXPECT_EQ(Found(), "");
  WriteOwn("two.cc", "constexpr int kOne = 1;\n", "enigma::elsewhere");
  EXPECT_EQ(Found(), "");
  Write("late/CMakeLists.txt", "enigma_batches(enigma_apart 8)\n");
  EXPECT_EQ(
      Found(),
      "five.cc:4: kOne is a name of four.cc:4 too, which is compiled with it (apart): rename one, or share what is "
      "the same\n");
}

}  // namespace
}  // namespace enigma::testing
