#include "coordinator/gateway/openai/tools.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/text/tool_calls/mark_tokens.h"
#include "engine/text/tool_calls/strict_calls.h"

namespace enigma::coordinator {
namespace {

constexpr size_t kToolsMost = 128;
constexpr size_t kNameBytesMost = 64;
constexpr size_t kForcedCallsMost = 8;  // in one answer that must be calls

bool IsToolName(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMost && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
  });
}

// The function of one tool; what else it says goes to the template as it is.
void ReadTool(const Json& tool, size_t index, Fields& fields, ToolChoice& choice) {
  const std::string path = absl::StrCat("tools[", index, "]");
  Fields outer(tool, path);
  if (outer.Text("type") != "function") outer.Fail("type", "this server has tools of type 'function' only");
  const Json& function = outer.Any("function");
  fields.Adopt(outer.ok() ? absl::OkStatus() : outer.Finish());
  Fields inner(function, absl::StrCat(path, ".function"));
  const std::string name = inner.Text("name");
  if (!IsToolName(name)) {
    inner.Fail("name", absl::StrCat("1 to ", kNameBytesMost, " letters, digits, '_', '-' and '.' are wanted"));
  }
  const auto same = [&name](const Json& other) { return other["name"] == name; };
  if (std::any_of(choice.functions.begin(), choice.functions.end(), same)) {
    inner.Fail("name", absl::StrCat("two tools are called '", name, "'"));
  }
  inner.Text("description");
  const bool strict = inner.Flag("strict");
  const Json& parameters = inner.Any("parameters");
  if (!parameters.is_null() && !parameters.is_object()) inner.Fail("parameters", "a JSON schema is an object");
  if (!inner.ok()) return fields.Adopt(inner.Finish());
  choice.functions.push_back(Json{{"name", name}, {"parameters", parameters}, {"strict", strict}});
  choice.indices.push_back(index);
}

// Keeps the functions of these names only.
void Keep(const std::vector<std::string>& names, Fields& fields, ToolChoice& choice) {
  std::vector<Json> functions;
  std::vector<size_t> indices;
  for (const std::string& name : names) {
    const auto found = std::find_if(choice.functions.begin(), choice.functions.end(),
                                    [&name](const Json& function) { return function["name"] == name; });
    if (found == choice.functions.end()) {
      return fields.Fail("tool_choice", absl::StrCat("no tool is called '", name, "'"));
    }
    functions.push_back(*found);
    indices.push_back(choice.indices[static_cast<size_t>(found - choice.functions.begin())]);
  }
  choice.functions = std::move(functions);
  choice.indices = std::move(indices);
}

// The name in {"type": "function", "function": {"name": ...}}; empty where it is something else.
std::string NameIn(const Json& reference) {
  if (!reference.is_object() || !reference.contains("function") || !reference["function"].is_object()) return "";
  const Json& function = reference["function"];
  const bool named = function.contains("name") && function["name"].is_string();
  return named && reference.value("type", Json()) == "function" ? function["name"].get<std::string>() : "";
}

ToolChoice::Mode ModeOf(const Json& word, Fields& fields) {
  if (word == "none") return ToolChoice::Mode::kNone;
  if (word == "required") return ToolChoice::Mode::kRequired;
  if (word != "auto") {
    fields.Fail("tool_choice", "it is none, auto, required, or names a function of the tools");
  }
  return ToolChoice::Mode::kAuto;
}

// {"type": "allowed_tools", "allowed_tools": {"mode": ..., "tools": [...]}}
void ReadAllowed(const Json& allowed, Fields& fields, ToolChoice& choice) {
  const bool listed =
      allowed.is_object() && allowed.contains("mode") && allowed.contains("tools") && allowed["tools"].is_array();
  if (!listed) return fields.Fail("tool_choice", "allowed_tools has a mode and a list of tools");
  choice.mode = ModeOf(allowed["mode"], fields);
  std::vector<std::string> names;
  for (const Json& reference : allowed["tools"]) names.push_back(NameIn(reference));
  Keep(names, fields, choice);
}

void ReadChoice(Fields& fields, ToolChoice& choice) {
  const Json& given = fields.Any("tool_choice");
  choice.mode = choice.functions.empty() ? ToolChoice::Mode::kNone : ToolChoice::Mode::kAuto;
  if (given.is_null()) return;
  if (choice.functions.empty() && given != "none" && given != "auto") {
    return fields.Fail("tool_choice", "it goes with tools only");
  }
  if (choice.functions.empty()) return;
  if (given.is_string()) {
    choice.mode = ModeOf(given, fields);
  } else if (given.is_object() && given.value("type", Json()) == "allowed_tools") {
    ReadAllowed(given.contains("allowed_tools") ? given["allowed_tools"] : Json(), fields, choice);
  } else if (const std::string name = NameIn(given); !name.empty()) {
    choice.mode = ToolChoice::Mode::kRequired;
    Keep({name}, fields, choice);
    choice.several = false;
  } else {
    fields.Fail("tool_choice", "it is none, auto, required, or names a function of the tools");
  }
}

std::vector<std::string> NamesOf(const ToolChoice& choice) {
  std::vector<std::string> names;
  for (const Json& function : choice.functions) names.push_back(function["name"].get<std::string>());
  return names;
}

std::shared_ptr<const std::vector<Json>> SchemasOf(const ToolChoice& choice) {
  auto schemas = std::make_shared<std::vector<Json>>();
  for (const Json& function : choice.functions) schemas->push_back(function["parameters"]);
  return schemas;
}

bool IsStrict(const Json& function) { return function["strict"] == true; }

absl::Status CheckParameters(ControlPlane& plane, const ToolChoice& choice, bool strict_only = false) {
  for (size_t i = 0; i < choice.functions.size(); ++i) {
    const Json& parameters = choice.functions[i]["parameters"];
    if (parameters.is_null() || (strict_only && !IsStrict(choice.functions[i]))) continue;
    const absl::Status checked = plane.schemas.Check(parameters.dump());
    if (!checked.ok()) {
      return absl::Status(checked.code(),
                          absl::StrCat("tools[", choice.indices[i], "].function.parameters: ", checked.message()));
    }
  }
  return absl::OkStatus();
}

absl::Status Constrain(ControlPlane& plane, const std::string& schema, enigma::v1::GenerateRequest& request) {
  const absl::Status checked = plane.schemas.Check(schema);
  if (!checked.ok()) return absl::Status(checked.code(), absl::StrCat("tools: ", checked.message()));
  request.mutable_sampling()->set_json_schema(schema);
  return absl::OkStatus();
}

void ShowMarks(const engine::ToolSyntax& syntax, const engine::Tokenizer& tokenizer,
               enigma::v1::GenerateRequest& request) {
  for (const engine::TokenId id : engine::MarkTokens(tokenizer, syntax.Marks() + engine::FreeCallReader::kPythonTag)) {
    request.add_shown_tokens(id);
  }
}

// Holds the calls that an answer may have to the schemas of the strict tools.
absl::Status HoldStrictCalls(ControlPlane& plane, engine::ToolSyntax syntax, const engine::Tokenizer& tokenizer,
                             const ToolChoice& choice, enigma::v1::GenerateRequest& request) {
  if (!engine::CanHoldCalls(syntax)) {
    const auto strict = std::find_if(choice.functions.begin(), choice.functions.end(), &IsStrict);
    return absl::InvalidArgumentError(absl::StrCat(
        "tools[", choice.indices[static_cast<size_t>(strict - choice.functions.begin())],
        "].function.strict: this model writes the arguments of calls in a form that is no JSON, and cannot "
        "be held to a schema in it; leave strict out, or have tool_choice ask for a call"));
  }
  ENIGMA_RETURN_IF_ERROR(CheckParameters(plane, choice, /*strict_only=*/true));
  // What ends generation is no text, and ends a call as well as its mark.
  syntax.close = engine::BeforeEndOfGeneration(tokenizer, syntax.close);
  syntax.end = engine::BeforeEndOfGeneration(tokenizer, syntax.end);
  return Constrain(plane, engine::SchemaOfStrictCalls(syntax, choice.functions, choice.several), request);
}

}  // namespace

bool ToolChoice::HasStrict() const { return std::any_of(functions.begin(), functions.end(), &IsStrict); }

ToolChoice ReadTools(Fields& fields) {
  ToolChoice choice;
  choice.several = fields.Flag("parallel_tool_calls", true);
  const Json& tools = fields.Any("tools");
  if (!tools.is_null() && !tools.is_array()) fields.Fail("tools", "a list of tools is wanted");
  if (tools.is_array() && tools.size() > kToolsMost)
    fields.Fail("tools", absl::StrCat("at most ", kToolsMost, " tools"));
  for (size_t i = 0; tools.is_array() && i < tools.size() && fields.ok(); ++i) ReadTool(tools[i], i, fields, choice);
  if (fields.ok()) ReadChoice(fields, choice);
  // A model that is shown tools calls them.
  if (choice.mode != ToolChoice::Mode::kNone) choice.tools = tools;
  return choice;
}

std::unique_ptr<engine::CallReader> ToolPlan::MakeReader() const {
  if (forced) return std::make_unique<engine::ForcedCallReader>(*forced);
  if (free) return std::make_unique<engine::FreeCallReader>(*free);
  return nullptr;
}

absl::StatusOr<ToolPlan> PlanTools(ControlPlane& plane, const engine::ChatTemplate& chat,
                                   const engine::Tokenizer& tokenizer, const ToolChoice& choice,
                                   enigma::v1::GenerateRequest& request) {
  ToolPlan plan;
  if (choice.mode == ToolChoice::Mode::kNone) return plan;
  if (choice.mode == ToolChoice::Mode::kRequired) {
    ENIGMA_RETURN_IF_ERROR(CheckParameters(plane, choice));
    plan.forced = engine::PlanForcedCalls(chat.abilities().tools ? chat.tool_syntax() : engine::ToolSyntax(),
                                          choice.functions, choice.several ? kForcedCallsMost : 1);
    plan.prefill = plan.forced->prefill;
    ENIGMA_RETURN_IF_ERROR(Constrain(plane, plan.forced->json_schema, request));
    return plan;
  }
  engine::FreeCallReader::Options reader;
  reader.names = NamesOf(choice);
  reader.schemas = SchemasOf(choice);
  if (!choice.several) reader.calls_max = 1;
  reader.syntax = chat.abilities().tools ? chat.tool_syntax() : engine::ToolSyntax();
  const bool has_form = chat.abilities().tools && chat.abilities().tool_calls;
  if (request.sampling().has_json_schema()) {
    ENIGMA_RETURN_IF_ERROR(CheckParameters(plane, choice));
    ENIGMA_RETURN_IF_ERROR(
        Constrain(plane, engine::SchemaOfCallOr(choice.functions, request.sampling().json_schema()), request));
    reader.syntax = engine::ToolSyntax::PlainJson();
  } else if (reader.syntax.shape == engine::ToolSyntax::Shape::kUnknown) {
    if (!has_form) {
      reader.syntax = engine::ToolSyntax::PlainJson();
    } else if (!choice.HasStrict()) {
      return plan;  // the form is one that is not read
    }
  }
  if (choice.HasStrict() && !request.sampling().has_json_schema()) {
    ENIGMA_RETURN_IF_ERROR(HoldStrictCalls(plane, reader.syntax, tokenizer, choice, request));
  }
  ShowMarks(reader.syntax, tokenizer, request);
  plan.free = std::move(reader);
  return plan;
}

}  // namespace enigma::coordinator
