#include "cli/input/duration_text.h"

#include <charconv>
#include <cstdint>

namespace enigma::cli {

namespace {

constexpr uint64_t kSecondsMax = uint64_t{10} * 365 * 24 * 3600;

uint64_t SecondsOf(char unit) {
  switch (unit) {
    case 's':
      return 1;
    case 'm':
      return 60;
    case 'h':
      return 3600;
    case 'd':
      return 24 * 3600;
    case 'w':
      return 7 * 24 * 3600;
    default:
      return 0;
  }
}

}  // namespace

std::optional<absl::Duration> ReadDuration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const uint64_t unit = SecondsOf(text.back());
  const char* const digits_end = text.data() + text.size() - 1;
  uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), digits_end, count);
  if (unit == 0 || error != std::errc() || end != digits_end) return std::nullopt;
  if (count == 0 || count > kSecondsMax / unit) return std::nullopt;
  return absl::Seconds(static_cast<int64_t>(count * unit));
}

std::string DurationComplaint(const std::string& text) {
  if (ReadDuration(text)) return "";
  return "\"" + text + "\" is not a whole number with s, m, h, d or w behind it, such as 30d, up to ten years";
}

}  // namespace enigma::cli
