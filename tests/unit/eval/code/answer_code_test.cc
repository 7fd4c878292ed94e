#include "eval/code/answer_code.h"

#include <gtest/gtest.h>

namespace enigma::eval {
namespace {

TEST(CodeInAnswer, IsTheWholeAnswerWithoutAFence) {
  EXPECT_EQ(CodeInAnswer(" def f(x):\n    return x"), "def f(x):\n    return x");
  EXPECT_EQ(CodeInAnswer("\n\nimport math\ndef f():\n    pass\n"), "import math\ndef f():\n    pass\n");
  EXPECT_EQ(CodeInAnswer(""), "");
  EXPECT_EQ(CodeInAnswer(" \n "), "");
}

TEST(CodeInAnswer, IsTheFirstFencedBlock) {
  EXPECT_EQ(CodeInAnswer("Here you are:\n```python\ndef f():\n    pass\n```\nIt does nothing.\n```\nf()\n```"),
            "def f():\n    pass\n");
  EXPECT_EQ(CodeInAnswer("```\nx = 1\n```"), "x = 1\n");
  EXPECT_EQ(CodeInAnswer("~~~py\nx = '```'\n~~~"), "x = '```'\n");
  EXPECT_EQ(CodeInAnswer("  ```py\n  x = 1\n  ```"), "  x = 1\n  ");
}

TEST(CodeInAnswer, EndsWithTheAnswerWhereAFenceIsNotClosed) {
  EXPECT_EQ(CodeInAnswer("```python\nx = 1"), "x = 1");
  EXPECT_EQ(CodeInAnswer("```python"), "");
}

TEST(CodeInAnswer, KnowsAFenceByItsPlaceInTheLine) { EXPECT_EQ(CodeInAnswer("x = '```'\ny = 2"), "x = '```'\ny = 2"); }

}  // namespace
}  // namespace enigma::eval
