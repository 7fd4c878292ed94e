#include "coordinator/gateway/routable_request.h"

#include <absl/strings/str_cat.h>

#include "base/text.h"
#include "coordinator/gateway/chat_prompt.h"

namespace enigma::coordinator {
namespace {

// The text of a message; the parts of a typed content with a newline between.
std::string TextOf(const Json& message, bool& has_image) {
  if (!message.contains("content")) return "";
  const Json& content = message["content"];
  if (content.is_string()) return content.get<std::string>();
  std::string text;
  if (!content.is_array()) return text;
  for (const Json& part : content) {
    if (!part.is_object() || !part.contains("type") || !part["type"].is_string()) continue;
    const std::string& type = part["type"].get_ref<const std::string&>();
    has_image = has_image || type == "image_url" || type == "input_image" || type == "image";
    if (!part.contains("text") || !part["text"].is_string()) continue;
    absl::StrAppend(&text, text.empty() ? "" : "\n", part["text"].get_ref<const std::string&>());
  }
  return text;
}

// About what a template makes of it.
std::string ToolText(const enigma::v1::Tool& tool) {
  return absl::StrCat(tool.name(), " ", tool.description(), " ", tool.parameters_json());
}

}  // namespace

RoutableRequest RoutableRequestOf(const Json& messages, std::string_view tools) {
  RoutableRequest request;
  request.features.wants_tools = !tools.empty();
  for (const Json& message : messages) {
    const std::string role = message.value("role", "");
    std::string text = TextOf(message, request.features.has_image);
    request.all_text += text;
    request.turns.push_back({role == "assistant", message.dump(-1, ' ', false, Json::error_handler_t::replace)});
    if (role == "user") request.features.text = std::move(text);
  }
  if (request.features.text.empty()) request.features.text = request.all_text;
  request.all_text += tools;
  request.features.prompt_bytes = request.all_text.size();
  return request;
}

RoutableRequest RoutableRequestOf(std::string_view text) {
  RoutableRequest request;
  request.features.text = std::string(text);
  request.features.prompt_bytes = text.size();
  request.all_text = std::string(text);
  return request;
}

absl::StatusOr<RoutableRequest> RoutableRequestOf(const enigma::v1::GenerateRequest& request) {
  if (request.has_prompt_ids()) {
    return absl::InvalidArgumentError(
        absl::StrCat("prompt: token ids are those of one model, so name that in place of '", kAutoModel, "'"));
  }
  if (!request.has_chat()) return RoutableRequestOf(request.prompt());
  Json messages = Json::array();
  for (const enigma::v1::ChatMessage& message : request.chat().messages()) messages.push_back(MessageJson(message));
  std::string tools;
  if (request.chat().tool_choice() != "none") {
    for (const enigma::v1::Tool& tool : request.chat().tools()) tools += ToolText(tool);
  }
  return RoutableRequestOf(messages, tools);
}

absl::Status SetWishes(const RouteWishes& wishes, RequestFeatures& features) {
  if (!wishes.route.empty() && wishes.route != "off" && wishes.route != "on") {
    return absl::InvalidArgumentError(
        absl::StrCat("x-enigma-route: '", wishes.route, "' means nothing; 'off' forbids routing"));
  }
  features.may_route = wishes.route != "off";
  features.forced_task = wishes.task;
  return absl::OkStatus();
}

absl::Status RefuseWishes(std::string_view model, std::string_view task) {
  if (task.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("x-enigma-task: it goes with the model '", kAutoModel, "', and '",
                                                 ToAbsl(model), "' is named; leave one of them out"));
}

}  // namespace enigma::coordinator
