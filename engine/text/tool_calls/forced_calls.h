#pragma once

#include <string>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>
#include <nlohmann/json.hpp>

#include "engine/text/tool_calls/call_reader.h"
#include "engine/text/tool_calls/tool_syntax.h"

namespace enigma::engine {

// An answer that is to be calls and nothing else, held to it by a schema.
struct ForcedCalls {
  std::string prefill;  // goes behind the prompt: the model's own marks before a call
  std::string json_schema;
  // How the answer is to be read: as arguments alone where a name is set, else as objects with these keys.
  std::string name;
  bool list = false;
  bool wrapped = false;
  std::string name_key;
  std::string arguments_key;
};

// One call of one of `functions` (objects with "name" and "parameters", a JSON Schema or nothing for no arguments), or
// up to `calls_max` where the syntax has lists. A syntax that is no JSON (kUnknown, kFields) stands for plain JSON.
ForcedCalls PlanForcedCalls(const ToolSyntax& syntax, const std::vector<nlohmann::ordered_json>& functions,
                            size_t calls_max);

// The schema of an answer that is either a call, as ToolSyntax::PlainJson, or JSON of `answer_schema` (a JSON Schema,
// or
// "" for any object).
std::string SchemaOfCallOr(const std::vector<nlohmann::ordered_json>& functions, const std::string& answer_schema);

// The schema of the arguments of `function`, which are an object in any case, as it reads at `place` (#/$defs/NAME).
nlohmann::ordered_json ArgumentsSchema(const nlohmann::ordered_json& function, const std::string& place);

// `schema` with every reference into itself (#/...) leading below `place` (#/$defs/NAME) instead.
nlohmann::ordered_json MovedSchema(const nlohmann::ordered_json& schema, const std::string& place);

// Reads what such an answer holds while it is made: the arguments are passed on as they come. Not thread-safe.
class ForcedCallReader final : public CallReader {
 public:
  explicit ForcedCallReader(ForcedCalls calls) : calls_(std::move(calls)) {}

  ToolOutput Add(std::string_view text) override;
  ToolOutput Finish() override { return {}; }

 private:
  void Read(char c, ToolOutput& out);
  void ReadString(char c);
  void EndString();
  void Open(ToolOutput& out);
  bool IsCallLevel() const { return depth_ == 1 + (calls_.list ? 1 : 0) + (calls_.wrapped ? 1 : 0); }
  void Emit(char c, ToolOutput& out);

  const ForcedCalls calls_;
  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  bool is_value_ = false;  // behind a colon at the level of the call
  bool in_arguments_ = false;
  std::string string_;  // the one being read, or read last, at the level of the call
  std::string key_;
  std::string name_;
  size_t begun_ = 0;  // calls
};

}  // namespace enigma::engine
