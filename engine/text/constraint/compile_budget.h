#pragma once

#include <cstddef>
#include <cstdint>

#include <absl/status/status.h>

namespace enigma::engine {

// What compiling one schema may cost. Counted in steps of work and in things built rather than in time, so that a
// schema is accepted or refused alike on every machine. The defaults end a hostile schema within about 100 ms.
struct ConstraintLimits {
  size_t schema_bytes_max = size_t{256} << 10;
  uint32_t json_nodes_max = 40'000;
  uint32_t json_depth_max = 64;
  uint64_t steps_max = 1'500'000;  // about 20 to 50 ns each
  uint64_t states_max = 120'000;   // of all automata together, about 60 bytes each
  uint32_t rules_max = 20'000;
  uint32_t alternatives_max = 256;  // of one place in the output, after anyOf, oneOf and allOf are multiplied out
};

// Hands out a compilation's allowance. Not thread-safe.
class CompileBudget {
 public:
  explicit CompileBudget(const ConstraintLimits& limits) : limits_(limits) {}

  // False once the allowance is used up; the caller then returns Exhausted().
  [[nodiscard]] bool Spend(uint64_t steps) {
    steps_ += steps;
    return steps_ <= limits_.steps_max;
  }
  [[nodiscard]] bool TakeStates(uint64_t states) {
    states_ += states;
    return states_ <= limits_.states_max && Spend(states);
  }
  absl::Status Exhausted() const {
    return absl::ResourceExhaustedError(
        "the schema is too complex: compiling it takes more work or memory than is allowed; use smaller repetitions, "
        "lengths and patterns, or fewer alternatives");
  }
  const ConstraintLimits& limits() const { return limits_; }

 private:
  const ConstraintLimits limits_;
  uint64_t steps_ = 0;
  uint64_t states_ = 0;
};

}  // namespace enigma::engine
