#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace enigma::engine {

// How a model writes that it calls tools. No file says so; it is read off what the model's chat template makes of calls
// in a conversation. Plain data.
struct ToolSyntax {
  enum class Shape : uint8_t {
    kUnknown,  // the template writes no calls, or in a form that is not read
    kObject,   // JSON: an object with the name and the arguments, or a list of such objects
    kNamed,    // the name as text, then the arguments as a JSON object
    kFields,   // the name as text, then each argument as its name and its value between marks, both as text
  };
  Shape shape = Shape::kUnknown;
  // Marks around the calls, as the template writes them, white space included; empty where there are none.
  std::string begin;      // once, before all calls of an answer
  std::string open;       // before each call; of a list: before the list
  std::string before_id;  // kNamed: between the name and the call's id, where one stands there
  std::string separator;  // kNamed: before the arguments; kFields: behind the name, empty where the next mark ends it
  std::string close;      // after each call; of a list: after the list
  std::string end;        // once, after all
  // kFields: around each argument.
  std::string key_open;
  std::string key_close;  // between its name and its value
  std::string value_close;
  // kObject.
  bool list = false;     // calls stand in a list, also a single one
  bool wrapped = false;  // name and arguments stand inside a member "function", beside "type"
  std::string name_key = "name";
  std::string arguments_key = "arguments";

  bool operator==(const ToolSyntax&) const = default;
  // All of the marks, for finding the tokens that they are made of.
  std::string Marks() const {
    return begin + open + before_id + separator + key_open + key_close + value_close + close + end;
  }
  // JSON without any mark: what models without a form of their own are told to write.
  static ToolSyntax PlainJson() {
    ToolSyntax syntax;
    syntax.shape = Shape::kObject;
    return syntax;
  }
};

// What a template made of a conversation that ends with an assistant's message.
struct ToolProbes {
  std::string said;        // ... with `mark` as its text
  std::string called;      // ... with one call of a tool `tool` with {`argument`: "value"} and `id`
  std::string called_two;  // ... with two such calls; empty where the template refuses
  std::string_view mark;
  std::string_view tool;
  std::string_view argument;
  std::string_view id;
};

// kUnknown where no call is to be made out.
ToolSyntax FindToolSyntax(const ToolProbes& probes);

}  // namespace enigma::engine
