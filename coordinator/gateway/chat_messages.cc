#include "coordinator/gateway/chat_messages.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <absl/strings/str_cat.h>

#include "coordinator/gateway/picture_parts.h"

namespace enigma::coordinator {
namespace {

constexpr size_t kMessagesMost = 4096;

// Why a content is none; empty when it is one.
std::string WrongContent(const Json& content, std::string_view role, bool has_calls) {
  if (content.is_string()) return "";
  if (content.is_null()) {
    return role == "assistant" && has_calls ? "" : "a string or a list of parts is wanted";
  }
  if (!content.is_array() || content.empty()) return "a string or a list of parts is wanted";
  for (const Json& part : content) {
    if (!part.is_object() || !part.contains("type") || !part["type"].is_string()) {
      return "every part is an object with a type";
    }
    const auto& type = part["type"].get_ref<const std::string&>();
    if (IsPicturePart(part)) {
      if (role != "user") return "images stand in messages of the user alone";
      if (std::string wrong = WrongPicturePart(part); !wrong.empty()) return wrong;
      continue;
    }
    if (type != "text") {
      return absl::StrCat("parts of type '", type, "' are not supported; this server reads text and image_url");
    }
    if (!part.contains("text") || !part["text"].is_string()) return "a part of type 'text' has a string named text";
  }
  return "";
}

std::string WrongCalls(const Json& calls) {
  if (!calls.is_array() || calls.empty()) return "a list of calls is wanted";
  for (const Json& call : calls) {
    const bool has_function = call.is_object() && call.contains("function") && call["function"].is_object();
    const auto has = [](const Json& object, const char* name) {
      return object.contains(name) && object[name].is_string();
    };
    if (!has_function || !has(call, "id")) return "every call has an id and a function";
    if (!has(call["function"], "name") || !has(call["function"], "arguments")) {
      return "every function has a name, and arguments as a string";
    }
  }
  return "";
}

// The message as the template gets it; an error names what is wrong with it.
absl::StatusOr<Json> ReadMessage(const Json& message, const std::string& path, std::vector<std::string>& pictures) {
  constexpr std::array<std::string_view, 5> kRoles = {"system", "developer", "user", "assistant", "tool"};
  Fields fields(message, path);
  std::string role = fields.Text("role");
  if (std::find(kRoles.begin(), kRoles.end(), role) == kRoles.end()) {
    fields.Fail("role", "it is one of system, developer, user, assistant and tool");
  }
  if (role == "developer") role = "system";
  Json out = {{"role", role}};
  const Json& calls = fields.Any("tool_calls");
  const Json& content = fields.Any("content");
  if (const std::string wrong = WrongContent(content, role, !calls.is_null()); !wrong.empty()) {
    fields.Fail("content", wrong);
  }
  out["content"] = content;
  if (fields.ok()) {
    if (const std::string wrong = TakePictures(out["content"], pictures); !wrong.empty()) fields.Fail("content", wrong);
  }
  if (!calls.is_null()) {
    if (const std::string wrong = WrongCalls(calls); !wrong.empty()) fields.Fail("tool_calls", wrong);
    out["tool_calls"] = calls;
  }
  for (const char* name : {"name", "tool_call_id"}) {
    if (const std::string text = fields.Text(name); !text.empty()) out[name] = text;
  }
  if (role == "tool" && !out.contains("tool_call_id")) fields.Fail("tool_call_id", "it says which call this answers");
  fields.Refuse("function_call", Json(), "this old form is not supported; use tool_calls");
  fields.Ignore("refusal");
  fields.Refuse("audio", Json(), "this server takes no audio");
  if (const absl::Status status = fields.Finish(); !status.ok()) return status;
  return out;
}

}  // namespace

Json ReadMessages(Fields& fields, std::vector<std::string>& pictures) {
  const Json& messages = fields.Any("messages");
  Json out = Json::array();
  if (!messages.is_array() || messages.empty()) {
    fields.Fail("messages", "a list of at least one message is wanted");
    return out;
  }
  if (messages.size() > kMessagesMost) {
    fields.Fail("messages", absl::StrCat("at most ", kMessagesMost, " messages"));
    return out;
  }
  for (size_t i = 0; i < messages.size() && fields.ok(); ++i) {
    absl::StatusOr<Json> message = ReadMessage(messages[i], absl::StrCat("messages[", i, "]"), pictures);
    if (message.ok()) {
      out.push_back(*std::move(message));
    } else {
      fields.Adopt(message.status());
    }
  }
  return out;
}

}  // namespace enigma::coordinator
