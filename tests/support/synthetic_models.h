#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <string_view>

namespace enigma::testing {

// Path of a GGUF file with random weights: `shape` and `type` as SynthesiseModel takes them, and two shapes more,
// "tiny-windowed" (every layer sees 19 tokens) and "tiny-stretched" (rotation divided per pair, as in Llama 3.1).
// Written once per process, to a temporary directory that goes when the process ends. Dies when it cannot be written.
// Thread-safe.
std::string SyntheticModelPath(std::string_view shape, std::string_view type);

// A model that a suite is run over: synthetic, or, with an empty type, a file of the shared data ("stories260K").
struct TestModel {
  std::string shape;
  std::string type;

  std::string name() const;  // fit for the name of a test
  // Empty when the shared data are absent.
  std::optional<std::string> Path() const;
};
inline void PrintTo(const TestModel& model, std::ostream* out) { *out << model.name(); }

}  // namespace enigma::testing

#define ENIGMA_REQUIRE_MODEL(variable, model)                                                             \
  const auto variable##_or = (model).Path();                                                              \
  if (!variable##_or) GTEST_SKIP() << "test data absent: " << (model).shape << " (set ENIGMA_TEST_DATA)"; \
  const std::string& variable = *variable##_or
