#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/tool_calls/call_mark.h"
#include "engine/text/tool_calls/tool_syntax.h"

namespace enigma::engine {

// Follows one call of the shape ToolSyntax::kFields, from its name on, in a text that grows. Goes on where it stopped,
// so an answer costs one pass over it. Not thread-safe.
//
// Nothing is escaped in such a form. What closes a value is therefore taken for a part of it unless a further argument
// or the end of the call follows. Of the marks that close the call the first is needed, but for its end where the
// answer ends in it; the others are often forgotten.
class FieldCall {
 public:
  static constexpr size_t kFieldsMax = 1024;  // no call has more arguments

  struct Field {
    std::string key;
    std::string value;  // as it was written, but for the white space that the template puts around it
  };
  enum class State : uint8_t { kIncomplete, kNone, kWhole };

  explicit FieldCall(const ToolSyntax& syntax);

  // `text` is what it was at the last call since Reset(), and perhaps longer; `begin`, the same, is where the name
  // begins. `final`: the text will not grow any more.
  State Read(std::string_view text, size_t begin, bool final);
  void Reset();

  const std::string& name() const { return name_; }  // empty until it is known
  const std::vector<Field>& fields() const { return fields_; }
  size_t end() const { return end_; }  // of a call that is whole, in the text

 private:
  enum class Phase : uint8_t { kName, kBehindName, kKey, kValue, kBehindValue, kDone };

  // Each goes one phase on (kYes), waits (kMaybe), or finds that this is no call (kNo).
  MarkFound ReadName(std::string_view text, size_t begin);
  MarkFound ReadBehind(std::string_view text, bool final);
  MarkFound ReadKey(std::string_view text);
  MarkFound ReadValue(std::string_view text);
  CallMark::Match CloseAt(std::string_view text, size_t at, bool final) const;
  void Keep(std::string_view text);

  const CallMark name_close_, key_open_, key_close_, value_close_, close_;
  const std::string space_before_value_, space_behind_value_;  // that the template writes
  Phase phase_ = Phase::kName;
  size_t next_ = 0;  // what has to be looked at next
  size_t value_begin_ = 0;
  size_t value_end_ = 0;
  size_t end_ = 0;
  std::string name_;
  std::string key_;
  std::vector<Field> fields_;
};

}  // namespace enigma::engine
