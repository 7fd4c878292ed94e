#include "engine/text/tool_calls/tool_messages.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>

#include "engine/text/json_shape.h"

namespace enigma::engine {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kShortIdLength = 9;

// The string of that name; empty where there is none.
std::string Member(const Json& object, const char* name) {
  if (!object.is_object()) return "";
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string RoleOf(const Json& message) { return Member(message, "role"); }

bool HasCalls(const Json& message) {
  const auto calls = message.find("tool_calls");
  return calls != message.end() && calls->is_array() && !calls->empty();
}

std::string TextOf(const Json& content) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) return "";
  std::string text;
  for (const Json& part : content) {
    if (!part.is_object() || !part.contains("text") || !part["text"].is_string()) continue;
    absl::StrAppend(&text, text.empty() ? "" : "\n", part["text"].get<std::string>());
  }
  return text;
}

std::string Dump(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

// The call as plain JSON.
std::string CallText(const Json& call) {
  if (!call.is_object() || !call.contains("function") || !call["function"].is_object()) return Dump(call);
  const Json& function = call["function"];
  Json arguments = function.contains("arguments") ? function["arguments"] : Json::object();
  if (arguments.is_string()) {
    Json parsed = ParseJsonOfStrangers(arguments.get_ref<const std::string&>());
    if (parsed.is_object()) arguments = std::move(parsed);
  }
  return Dump(Json{{"name", function.contains("name") ? function["name"] : Json()}, {"arguments", arguments}});
}

void WriteCallsAsText(Json& message) {
  std::string text = message.contains("content") ? TextOf(message["content"]) : "";
  for (const Json& call : message["tool_calls"]) absl::StrAppend(&text, text.empty() ? "" : "\n", CallText(call));
  message["content"] = text;
  message.erase("tool_calls");
}

// The name of the tool whose call has that id, in the messages before.
std::string NameOfCall(const Json& messages, const Json& id) {
  std::string name;
  for (const Json& message : messages) {
    if (!HasCalls(message)) continue;
    for (const Json& call : message["tool_calls"]) {
      const bool named = call.is_object() && call.contains("id") && call["id"] == id && call.contains("function") &&
                         call["function"].is_object();
      if (named) name = Member(call["function"], "name");
    }
  }
  return name;
}

Json ResultsAsText(const Json& messages) {
  Json out = Json::array();
  bool follows_result = false;
  for (const Json& message : messages) {
    if (RoleOf(message) != "tool") {
      out.push_back(message);
      follows_result = false;
      continue;
    }
    std::string name = Member(message, "name");
    if (name.empty() && message.contains("tool_call_id")) name = NameOfCall(messages, message["tool_call_id"]);
    const std::string text = absl::StrCat("Result of the function ", name, ":\n",
                                          message.contains("content") ? TextOf(message["content"]) : "");
    if (follows_result) {
      out.back()["content"] = absl::StrCat(out.back()["content"].get<std::string>(), "\n\n", text);
    } else {
      out.push_back({{"role", "user"}, {"content", text}});
    }
    follows_result = true;
  }
  return out;
}

// Every call of `message` as a message of its own, each followed by the one among `results` that answers it; the
// results that answer none come last.
void SplitCalls(const Json& message, std::vector<Json> results, Json& out) {
  bool first = true;
  for (const Json& call : message["tool_calls"]) {
    Json one = message;
    one["tool_calls"] = Json::array({call});
    if (!first) one["content"] = nullptr;
    first = false;
    out.push_back(std::move(one));
    const auto answers = [&call](const Json& result) {
      return call.is_object() && call.contains("id") && result.contains("tool_call_id") &&
             result["tool_call_id"] == call["id"];
    };
    const auto found = std::find_if(results.begin(), results.end(), answers);
    if (found == results.end()) continue;
    out.push_back(std::move(*found));
    results.erase(found);
  }
  for (Json& result : results) out.push_back(std::move(result));
}

Json OneCallEach(const Json& messages) {
  Json out = Json::array();
  for (size_t i = 0; i < messages.size(); ++i) {
    if (!HasCalls(messages[i]) || messages[i]["tool_calls"].size() == 1) {
      out.push_back(messages[i]);
      continue;
    }
    std::vector<Json> results;
    const size_t call = i;
    while (i + 1 < messages.size() && RoleOf(messages[i + 1]) == "tool") results.push_back(messages[++i]);
    SplitCalls(messages[call], std::move(results), out);
  }
  return out;
}

// Nine letters and digits that stand for the id; the id itself where it is such.
std::string ShortId(const std::string& id) {
  const auto fits = [](unsigned char c) { return absl::ascii_isalnum(c); };
  if (id.size() == kShortIdLength && std::all_of(id.begin(), id.end(), fits)) return id;
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  constexpr char kDigits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::string text;
  for (size_t i = 0; i < kShortIdLength; ++i, hash /= 36) text += kDigits[hash % 36];
  return text;
}

void ShortenId(Json& holder, const char* key) {
  if (!holder.is_object()) return;
  const auto id = holder.find(key);
  if (id != holder.end() && id->is_string()) *id = ShortId(id->get<std::string>());
}

}  // namespace

Json AdaptToolMessages(const Json& messages, const ChatAbilities& abilities) {
  Json adapted = messages;
  // While the calls are still there to be looked up.
  if (!abilities.tool_results) adapted = ResultsAsText(adapted);
  if (!abilities.tool_calls) {
    for (Json& message : adapted) {
      if (HasCalls(message)) WriteCallsAsText(message);
    }
  } else if (!abilities.several_calls) {
    adapted = OneCallEach(adapted);
  }
  if (!abilities.short_call_ids) return adapted;
  for (Json& message : adapted) {
    ShortenId(message, "tool_call_id");
    if (!HasCalls(message)) continue;
    for (Json& call : message["tool_calls"]) ShortenId(call, "id");
  }
  return adapted;
}

Json WithToolPrompt(const Json& messages, const Json& tools) {
  std::string text =
      "You can call functions. To call one, answer with nothing but a JSON object of the form {\"name\": the name of "
      "the function, \"arguments\": {its arguments}}; to call several, with a JSON array of such objects. Call one "
      "only "
      "where it helps; otherwise answer as usual. These are the functions, with the JSON schemas of their "
      "arguments:\n";
  for (const Json& tool : tools) {
    const bool has_function = tool.is_object() && tool.contains("function");
    absl::StrAppend(&text, Dump(has_function ? tool["function"] : tool), "\n");
  }
  text.pop_back();
  Json out = messages;
  if (!out.empty() && out[0].is_object() && RoleOf(out[0]) == "system" && out[0].contains("content")) {
    out[0]["content"] = absl::StrCat(TextOf(out[0]["content"]), "\n\n", text);
  } else {
    out.insert(out.begin(), Json{{"role", "system"}, {"content", text}});
  }
  return out;
}

}  // namespace enigma::engine
