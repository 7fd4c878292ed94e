#include "cli/command/number_rule.h"

#include <cstdio>

namespace enigma::cli {

namespace {

// Bounds at least so large are the type's own, which nobody has to be told.
constexpr long double kUnboundedReal = 1e30L;

std::string BoundText(long double bound, bool whole) {
  char text[64];
  std::snprintf(text, sizeof text, whole ? "%.0Lf" : "%Lg", bound);
  return text;
}

}  // namespace

std::string NumberRule::Allowed() const {
  if (whole) return "a whole number from " + BoundText(low, whole) + " to " + BoundText(high, whole);
  std::string text = "a number";
  if (low > -kUnboundedReal) text += (above ? " above " : " from ") + BoundText(low, whole);
  if (high >= kUnboundedReal) return above || low <= -kUnboundedReal ? text : text + " up";
  return text + (above ? " and at most " : " to ") + BoundText(high, whole);
}

}  // namespace enigma::cli
