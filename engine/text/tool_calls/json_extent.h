#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace enigma::engine {

// Values deeper than this are no arguments of a call.
inline constexpr int kToolJsonDepthMax = 64;

// Looks for the end of a JSON object or list in a text that grows; each byte is looked at once. Sees brackets and
// strings only.
class JsonExtent {
 public:
  // Where the value that begins at `begin` ends; npos while it has not. Nothing where no object or list begins there,
  // or one nests too deep. Goes on where it stopped when `begin` is the same as before, and `text` then only longer.
  std::optional<size_t> EndIn(std::string_view text, size_t begin);
  void Reset() { begin_ = std::string_view::npos; }

 private:
  size_t begin_ = std::string_view::npos;
  size_t next_ = 0;
  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
};

// The same of a text that is whole.
inline std::optional<size_t> EndOfJson(std::string_view text, size_t begin) { return JsonExtent().EndIn(text, begin); }

}  // namespace enigma::engine
