#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace enigma::eval {

struct WrongCaption {
  std::string image;
  std::string said;
  std::string right;  // one of those that are
};

// How often what was said of pictures is right. Plain data.
struct CaptionScore {
  uint64_t pictures = 0;
  uint64_t exact = 0;               // what was said is a right caption, letter by letter
  uint64_t last_words = 0;          // its last word is that of one: the noun of "a photo of a cat"
  std::vector<WrongCaption> wrong;  // the first kWrongCaptionsMax that are not exact

  // `captions`: all that are right, at least one.
  void Add(const std::string& image, const std::string& said, const std::vector<std::string>& captions);
  double exact_share() const { return Share(exact); }  // 0 where there are no pictures
  double last_word_share() const { return Share(last_words); }

 private:
  double Share(uint64_t count) const {
    return pictures == 0 ? 0 : static_cast<double>(count) / static_cast<double>(pictures);
  }
};
inline constexpr size_t kWrongCaptionsMax = 10;

}  // namespace enigma::eval
