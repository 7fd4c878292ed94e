#include "engine/text/chat_messages.h"

#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/text/json_shape.h"
#include "engine/text/tool_calls/tool_messages.h"

namespace enigma::engine {

namespace {

using Json = nlohmann::ordered_json;

absl::Status Wrong(size_t message, const std::string& problem) {
  return absl::InvalidArgumentError(absl::StrCat("messages[", message, "]", problem));
}

// The text parts of a content, one on each line.
absl::StatusOr<std::string> JoinedText(const Json& parts, size_t message) {
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) {
    const Json& part = parts[i];
    const auto type = part.is_object() ? part.find("type") : part.end();
    if (!part.is_object() || type == part.end() || !type->is_string()) {
      return Wrong(message, absl::StrCat(".content[", i, "] has no type"));
    }
    const auto content = part.find("text");
    if (*type != "text" || content == part.end() || !content->is_string()) {
      return Wrong(message, absl::StrCat(".content[", i, "] is of type '", type->get_ref<const std::string&>(),
                                         "': this model's chat template takes text only"));
    }
    if (i > 0) text += '\n';
    text += content->get_ref<const std::string&>();
  }
  return text;
}

absl::Status AdaptContent(Json& message, size_t at, const ChatAbilities& abilities) {
  const auto content = message.find("content");
  if (content == message.end() || content->is_null()) {
    if (!abilities.empty_content) message["content"] = "";
    return absl::OkStatus();
  }
  if (content->is_array() && !abilities.typed_content) {
    ENIGMA_ASSIGN_OR_RETURN(*content, JoinedText(*content, at));
  } else if (content->is_string() && !abilities.text_content) {
    *content = Json::array({Json{{"type", "text"}, {"text", *content}}});
  } else if (!content->is_array() && !content->is_string()) {
    return Wrong(at, ".content must be a string, a list of parts or null");
  }
  return absl::OkStatus();
}

// OpenAI gives the arguments of a call as text; what is no JSON object there stays text.
void ParseArguments(Json& message) {
  const auto calls = message.find("tool_calls");
  if (calls == message.end() || !calls->is_array()) return;
  for (Json& call : *calls) {
    const auto function = call.is_object() ? call.find("function") : call.end();
    if (!call.is_object() || function == call.end() || !function->is_object()) continue;
    const auto arguments = function->find("arguments");
    if (arguments == function->end() || !arguments->is_string()) continue;
    Json parsed = ParseJsonOfStrangers(arguments->get_ref<const std::string&>());
    if (parsed.is_object()) *arguments = std::move(parsed);
  }
}

// Puts `system` before the content of a message.
absl::Status Prepend(const std::string& system, Json& message, size_t at) {
  Json& content = message["content"];
  if (content.is_string()) {
    content = system + "\n" + content.get_ref<const std::string&>();
  } else if (content.is_array()) {
    content.insert(content.begin(), Json{{"type", "text"}, {"text", system}});
  } else {
    return Wrong(at, ".content must be text, because a system message stands before it");
  }
  return absl::OkStatus();
}

absl::StatusOr<Json> WithoutSystemRole(const Json& messages) {
  Json adapted = Json::array();
  std::string pending;
  for (size_t i = 0; i < messages.size(); ++i) {
    Json message = messages[i];
    if (message["role"] == "system") {
      const Json& content = message["content"];
      std::string text;
      if (content.is_string()) {
        text = content.get<std::string>();
      } else if (content.is_array()) {
        ENIGMA_ASSIGN_OR_RETURN(text, JoinedText(content, i));
      }
      if (!pending.empty()) pending += '\n';
      pending += text;
      continue;
    }
    if (!pending.empty() && message["role"] == "user") {
      ENIGMA_RETURN_IF_ERROR(Prepend(std::exchange(pending, {}), message, i));
    }
    adapted.push_back(std::move(message));
  }
  // With no user behind it, the text is what the user says.
  if (!pending.empty()) adapted.push_back({{"role", "user"}, {"content", pending}});
  return adapted;
}

}  // namespace

absl::StatusOr<Json> AdaptMessages(const Json& messages, const ChatAbilities& abilities) {
  if (!messages.is_array()) return absl::InvalidArgumentError("messages must be a list");
  for (size_t i = 0; i < messages.size(); ++i) {
    const Json& message = messages[i];
    const auto role = message.is_object() ? message.find("role") : message.end();
    if (!message.is_object() || role == message.end() || !role->is_string()) {
      return Wrong(i, " must be an object with a role");
    }
  }
  Json adapted = AdaptToolMessages(messages, abilities);
  for (size_t i = 0; i < adapted.size(); ++i) {
    Json& message = adapted[i];
    ENIGMA_RETURN_IF_ERROR(AdaptContent(message, i, abilities));
    if (abilities.object_arguments) ParseArguments(message);
  }
  if (abilities.system_role) return adapted;
  return WithoutSystemRole(adapted);
}

}  // namespace enigma::engine
