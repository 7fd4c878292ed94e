#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

// PCRE2's types, so that its header (which wants a macro set before it) stays out of ours.
struct pcre2_real_code_8;
struct pcre2_real_match_data_8;
struct pcre2_real_match_context_8;

namespace enigma::engine {

// Cuts texts into pieces by regular expressions (see PreTokenizerRule). Immutable but for a counter; thread-safe.
class PreTokenizer {
 public:
  // An error quotes the pattern and the place in it.
  static absl::StatusOr<std::unique_ptr<PreTokenizer>> Create(const std::vector<std::string>& patterns);
  ~PreTokenizer();

  // Memory reused from one text to the next; one per thread at a time.
  class Workspace {
   public:
    explicit Workspace(const PreTokenizer& pre_tokenizer);
    ~Workspace();
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;

   private:
    friend class PreTokenizer;
    std::vector<pcre2_real_match_data_8*> match_data_;  // one per pattern
    pcre2_real_match_context_8* context_ = nullptr;
    std::vector<std::string_view> before_;
    std::vector<std::string_view> after_;
  };

  // Appends the pieces of `text` in order; joined they are `text`. Bytes that are not UTF-8 become pieces of their own.
  void Split(std::string_view text, Workspace& workspace, std::vector<std::string_view>& pieces) const;

  // How often a pattern ran into the bound on its work and a piece of fixed size was cut instead.
  uint64_t limit_hits() const { return limit_hits_.load(std::memory_order_relaxed); }

 private:
  PreTokenizer() = default;
  void SplitBy(size_t pattern, std::string_view text, Workspace& workspace,
               std::vector<std::string_view>& pieces) const;

  std::vector<pcre2_real_code_8*> codes_;
  mutable std::atomic<uint64_t> limit_hits_ = 0;
};

}  // namespace enigma::engine
