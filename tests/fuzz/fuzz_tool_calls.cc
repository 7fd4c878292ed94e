// What a model answers, read for calls of tools. The first byte chooses the form of the calls and whether they were
// forced, the second how the answer is cut into pieces.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/constraint/grammar.h"
#include "engine/text/constraint/pushdown.h"
#include "engine/text/tool_calls/forced_calls.h"
#include "engine/text/tool_calls/free_call_reader.h"

namespace {

using namespace enigma::engine;
using Json = nlohmann::ordered_json;

constexpr size_t kAnswerBytesMax = 8192;
constexpr size_t kCallsMax = 3;

void Require(bool holds, std::string_view what) {
  if (holds) return;
  std::cerr << "fuzz_tool_calls: " << what << std::endl;
  std::abort();
}

ToolSyntax Objects(const char* open, const char* close, bool list, bool wrapped) {
  ToolSyntax syntax = ToolSyntax::PlainJson();
  syntax.open = open;
  syntax.close = close;
  syntax.list = list;
  syntax.wrapped = wrapped;
  return syntax;
}

ToolSyntax Named(const char* begin, const char* open, const char* before_id, const char* separator, const char* close,
                 const char* end) {
  ToolSyntax syntax;
  syntax.shape = ToolSyntax::Shape::kNamed;
  syntax.begin = begin;
  syntax.open = open;
  syntax.before_id = before_id;
  syntax.separator = separator;
  syntax.close = close;
  syntax.end = end;
  return syntax;
}

ToolSyntax Fields(const char* open, const char* separator, const char* key_open, const char* key_close,
                  const char* value_close, const char* close) {
  ToolSyntax syntax = Named("", open, "", separator, close, "");
  syntax.shape = ToolSyntax::Shape::kFields;
  syntax.key_open = key_open;
  syntax.key_close = key_close;
  syntax.value_close = value_close;
  return syntax;
}

// make_tool_call_seeds.py numbers them alike.
const std::vector<ToolSyntax>& Forms() {
  static const std::vector<ToolSyntax> forms = [] {
    std::vector<ToolSyntax> made = {
        Objects("", "", false, false),
        Objects("<tool_call>\n", "\n</tool_call>", false, false),
        Objects("[TOOL_CALLS]", "", true, false),
        Objects("<calls>", "</calls>", true, true),
        Named("", "<function=", "", ">", "</function>", ""),
        Named("<calls>", "<call>functions.", ":", "<args>", "</call>", "</calls>"),
        Fields("<tool_call>\n<function=", ">\n", "<parameter=", ">\n", "\n</parameter>", "\n</function>\n</tool_call>"),
        Fields("<tool_call>", "\n", "<arg_key>", "</arg_key>\n<arg_value>", "</arg_value>", "\n</tool_call>"),
        Fields("<invoke name=\"", "\">\n", "<parameter name=\"", "\">", "</parameter>", "\n</invoke>\n"),
    };
    made.back().begin = "\n<calls>\n";
    made.back().end = "</calls>";
    return made;
  }();
  return forms;
}

const std::vector<Json>& Functions() {
  static const std::vector<Json> functions = {
      Json::parse(R"({"name": "f", "parameters": {"type": "object", "properties": {"s": {"type": "string"}, "n":
          {"type": ["integer", "null"]}, "o": {"$ref": "#/$defs/o"}}, "$defs": {"o": {"type": ["object", "array"]}}}})"),
      Json::parse(R"({"name": "now"})")};
  return functions;
}

struct Answer {
  std::string content;
  std::vector<std::string> names;
  std::vector<std::string> arguments;
  bool operator==(const Answer&) const = default;
};

// Every piece is as long as `next` says.
template <typename Length>
Answer Read(CallReader& reader, std::string_view text, Length next) {
  Answer answer;
  const auto add = [&answer](const ToolOutput& out) {
    answer.content += out.content;
    for (const ToolOutput::Piece& piece : out.calls) {
      const bool first = piece.call == answer.arguments.size();
      Require(piece.call <= answer.arguments.size(), "calls come in order");
      Require(first || (piece.call + 1 == answer.arguments.size() && piece.name.empty()), "a call has one name");
      if (first) {
        answer.names.push_back(piece.name);
        answer.arguments.emplace_back();
      }
      answer.arguments.back() += piece.arguments;
    }
  };
  while (!text.empty()) {
    const size_t length = std::min<size_t>(next(), text.size());
    add(reader.Add(text.substr(0, length)));
    text.remove_prefix(length);
  }
  add(reader.Finish());
  return answer;
}

template <typename MakeReader>
Answer ReadInAllWays(MakeReader make, std::string_view text, uint32_t seed) {
  const auto whole = make();
  Answer answer = Read(*whole, text, [&] { return text.size(); });
  const auto bytewise = make();
  Require(Read(*bytewise, text, [] { return size_t{1}; }) == answer, "byte by byte it reads differently");
  const auto pieces = make();
  const auto length = [&seed] {
    seed = seed * 1'664'525 + 1'013'904'223;
    return size_t{1} + (seed >> 24) % 24;
  };
  Require(Read(*pieces, text, length) == answer, "in pieces it reads differently");
  return answer;
}

void RequireCall(const Answer& answer, size_t call, const char* what) {
  const bool known = std::any_of(Functions().begin(), Functions().end(),
                                 [&](const Json& function) { return function["name"] == answer.names[call]; });
  Require(known, what);
  Require(Json::parse(answer.arguments[call], nullptr, /*allow_exceptions=*/false).is_object(), what);
}

void ReadFree(const ToolSyntax& syntax, std::string_view text, uint32_t seed) {
  FreeCallReader::Options options;
  options.syntax = syntax;
  options.calls_max = kCallsMax;
  auto schemas = std::make_shared<std::vector<Json>>();
  for (const Json& function : Functions()) {
    options.names.push_back(function["name"].get<std::string>());
    schemas->push_back(function.value("parameters", Json()));
  }
  options.schemas = schemas;
  const Answer answer = ReadInAllWays([&] { return std::make_unique<FreeCallReader>(options); }, text, seed);
  Require(answer.names.size() <= kCallsMax, "more calls than were asked for");
  Require(!answer.names.empty() || answer.content == text, "text was lost");
  for (size_t i = 0; i < answer.names.size(); ++i) RequireCall(answer, i, "what was read is no call");
}

struct Forced {
  ForcedCalls calls;
  std::shared_ptr<const Grammar> grammar;
};

void ReadForced(const Forced& forced, std::string_view text, uint32_t seed) {
  const Answer answer = ReadInAllWays([&] { return std::make_unique<ForcedCallReader>(forced.calls); }, text, seed);
  ByteMatcher matcher(*forced.grammar);
  if (!matcher.Accept(text) || !matcher.MayEnd() || matcher.Overflowed()) return;
  Require(!answer.names.empty() && answer.content.empty(), "an answer by the schema is calls and nothing else");
  for (size_t i = 0; i < answer.names.size(); ++i) RequireCall(answer, i, "an answer by the schema is no call");
}

// For each form, and all functions or the first only.
const std::vector<Forced>& ForcedForms() {
  static const std::vector<Forced> made = [] {
    std::vector<Forced> plans;
    for (size_t count = 1; count <= Functions().size(); ++count) {
      const std::vector<Json> functions(Functions().begin(), Functions().begin() + static_cast<ptrdiff_t>(count));
      for (const ToolSyntax& form : Forms()) {
        Forced forced;
        forced.calls = PlanForcedCalls(form, functions, kCallsMax);
        auto grammar = Grammar::FromJsonSchema(forced.calls.json_schema);
        Require(grammar.ok(), "the schema of a call is refused");
        forced.grammar = *std::move(grammar);
        plans.push_back(std::move(forced));
      }
    }
    return plans;
  }();
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, std::min(size - 2, kAnswerBytesMax));
  const size_t choice = data[0] % (Forms().size() + ForcedForms().size());
  if (choice < Forms().size()) {
    ReadFree(Forms()[choice], text, data[1]);
  } else {
    ReadForced(ForcedForms()[choice - Forms().size()], text, data[1]);
  }
  return 0;
}
