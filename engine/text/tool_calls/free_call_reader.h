#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/text/tool_calls/call_mark.h"
#include "engine/text/tool_calls/call_reader.h"
#include "engine/text/tool_calls/field_call.h"
#include "engine/text/tool_calls/json_extent.h"
#include "engine/text/tool_calls/tool_syntax.h"

namespace enigma::engine {

// Finds calls in an answer that may hold some or none. A call counts once it is there whole, names a tool that was
// offered, and has an object of arguments; what looks like one and is not stays text, so nothing is ever lost. From
// where a call may begin, text is held back until that is known.
//
// Marks are recognised without the white space around them, and white space between text and a call is dropped. A form
// without marks counts only where the answer begins with it. Arguments that a form writes as text become JSON as
// ArgumentFromText (argument_value.h) has it.
class FreeCallReader final : public CallReader {
 public:
  // Models that write bare JSON may put this token before it.
  static constexpr char kPythonTag[] = "<|python_tag|>";
  // What only looked like a call may have been read to the end of the answer, and is read again for the calls in it.
  // After so many of them an answer is text.
  static constexpr size_t kFailuresMax = 256;

  struct Options {
    ToolSyntax syntax;               // of no unknown shape
    std::vector<std::string> names;  // of the tools
    // JSON Schemas of their arguments, in the same order; null, and those missing, say nothing. Shared, because each of
    // the answers to one request has a reader.
    std::shared_ptr<const std::vector<nlohmann::ordered_json>> schemas = nullptr;
    size_t calls_max = ~size_t{0};  // more are read, and dropped
  };
  explicit FreeCallReader(Options options);

  ToolOutput Add(std::string_view text) override;
  ToolOutput Finish() override;

 private:
  struct Call {
    std::string name;
    std::string arguments;
  };
  // The calls that stand at one mark.
  struct Parsed {
    enum class Kind : uint8_t { kIncomplete, kNone, kCalls } kind = Kind::kIncomplete;
    std::vector<Call> calls;
    size_t end = 0;  // in the text that was parsed
  };

  void Read(bool final, ToolOutput& out);
  // Moves text to `out` up to where a call may begin; true when one does, at the front of pending_ behind white space.
  bool ReadText(bool final, ToolOutput& out);
  // True when the call is settled, one way or the other.
  bool ReadCall(bool final, ToolOutput& out);
  bool BeginsBare(bool final) const;
  // After calls: white space, and what closes all of them.
  bool SkipEnd(bool final);

  Parsed Parse(bool final);
  Parsed ParseObjects(std::string_view text, size_t at);
  Parsed ParseNamed(std::string_view text, size_t at);
  Parsed ParseFields(bool final);
  void ParseClose(std::string_view text, bool final, Parsed& parsed) const;
  std::optional<Call> CallOf(std::string_view json) const;
  Call CallOf(const FieldCall& fields) const;
  bool IsKnown(std::string_view name) const;

  const Options options_;
  const std::string begin_, open_, before_id_, separator_, close_, end_;  // the marks, trimmed
  const CallMark begin_mark_, open_mark_, name_mark_;
  std::vector<std::string> marks_;  // that calls begin with
  std::string pending_;
  JsonExtent extent_;  // of the call at its front
  FieldCall fields_;   // the same, of that shape
  bool in_call_ = false;
  bool after_call_ = false;
  bool at_start_ = true;  // nothing but white space and calls so far
  size_t calls_ = 0;
  size_t failures_ = 0;
};

}  // namespace enigma::engine
