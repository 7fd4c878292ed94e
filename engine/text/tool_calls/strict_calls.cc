#include "engine/text/tool_calls/strict_calls.h"

#include <string_view>
#include <utility>

#include <absl/strings/str_cat.h>

#include "engine/text/tool_calls/call_mark.h"
#include "engine/text/tool_calls/forced_calls.h"
#include "engine/text/tool_calls/free_call_reader.h"

namespace enigma::engine {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kListedCallsMax = 128;  // in one list

std::string Trimmed(std::string_view mark) { return std::string(TrimmedToolText(mark)); }

// Appends a mark, to the last word where the template writes no white space between them.
void AddWord(std::string_view mark, std::vector<std::string>& words) {
  const std::string trimmed = Trimmed(mark);
  if (trimmed.empty()) return;
  if (mark.front() != trimmed.front()) {
    words.push_back(trimmed);
  } else {
    words.back() += trimmed;
  }
}

// The functions, with any object for the arguments of those that are not strict.
std::vector<Json> HeldFunctions(const std::vector<Json>& functions) {
  std::vector<Json> held = functions;
  for (Json& function : held) {
    if (!function.value("strict", false)) function["parameters"] = Json{{"type", "object"}};
  }
  return held;
}

// The marks that FreeCallReader looks for, and what it wants to see behind them.
Json MarksJson(const ToolSyntax& syntax) {
  const std::string begin = Trimmed(syntax.begin);
  const std::string open = Trimmed(syntax.open);
  Json marks = Json::array();
  if (!begin.empty()) marks.push_back({{"text", begin}, {"then", open}});
  if (!open.empty()) marks.push_back({{"text", open}});
  if (open.empty() && syntax.shape == ToolSyntax::Shape::kObject) {
    marks.push_back({{"text", FreeCallReader::kPythonTag}});
  }
  return marks;
}

}  // namespace

bool CanHoldCalls(const ToolSyntax& syntax) {
  return syntax.shape == ToolSyntax::Shape::kObject || syntax.shape == ToolSyntax::Shape::kNamed;
}

std::string SchemaOfStrictCalls(const ToolSyntax& syntax, const std::vector<Json>& functions, bool several) {
  const std::vector<Json> held = HeldFunctions(functions);
  Json form = {{"marks", MarksJson(syntax)}, {"calls", Json::array()}, {"bare", false}};
  Json definitions = Json::object();
  if (syntax.shape == ToolSyntax::Shape::kNamed) {
    for (size_t i = 0; i < held.size(); ++i) {
      const std::string at = absl::StrCat("tool", i);
      const std::string place = absl::StrCat("#/$defs/", at);
      definitions[at] = ArgumentsSchema(held[i], place);
      Json call = {{"value", {{"allOf", {{{"type", "object"}}, {{"$ref", place}}}}}}};
      std::vector<std::string> words = {held[i]["name"].get<std::string>()};
      const bool has_id = !Trimmed(syntax.before_id).empty();
      AddWord(has_id ? syntax.before_id : syntax.separator, words);
      call["words"] = words;
      if (has_id) call["behind_id"] = Trimmed(syntax.separator);
      form["calls"].push_back(std::move(call));
    }
  } else {
    Json value = Json::parse(PlanForcedCalls(syntax, held, several ? kListedCallsMax : 1).json_schema);
    definitions = std::move(value["$defs"]);
    value.erase("$defs");
    form["calls"].push_back({{"value", std::move(value)}});
    form["bare"] = Trimmed(syntax.open).empty();
    form["bare_list"] = syntax.list;
  }
  form["close"] = Trimmed(syntax.close);
  form["end"] = Trimmed(syntax.end);
  // A bare list holds all the calls of its answer.
  form["several"] = several && !(syntax.list && form["bare"] == true);
  form["control"] = syntax.Marks() + FreeCallReader::kPythonTag;
  const Json schema = {{"$calls", std::move(form)}, {"$defs", std::move(definitions)}};
  return schema.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace enigma::engine
