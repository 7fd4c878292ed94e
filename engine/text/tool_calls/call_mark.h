#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace enigma::engine {

// What means nothing around calls and their marks.
inline constexpr std::string_view kToolSpaces = " \t\r\n";

// Longer than this is no name of a tool or of an argument.
inline constexpr size_t kToolNameBytesMax = 256;

std::string_view TrimmedToolText(std::string_view text);
// The first byte at or behind `at` that is no white space; the size of `text` where there is none.
size_t SkipToolSpaces(std::string_view text, size_t at);

// Whether something stands in a text that grows: kMaybe where more text would tell.
enum class MarkFound : uint8_t { kNo, kMaybe, kYes };

// Whether exactly `mark` stands at `at`.
MarkFound FindMarkAt(std::string_view text, size_t at, std::string_view mark);

// A mark of several words, between which any white space may stand or none, since models do not keep to what their
// template has. Immutable.
class CallMark {
 public:
  struct Match {
    MarkFound found = MarkFound::kNo;
    size_t begin = 0;
    size_t end = 0;  // behind the mark, where it was found
  };

  // `mark` as a template writes it; white space around it is left out.
  explicit CallMark(std::string_view mark);

  bool empty() const { return words_.empty(); }
  const std::vector<std::string>& words() const { return words_; }
  Match At(std::string_view text, size_t at) const;
  // The first place at or behind `at`. With kMaybe, `begin` is the first byte that has to be looked at again.
  Match In(std::string_view text, size_t at) const;

 private:
  std::vector<std::string> words_;
};

}  // namespace enigma::engine
