#pragma once

#include <ctime>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/statusor.h>
#include <nlohmann/json.hpp>

#include "engine/spec/gguf.h"
#include "engine/text/jinja/template.h"
#include "engine/text/tokenizer.h"
#include "engine/text/tool_calls/tool_syntax.h"

namespace enigma::engine {

// What a chat template can do. Nothing in a model's files says so; it is found out by rendering small conversations
// with marked texts in them and looking where the marks come out.
struct ChatAbilities {
  bool user_text = true;       // what the user says comes out; false: it is left out (kCaptionTemplate)
  bool text_content = true;    // the content of a message may be a string
  bool typed_content = false;  // ... or a list of parts, [{"type": "text", "text": ...}]
  bool empty_content = false;  // ... or null, beside tool calls
  bool system_role = false;
  bool tools = false;             // descriptions of tools are put into the prompt
  bool tool_calls = false;        // so are calls that an assistant made
  bool object_arguments = false;  // the arguments of a call are wanted as an object, not as OpenAI's string
  bool tool_results = false;      // messages of the role "tool" are put into the prompt
  bool several_calls = false;     // one message may hold several calls
  bool short_call_ids = false;    // ids of calls must have nine letters or digits
};

struct ChatRequest {
  nlohmann::ordered_json messages;  // an array, as OpenAI has it
  nlohmann::ordered_json tools;     // an array, or null
  bool add_generation_prompt = true;
  nlohmann::ordered_json variables;  // an object of more variables (chat_template_kwargs), or null
  // Leave out a BOS at the start and an EOS at the end, for a tokenizer that adds its own.
  bool without_bos_and_eos = false;
};

// The chat template of a model: messages in, prompt out. Immutable, thread-safe.
class ChatTemplate {
 public:
  struct Options {
    std::string bos_text;  // of the special tokens; empty where the model has none
    std::string eos_text;
    jinja::Limits limits;
    std::time_t now = 0;  // what the template takes for the present; 0 for the present
  };

  // Parses the template and finds out what it can do. Errors are those of jinja::Template::Parse.
  static absl::StatusOr<ChatTemplate> Create(std::string_view source, Options options);

  // Of a model's file: its template, its special tokens. NotFound when the file has no template.
  static absl::StatusOr<ChatTemplate> FromGguf(const GgufMetadata& metadata, const Tokenizer& tokenizer);
  static bool IsIn(const GgufMetadata& metadata);

  const ChatAbilities& abilities() const { return abilities_; }
  // How the model writes calls, as far as its template shows.
  const ToolSyntax& tool_syntax() const { return tool_syntax_; }

  // The prompt. Messages are given to the template as they are, except for what it cannot take:
  //  - the text parts of a typed content are joined with newlines for a template that knows only strings, and a string
  //    becomes one text part for one that knows only parts;
  //  - system messages are put before the next user message, a newline between, where there is no system role;
  //  - tools are described in a system message, and calls and results of tools take another form, where they have no
  //    place of their own (tool_calls/tool_messages.h);
  //  - the arguments of tool calls are parsed where an object is wanted, and null content becomes "" where it must be
  //  text.
  // InvalidArgument: the messages are no messages, hold parts that the template has no place for, or the template
  // refuses them (with the message of its raise_exception).
  absl::StatusOr<std::string> Render(const ChatRequest& request) const;

 private:
  ChatTemplate(jinja::Template parsed, Options options) : template_(std::move(parsed)), options_(std::move(options)) {}

  absl::StatusOr<std::string> RenderAdapted(const nlohmann::ordered_json& messages, const ChatRequest& request) const;
  void FindAbilities();
  void FindToolAbilities();
  nlohmann::ordered_json ContentOf(const char* text) const;  // in the form that the template takes
  // The prompt of a conversation made up for finding out; empty where the template refuses it.
  std::string Probe(nlohmann::ordered_json messages, nlohmann::ordered_json tools = nullptr) const;
  // The same of one that ends with an assistant's message.
  std::string ProbeEnd(nlohmann::ordered_json messages) const;

  jinja::Template template_;
  Options options_;
  ChatAbilities abilities_;
  ToolSyntax tool_syntax_;
};

}  // namespace enigma::engine
