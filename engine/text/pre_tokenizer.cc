#include "engine/text/pre_tokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/utf8.h"

namespace enigma::engine {
namespace {

// The patterns in use need a few steps per character; the bounds are for texts on which backtracking would not end.
constexpr uint32_t kStepsMax = 10'000'000;
constexpr uint32_t kHeapKibMax = 64 * 1024;
// What is cut where a bound was hit, in bytes.
constexpr size_t kFallbackPieceBytes = 4096;

PCRE2_SPTR8 Subject(std::string_view text) { return reinterpret_cast<PCRE2_SPTR8>(text.data()); }

std::string PcreMessage(int code) {
  PCRE2_UCHAR8 buffer[256];
  if (pcre2_get_error_message_8(code, buffer, sizeof(buffer)) < 0) return absl::StrCat("PCRE2 error ", code);
  return reinterpret_cast<const char*>(buffer);
}

size_t InvalidUtf8Prefix(std::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    const Utf8Step step = ReadUtf8(bytes.substr(at));
    if (step.kind == Utf8Step::Kind::kCharacter) break;
    at += step.length;
  }
  return at;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PreTokenizer>> PreTokenizer::Create(const std::vector<std::string>& patterns) {
  std::unique_ptr<PreTokenizer> made(new PreTokenizer);
  for (const std::string& pattern : patterns) {
    int error = 0;
    PCRE2_SIZE error_at = 0;
    pcre2_code_8* code = pcre2_compile_8(Subject(pattern), pattern.size(), PCRE2_UTF | PCRE2_UCP | PCRE2_DOLLAR_ENDONLY,
                                         &error, &error_at, nullptr);
    if (code == nullptr) {
      return absl::InternalError(
          absl::StrCat("pre-tokenizer pattern '", pattern, "', at ", error_at, ": ", PcreMessage(error)));
    }
    made->codes_.push_back(code);
    // Where machine code may not be made, the same code is interpreted: slower, not different.
    pcre2_jit_compile_8(code, PCRE2_JIT_COMPLETE);
  }
  return made;
}

PreTokenizer::~PreTokenizer() {
  for (pcre2_code_8* code : codes_) pcre2_code_free_8(code);
}

PreTokenizer::Workspace::Workspace(const PreTokenizer& pre_tokenizer)
    : context_(pcre2_match_context_create_8(nullptr)) {
  pcre2_set_match_limit_8(context_, kStepsMax);
  pcre2_set_heap_limit_8(context_, kHeapKibMax);
  for (const pcre2_code_8* code : pre_tokenizer.codes_) {
    match_data_.push_back(pcre2_match_data_create_from_pattern_8(code, nullptr));
  }
}

PreTokenizer::Workspace::~Workspace() {
  for (pcre2_match_data_8* match_data : match_data_) pcre2_match_data_free_8(match_data);
  pcre2_match_context_free_8(context_);
}

void PreTokenizer::SplitBy(size_t pattern, std::string_view text, Workspace& workspace,
                           std::vector<std::string_view>& pieces) const {
  const pcre2_code_8* code = codes_[pattern];
  pcre2_match_data_8* match_data = workspace.match_data_[pattern];
  size_t at = 0;
  while (at < text.size()) {
    const auto match = [&](uint32_t options) {
      return pcre2_match_8(code, Subject(text), text.size(), at, PCRE2_NO_UTF_CHECK | options, match_data,
                           workspace.context_);
    };
    int found = match(0);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) found = match(PCRE2_NO_JIT);  // the interpreter backtracks on the heap
    if (found == PCRE2_ERROR_NOMATCH) break;

    size_t begin = at;
    size_t end;
    if (found > 0) {
      const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer_8(match_data);
      begin = bounds[0];
      end = bounds[1];
      if (end <= begin) break;  // an empty match cuts nothing
    } else {
      limit_hits_.fetch_add(1, std::memory_order_relaxed);
      end = std::min(text.size(), at + kFallbackPieceBytes);
      while (end < text.size() && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) ++end;  // whole characters
    }
    if (begin > at) pieces.push_back(text.substr(at, begin - at));
    pieces.push_back(text.substr(begin, end - begin));
    at = end;
  }
  if (at < text.size()) pieces.push_back(text.substr(at));
}

void PreTokenizer::Split(std::string_view text, Workspace& workspace, std::vector<std::string_view>& pieces) const {
  while (!text.empty()) {
    const size_t valid = ValidUtf8Prefix(text);
    if (valid > 0) {
      std::vector<std::string_view>& before = workspace.before_;
      std::vector<std::string_view>& after = workspace.after_;
      before.assign(1, text.substr(0, valid));
      for (size_t pattern = 0; pattern < codes_.size(); ++pattern) {
        after.clear();
        for (const std::string_view piece : before) SplitBy(pattern, piece, workspace, after);
        before.swap(after);
      }
      pieces.insert(pieces.end(), before.begin(), before.end());
      text.remove_prefix(valid);
    }
    const size_t invalid = InvalidUtf8Prefix(text);
    if (invalid > 0) {
      pieces.push_back(text.substr(0, invalid));
      text.remove_prefix(invalid);
    }
  }
}

}  // namespace enigma::engine
