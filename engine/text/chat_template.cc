#include "engine/text/chat_template.h"

#include <optional>
#include <vector>

#include <absl/status/status.h>

#include "base/status_macros.h"
#include "engine/text/chat_messages.h"
#include "engine/text/tool_calls/tool_messages.h"

namespace enigma::engine {

namespace {

using Json = nlohmann::ordered_json;

constexpr char kTemplateKey[] = "tokenizer.chat_template";
// Marks that no template has in its own text.
constexpr char kSystemMark[] = "enigma-probe-system";
constexpr char kUserMark[] = "enigma-probe-user";
constexpr char kSaidMark[] = "~enigma-probe-said";  // begins as no call does
constexpr char kResultMark[] = "enigma-probe-result";
constexpr char kToolMark[] = "enigma_probe_tool";  // that is offered
constexpr char kCallMark[] = "enigma_probe_call";  // that is called
constexpr char kArgumentMark[] = "enigma_probe_argument";

bool Contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

Json User(Json content) { return {{"role", "user"}, {"content", std::move(content)}}; }

Json TextParts(const char* text) { return Json::array({Json{{"type", "text"}, {"text", text}}}); }

constexpr char kShortId[] = "probe0001";  // some templates want nine characters
constexpr char kLongId[] = "call_enigma_probe_0001";

// An assistant's call of the marked tool, its arguments in the form given, as often as there are ids.
Json Call(const Json& arguments, Json content, const std::vector<const char*>& ids = {kShortId}) {
  Json calls = Json::array();
  for (const char* id : ids) {
    Json function = {{"name", kCallMark}, {"arguments", arguments}};
    calls.push_back({{"id", id}, {"type", "function"}, {"function", std::move(function)}});
  }
  return {{"role", "assistant"}, {"content", std::move(content)}, {"tool_calls", std::move(calls)}};
}

Json Tools() {
  return Json::parse(R"([{"type": "function", "function": {"name": "enigma_probe_tool", "description": "A probe.",
      "parameters": {"type": "object", "properties": {"enigma_probe_parameter": {"type": "string",
      "description": "A probe."}}, "required": ["enigma_probe_parameter"]}}}])");
}

}  // namespace

absl::StatusOr<ChatTemplate> ChatTemplate::Create(std::string_view source, Options options) {
  ENIGMA_ASSIGN_OR_RETURN(jinja::Template parsed, jinja::Template::Parse(source, options.limits));
  ChatTemplate made(std::move(parsed), std::move(options));
  made.FindAbilities();
  return made;
}

bool ChatTemplate::IsIn(const GgufMetadata& metadata) { return metadata.String(kTemplateKey).ok(); }

absl::StatusOr<ChatTemplate> ChatTemplate::FromGguf(const GgufMetadata& metadata, const Tokenizer& tokenizer) {
  const absl::StatusOr<std::string_view> source = metadata.String(kTemplateKey);
  if (!source.ok()) return absl::NotFoundError("the model has no chat template");
  const auto text_of = [&tokenizer](std::optional<TokenId> id) {
    return id ? tokenizer.TokenBytes(*id, /*render_special=*/true) : std::string();
  };
  Options options;
  options.bos_text = text_of(tokenizer.bos());
  options.eos_text = text_of(tokenizer.eos());
  return Create(*source, std::move(options));
}

std::string ChatTemplate::Probe(Json messages, Json tools) const {
  ChatRequest request;
  request.tools = std::move(tools);
  return RenderAdapted(messages, request).value_or("");
}

void ChatTemplate::FindAbilities() {
  const absl::StatusOr<std::string> rendered = RenderAdapted(Json::array({User(kUserMark)}), {});
  const std::string text = rendered.value_or("");
  const std::string typed = Probe(Json::array({User(TextParts(kUserMark))}));
  // A template that prints the list itself does not know parts.
  abilities_.typed_content = Contains(typed, kUserMark) && !Contains(typed, "'type'") && !Contains(typed, "\"type\"");
  abilities_.text_content = Contains(text, kUserMark) || !abilities_.typed_content;

  // One that refuses so short a conversation has not left it out.
  abilities_.user_text = !rendered.ok() || Contains(text, kUserMark) || Contains(typed, kUserMark);

  const Json system = {{"role", "system"}, {"content", ContentOf(kSystemMark)}};
  const Json user = User(ContentOf(kUserMark));
  abilities_.system_role = Contains(Probe(Json::array({system, user})), kSystemMark);
  abilities_.tools = Contains(Probe(Json::array({user}), Tools()), kToolMark);

  const Json object_arguments = {{kArgumentMark, "value"}};
  const Json text_arguments = object_arguments.dump();
  const std::string key = std::string("\"") + kArgumentMark + "\"";
  // As text, a template that writes JSON puts the arguments into quotes once more, and {\"key\" is what comes out.
  const Json tools = abilities_.tools ? Tools() : Json();  // some templates write calls only beside tools
  const std::string with_object = Probe(Json::array({user, Call(object_arguments, ContentOf(""))}), tools);
  const std::string with_text = Probe(Json::array({user, Call(text_arguments, ContentOf(""))}), tools);
  abilities_.object_arguments =
      Contains(with_object, key) || (Contains(with_object, kArgumentMark) && !Contains(with_text, key));
  const Json arguments = abilities_.object_arguments ? object_arguments : text_arguments;
  const std::string called = abilities_.object_arguments ? with_object : with_text;
  abilities_.tool_calls = Contains(called, kCallMark);
  const std::string empty = Probe(Json::array({user, Call(arguments, nullptr)}), tools);
  abilities_.empty_content = Contains(empty, kCallMark) && !Contains(empty, "None");
  if (abilities_.tool_calls) FindToolAbilities();
}

Json ChatTemplate::ContentOf(const char* text) const { return abilities_.text_content ? Json(text) : TextParts(text); }

std::string ChatTemplate::ProbeEnd(Json messages) const {
  ChatRequest request;
  request.add_generation_prompt = false;
  if (abilities_.tools) request.tools = Tools();
  return RenderAdapted(messages, request).value_or("");
}

void ChatTemplate::FindToolAbilities() {
  const Json user = User(ContentOf(kUserMark));
  Json arguments = {{kArgumentMark, "value"}};
  if (!abilities_.object_arguments) arguments = arguments.dump();
  const Json call = Call(arguments, ContentOf(""));
  const Json result = {
      {"role", "tool"}, {"name", kCallMark}, {"tool_call_id", kShortId}, {"content", ContentOf(kResultMark)}};
  abilities_.tool_results =
      Contains(Probe(Json::array({user, call, result}), abilities_.tools ? Tools() : Json()), kResultMark);
  abilities_.short_call_ids =
      !Contains(ProbeEnd(Json::array({user, Call(arguments, ContentOf(""), {kLongId})})), kArgumentMark);

  ToolProbes probes;
  probes.mark = kSaidMark;
  probes.tool = kCallMark;
  probes.id = kShortId;
  probes.argument = kArgumentMark;
  probes.said = ProbeEnd(Json::array({user, Json{{"role", "assistant"}, {"content", ContentOf(kSaidMark)}}}));
  probes.called = ProbeEnd(Json::array({user, call}));
  probes.called_two = ProbeEnd(Json::array({user, Call(arguments, ContentOf(""), {kShortId, "probe0002"})}));
  // Some templates refuse a second call, some leave it out.
  const auto calls_in = [](std::string_view text) {
    size_t count = 0;
    for (size_t at = text.find(kCallMark); at != text.npos; at = text.find(kCallMark, at + 1)) ++count;
    return count;
  };
  abilities_.several_calls = calls_in(probes.called_two) > calls_in(probes.called);
  if (!abilities_.several_calls) probes.called_two.clear();
  tool_syntax_ = FindToolSyntax(probes);
}

absl::StatusOr<std::string> ChatTemplate::Render(const ChatRequest& request) const {
  const bool has_tools = request.tools.is_array() && !request.tools.empty();
  if (!request.tools.is_null() && !request.tools.is_array()) return absl::InvalidArgumentError("tools must be a list");
  const bool described = has_tools && !abilities_.tools && request.messages.is_array();
  ENIGMA_ASSIGN_OR_RETURN(
      const Json messages,
      AdaptMessages(described ? WithToolPrompt(request.messages, request.tools) : request.messages, abilities_));
  return RenderAdapted(messages, request);
}

absl::StatusOr<std::string> ChatTemplate::RenderAdapted(const Json& messages, const ChatRequest& request) const {
  // The variables that transformers' apply_chat_template sets.
  Json context = {{"messages", messages},           {"tools", request.tools.empty() ? Json() : request.tools},
                  {"documents", nullptr},           {"add_generation_prompt", request.add_generation_prompt},
                  {"bos_token", options_.bos_text}, {"eos_token", options_.eos_text}};
  if (!request.variables.is_null()) {
    if (!request.variables.is_object()) return absl::InvalidArgumentError("the template's variables must be an object");
    for (const auto& [name, value] : request.variables.items()) {
      if (name == "messages") return absl::InvalidArgumentError("the template's variables must not hold 'messages'");
      context[name] = value;
    }
  }
  jinja::RenderOptions options;
  options.limits = options_.limits;
  options.now = options_.now;
  ENIGMA_ASSIGN_OR_RETURN(std::string prompt, template_.Render(context, options));
  if (!request.without_bos_and_eos) return prompt;
  const std::string &bos = options_.bos_text, &eos = options_.eos_text;
  if (!bos.empty() && prompt.starts_with(bos)) prompt.erase(0, bos.size());
  if (!eos.empty() && prompt.ends_with(eos)) prompt.resize(prompt.size() - eos.size());
  return prompt;
}

}  // namespace enigma::engine
