#include "coordinator/gateway/chat_prompt.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "coordinator/gateway/chat_messages.h"
#include "coordinator/gateway/picture_parts.h"

namespace enigma::coordinator {

Json MessageJson(const enigma::v1::ChatMessage& message) {
  Json json = {{"role", message.role()}, {"content", message.content()}};
  if (!message.name().empty()) json["name"] = message.name();
  if (!message.tool_call_id().empty()) json["tool_call_id"] = message.tool_call_id();
  if (message.tool_calls().empty()) return json;
  if (message.content().empty()) json["content"] = nullptr;
  for (const enigma::v1::ToolCall& call : message.tool_calls()) {
    json["tool_calls"].push_back(Json{{"id", call.id()},
                                      {"type", "function"},
                                      {"function", {{"name", call.name()}, {"arguments", call.arguments_json()}}}});
  }
  return json;
}

namespace {

// A field that holds JSON in a text; null for an empty one.
absl::StatusOr<Json> ObjectIn(const std::string& text, absl::string_view field) {
  if (text.empty()) return Json();
  absl::StatusOr<Json> json = ParseBody(text);
  if (json.ok()) return json;
  return absl::InvalidArgumentError(absl::StrCat(field, ": it is no JSON object: ", json.status().message()));
}

absl::StatusOr<Json> ToolJson(const enigma::v1::Tool& tool, int index) {
  Json function = {{"name", tool.name()}};
  if (!tool.description().empty()) function["description"] = tool.description();
  ENIGMA_ASSIGN_OR_RETURN(Json parameters,
                          ObjectIn(tool.parameters_json(), absl::StrCat("tools[", index, "].parameters_json")));
  if (!parameters.is_null()) function["parameters"] = std::move(parameters);
  if (tool.strict()) function["strict"] = true;
  return Json{{"type", "function"}, {"function", std::move(function)}};
}

// The body that the HTTP API would have got.
absl::StatusOr<Json> BodyOf(const enigma::v1::Chat& chat) {
  Json body = {{"messages", Json::array()}, {"parallel_tool_calls", !chat.single_call()}};
  for (const enigma::v1::ChatMessage& message : chat.messages()) body["messages"].push_back(MessageJson(message));
  for (int i = 0; i < chat.tools_size(); ++i) {
    ENIGMA_ASSIGN_OR_RETURN(Json tool, ToolJson(chat.tools(i), i));
    body["tools"].push_back(std::move(tool));
  }
  const std::string& choice = chat.tool_choice();
  if (choice == "auto" || choice == "none" || choice == "required") {
    body["tool_choice"] = choice;
  } else if (!choice.empty()) {
    body["tool_choice"] = {{"type", "function"}, {"function", {{"name", choice}}}};
  }
  return body;
}

absl::StatusOr<std::string> RenderChat(const engine::ChatTemplate& chat_template, const engine::ChatRequest& chat) {
  absl::StatusOr<std::string> prompt = chat_template.Render(chat);
  if (prompt.ok()) return prompt;
  // What is too much for the template's limits is too much at any time.
  const absl::StatusCode code =
      absl::IsResourceExhausted(prompt.status()) ? absl::StatusCode::kInvalidArgument : prompt.status().code();
  return absl::Status(code, absl::StrCat("messages: ", prompt.status().message()));
}

// Whether what is said beside pictures needs no template: nothing is, or the model has none and nobody has answered.
bool IsPlain(ControlPlane& plane, const Model& model, const Json& messages, const ToolChoice& tools) {
  if (tools.mode != ToolChoice::Mode::kNone) return false;
  if (TextOfMessages(messages).empty()) return true;
  return !plane.files.HasChat(model) && std::none_of(messages.begin(), messages.end(), [](const Json& message) {
    return message["role"] == "assistant" || message["role"] == "tool";
  });
}

void SetPrompt(std::string prompt, bool rendered, enigma::v1::GenerateRequest& request) {
  request.set_prompt(std::move(prompt));
  request.set_parse_special(rendered);
  request.set_has_specials(rendered);
}

}  // namespace

absl::StatusOr<ToolPlan> MakeChatPrompt(ControlPlane& plane, const Model& model, const engine::Tokenizer& tokenizer,
                                        engine::ChatRequest chat, const ToolChoice& tools, bool has_pictures,
                                        enigma::v1::GenerateRequest& request) {
  if (has_pictures) {
    chat.messages = WithoutPictures(std::move(chat.messages));
    if (IsPlain(plane, model, chat.messages, tools)) {
      SetPrompt(TextOfMessages(chat.messages), /*rendered=*/false, request);
      return ToolPlan();
    }
  }
  ENIGMA_ASSIGN_OR_RETURN(const ChatTemplatePtr chat_template, plane.files.Chat(model));
  if (!has_pictures && model.encoder && !chat_template->abilities().user_text) {
    return absl::InvalidArgumentError(absl::StrCat("messages: '", model.name, "' answers about pictures alone, and ",
                                                   "none was sent; send one, or name another model"));
  }
  ENIGMA_ASSIGN_OR_RETURN(const std::string prompt, RenderChat(*chat_template, chat));
  ENIGMA_ASSIGN_OR_RETURN(ToolPlan plan, PlanTools(plane, *chat_template, tokenizer, tools, request));
  SetPrompt(prompt + plan.prefill, /*rendered=*/true, request);
  return plan;
}

absl::StatusOr<ToolPlan> ApplyChat(ControlPlane& plane, const Model& model, const engine::Tokenizer& tokenizer,
                                   bool has_pictures, enigma::v1::GenerateRequest& request) {
  ENIGMA_ASSIGN_OR_RETURN(const Json body, BodyOf(request.chat()));
  Fields fields(body);
  engine::ChatRequest chat;
  std::vector<std::string> none;  // they come in fields of their own
  chat.messages = ReadMessages(fields, none);
  const ToolChoice tools = ReadTools(fields);
  chat.tools = tools.tools;
  ENIGMA_RETURN_IF_ERROR(fields.Finish());
  ENIGMA_ASSIGN_OR_RETURN(chat.variables,
                          ObjectIn(request.chat().template_variables_json(), "template_variables_json"));
  return MakeChatPrompt(plane, model, tokenizer, std::move(chat), tools, has_pictures, request);
}

}  // namespace enigma::coordinator
