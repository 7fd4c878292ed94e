#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "coordinator/routing/specialists.h"

// PCRE2's type, so that its header (which wants a macro set before it) stays out of ours.
struct pcre2_real_code_8;

namespace enigma::coordinator {

// Words and phrases that tell tasks apart without a model. A keyword counts where it stands as whole words, in upper or
// lower case, whatever space is between its words; in scripts that write no spaces between words (Han, kana, Thai, ...)
// it counts anywhere. Immutable, thread-safe.
class KeywordRules {
 public:
  // Bytes of a text that are looked at: so many of its head, and of its tail.
  static constexpr size_t kEndBytes = 8192;

  // INVALID_ARGUMENT names a task, and what is wrong with its keywords.
  static absl::StatusOr<KeywordRules> Create(const std::vector<Task>& tasks);
  KeywordRules(KeywordRules&&) noexcept;
  ~KeywordRules();

  struct Match {
    size_t task = 0;                 // its index
    std::vector<std::string> words;  // keywords of it that the text has, in the order of the registry
  };
  // The task with the most keywords in the text; of equals, the one with the longest, then the first. Nothing where no
  // keyword stands in the text.
  std::optional<Match> Find(std::string_view text) const;

 private:
  struct FreeCode {
    void operator()(pcre2_real_code_8* code) const;
  };
  using Code = std::unique_ptr<pcre2_real_code_8, FreeCode>;
  struct Rule {
    std::vector<std::string> keywords;
    // As many patterns as it takes, since each has a largest size: longer keywords in those before.
    std::vector<Code> codes;
  };
  static absl::Status Compile(const std::vector<std::string>& keywords, std::span<const size_t> order,
                              std::vector<Code>& codes);
  KeywordRules() = default;

  std::vector<Rule> rules_;  // one per task
};

}  // namespace enigma::coordinator
