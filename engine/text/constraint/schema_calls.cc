// The part of SchemaCompiler for outputs that are a text with calls of tools in it. The document says so at its root,
// by a keyword of this server's own beside "$defs":
//
//   {"$calls": {"marks": [{"text": "<tool_call>", "then": ""}],
//               "calls": [{"words": [], "behind_id": "", "value": SCHEMA}],
//               "close": "</tool_call>", "end": "", "bare": false, "bare_list": false, "several": true,
//               "control": "<tool_call></tool_call>"},
//    "$defs": {...}}
//
// Its members are those of CallForm, and "control" is TextRule::marks; what is left out is empty or false.
// engine/text/tool_calls/strict_calls writes it.

#include <algorithm>
#include <string_view>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/text/constraint/schema_compiler.h"
#include "engine/text/constraint/text_rule.h"

namespace enigma::engine {
namespace {

// Reads members of one object, and notes the first that is not as it should be.
class Members {
 public:
  Members(const JsonTree& tree, const JsonNode& object) : tree_(tree), object_(object) {}

  std::string Text(const char* name) { return Read(name, &JsonNode::IsString, &JsonNode::text); }
  bool Flag(const char* name) {
    const JsonNode* member = Member(name, &JsonNode::IsBool);
    return member != nullptr && member->kind == JsonNode::Kind::kTrue;
  }
  std::vector<const JsonNode*> List(const char* name) { return Read(name, &JsonNode::IsArray, &JsonNode::children); }
  const JsonNode* Schema(const char* name) {
    known_.emplace_back(name);
    const JsonNode* member = object_.Find(name);
    if (member == nullptr) status_.Update(Wrong(name));
    return member;
  }
  absl::Status Finish() const {
    for (const std::string& key : object_.keys) {
      if (std::find(known_.begin(), known_.end(), key) == known_.end()) return Wrong(key);
    }
    return object_.IsObject() ? status_ : Wrong("");
  }

 private:
  using Is = bool (JsonNode::*)() const;

  const JsonNode* Member(const char* name, Is is) {
    known_.emplace_back(name);
    const JsonNode* member = object_.Find(name);
    if (member == nullptr || (member->*is)()) return member;
    status_.Update(Wrong(name));
    return nullptr;
  }
  template <typename T>
  T Read(const char* name, Is is, T JsonNode::*part) {
    const JsonNode* member = Member(name, is);
    return member == nullptr ? T() : member->*part;
  }
  absl::Status Wrong(std::string_view name) const {
    return absl::InvalidArgumentError(
        absl::StrCat(tree_.PathOf(object_, name), ": this is no part of a form of calls"));
  }

  const JsonTree& tree_;
  const JsonNode& object_;
  std::vector<std::string> known_;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const Grammar>> SchemaCompiler::RunCalls(const JsonNode& calls) {
  for (const std::string& key : tree_.root().keys) {
    if (key != "$calls" && key != "$defs") {
      return absl::InvalidArgumentError(absl::StrCat(tree_.PathOf(tree_.root(), key), ": it does not go with $calls"));
    }
  }
  CallForm form;
  Members members(tree_, calls);
  form.close = members.Text("close");
  form.end = members.Text("end");
  form.bare = members.Flag("bare");
  form.bare_list = members.Flag("bare_list");
  form.several = members.Flag("several");
  std::string control = members.Text("control");
  for (const JsonNode* mark : members.List("marks")) {
    Members parts(tree_, *mark);
    form.marks.push_back({.text = parts.Text("text"), .then = parts.Text("then")});
    ENIGMA_RETURN_IF_ERROR(parts.Finish());
    if (form.marks.back().text.empty()) return absl::InvalidArgumentError("$calls: a mark without a text");
  }
  for (const JsonNode* call : members.List("calls")) {
    Members parts(tree_, *call);
    CallForm::Call& made = form.calls.emplace_back();
    for (const JsonNode* word : parts.List("words")) {
      if (word->text.empty()) return absl::InvalidArgumentError("$calls: a word without a text");
      made.words.push_back(word->text);
    }
    made.behind_id = parts.Text("behind_id");
    const JsonNode* value = parts.Schema("value");
    ENIGMA_RETURN_IF_ERROR(parts.Finish());
    ENIGMA_ASSIGN_OR_RETURN(made.slot, SlotFor({value}));
  }
  ENIGMA_RETURN_IF_ERROR(members.Finish());
  ENIGMA_ASSIGN_OR_RETURN(TextRule text, MakeTextRule(form, budget_));
  text.marks = std::move(control);
  ENIGMA_RETURN_IF_ERROR(FillSlots());
  return builder_.Finish(std::move(text));
}

}  // namespace enigma::engine
