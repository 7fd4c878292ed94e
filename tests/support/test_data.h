#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace enigma::testing {

// The path of a file of the shared test data: under $ENIGMA_TEST_DATA, else under ../shared/data beside the source
// tree. Empty when it is not there; use ENIGMA_REQUIRE_DATA, which then skips the test with a sentence.
std::optional<std::string> TestDataPath(std::string_view relative);

std::string ReadFileOrDie(const std::string& path);

}  // namespace enigma::testing

#define ENIGMA_REQUIRE_DATA(variable, relative)                                                        \
  const auto variable##_or = ::enigma::testing::TestDataPath(relative);                                \
  if (!variable##_or) GTEST_SKIP() << "test data absent: " << (relative) << " (set ENIGMA_TEST_DATA)"; \
  const std::string& variable = *variable##_or
