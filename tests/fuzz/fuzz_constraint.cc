// A JSON Schema from a stranger, and behind the first zero byte an output to match against it.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/text/constraint/grammar.h"
#include "engine/text/constraint/pushdown.h"

namespace {

using namespace enigma::engine;

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const size_t schema_end = std::min(bytes.find('\0'), size);
  ConstraintLimits limits;
  limits.steps_max = 200'000;  // thousands of inputs a second find more than a few large ones
  const auto grammar = Grammar::FromJsonSchema(bytes.substr(0, schema_end), limits);
  if (!grammar.ok()) {
    Require(!grammar.status().message().empty());
    return 0;
  }
  ByteMatcher whole(**grammar);
  ByteMatcher bytewise(**grammar);
  const std::string_view output = bytes.substr(std::min(schema_end + 1, size), 4096);
  bool alive = true;
  for (size_t i = 0; i < output.size() && alive; ++i) alive = bytewise.Accept(output.substr(i, 1));
  const bool accepted = whole.Accept(output);
  if (whole.Overflowed() || bytewise.Overflowed()) return 0;
  Require(accepted == alive);
  if (!accepted) return 0;
  Require(whole.MayEnd() == bytewise.MayEnd());
  // No allowed beginning is a dead end: it is complete, or some byte continues it.
  bool continues = false;
  for (int byte = 0; byte < 256 && !continues; ++byte) {
    const char c = static_cast<char>(byte);
    ByteMatcher probe = whole;
    continues = probe.Accept({&c, 1});
  }
  Require(continues || whole.MayEnd());
  Require(!whole.MustEnd() || !continues);
  return 0;
}
