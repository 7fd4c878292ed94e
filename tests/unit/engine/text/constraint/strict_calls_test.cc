// Answers that may be text or hold calls: what the grammar lets pass, and that a reader finds no call in it that breaks
// a strict tool's schema.

#include "engine/text/tool_calls/strict_calls.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/counter_random.h"
#include "engine/text/constraint/grammar.h"
#include "engine/text/constraint/pushdown.h"
#include "tests/unit/engine/text/read_calls.h"

namespace enigma::engine {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::HasSubstr;

const char* const kTagged =
    "{% for m in messages %}<|im_start|>{{ m.content }}{% for c in m.tool_calls or [] %}\n<tool_call>\n"
    "{\"name\": \"{{ c.function.name }}\", \"arguments\": {{ c.function.arguments | tojson }}}\n</tool_call>{% endfor "
    "%}<|im_end|>\n{% endfor %}";
const char* const kFunctionTag =
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% for c in m.tool_calls or [] %}<function={{ c.function.name "
    "}}>{{ c.function.arguments | tojson }}</function>{% endfor %}<|eot|>{% endfor %}";
const char* const kSections =
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% if m.tool_calls %}<calls>{% for c in m.tool_calls %}"
    "<call>function<sep>{{ c.function.name }}\n```json\n{{ c.function.arguments | tojson }}\n```</call>{% if not "
    "loop.last %}\n{% endif %}{% endfor %}</calls>{% endif %}<end>{% endfor %}";
const char* const kListed =
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% if m.tool_calls %}[CALLS][{% for c in m.tool_calls %}"
    "{\"name\": \"{{ c.function.name }}\", \"arguments\": {{ c.function.arguments | tojson }}, \"id\": \"{{ c.id }}\"}"
    "{% if not loop.last %}, {% endif %}{% endfor %}]{% endif %}<end>{% endfor %}";
const char* const kWithIds =
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% for c in m.tool_calls or [] %}[CALLS]{{ c.function.name "
    "}}[ID]{{ c.id }}[ARGS]{{ c.function.arguments | tojson }}{% endfor %}<end>{% endfor %}";

ToolSyntax Bare() { return ToolSyntax::PlainJson(); }

std::vector<Json> Functions() {
  return {{{"name", "time_in"},
           {"parameters", Json::parse(R"({"type":"object","properties":{"city":{"enum":["Rome","Oslo"]}},
                                         "required":["city"],"additionalProperties":false})")},
           {"strict", true}},
          {{"name", "time"}, {"parameters", Json::parse(R"({"properties":{"zone":{"multipleOf":2}}})")}}};
}

std::shared_ptr<const Grammar> GrammarOf(const ToolSyntax& syntax, bool several = true) {
  auto grammar = Grammar::FromJsonSchema(SchemaOfStrictCalls(syntax, Functions(), several));
  EXPECT_TRUE(grammar.ok()) << grammar.status();
  return grammar.ok() ? *grammar : nullptr;
}

// How much of `text` is allowed, with " and an end" where it may end behind that.
std::string Allowed(const Grammar& grammar, std::string_view text) {
  ByteMatcher matcher(grammar);
  size_t taken = 0;
  while (taken < text.size() && matcher.Accept(text.substr(taken, 1))) ++taken;
  const bool whole = taken == text.size();
  return whole && matcher.MayEnd() ? "all" : std::string(text.substr(0, taken)) + "^" + (matcher.MayEnd() ? "." : "");
}

TEST(StrictCallsTest, TextIsFreeUntilAMarkIsComplete) {
  const auto grammar = GrammarOf(testing::SyntaxOf(kTagged));
  ASSERT_NE(grammar, nullptr);
  for (const char* text : {"", "No call: {\"name\": 1} [", "<tool_", "<tool_cal l>", "<<tool_<tool_call", "\x80\xff\n",
                           "</tool_call>", "{\"name\": \"time_in\", \"arguments\": {}}"}) {
    EXPECT_EQ(Allowed(*grammar, text), "all") << text;
  }
  // Behind a mark, wherever it stands, there is a call, and no end before it is whole.
  EXPECT_EQ(Allowed(*grammar, "Well <tool_call>"), "Well <tool_call>^");
  EXPECT_EQ(Allowed(*grammar, "<<tool_<tool_call>x"), "<<tool_<tool_call>^");
  EXPECT_EQ(Allowed(*grammar, "<tool_call>\n{\"name\": \"other"), "<tool_call>\n{\"name\": \"^");
  EXPECT_EQ(Allowed(*grammar, "<tool_call>{\"name\": \"time_in\", \"arguments\": {\"city\": \"Rome\"}}\n"),
            "<tool_call>{\"name\": \"time_in\", \"arguments\": {\"city\": \"Rome\"}}\n^");
  EXPECT_EQ(Allowed(*grammar, "<tool_call>{\"name\": \"time_in\", \"arguments\": {}}"),
            "<tool_call>{\"name\": \"time_in\", \"arguments\": {^")
      << "its schema has a required property";
  EXPECT_EQ(
      Allowed(*grammar, "<tool_call>{\"name\": \"time\", \"arguments\": {\"zone\": 3, \"any\": [1]}}</tool_call>"),
      "all")
      << "a tool that is not strict takes any object";
  const std::string call = "<tool_call>\n{\"name\": \"time_in\", \"arguments\": {\"city\": \"Oslo\"}}\n</tool_call>";
  EXPECT_EQ(Allowed(*grammar, call + "\n" + call + " and more."), "all");
  EXPECT_EQ(Allowed(*grammar, call + "<tool_call>x"), call + "<tool_call>^");
}

TEST(StrictCallsTest, OneCallIsTheEndWhereNoMoreAreAskedFor) {
  const auto grammar = GrammarOf(testing::SyntaxOf(kTagged), /*several=*/false);
  ASSERT_NE(grammar, nullptr);
  const std::string call = "<tool_call>{\"name\": \"time\", \"arguments\": {}}</tool_call>";
  EXPECT_EQ(Allowed(*grammar, "So: " + call), "all");
  EXPECT_EQ(Allowed(*grammar, call + "\n" + call), call + "\n^.");
  const auto listed = GrammarOf(testing::SyntaxOf(kListed), /*several=*/false);
  EXPECT_EQ(Allowed(*listed, R"(a [CALLS][{"name": "time", "arguments": {}}])"), "all");
  EXPECT_EQ(Allowed(*listed, R"([CALLS][{"name": "time", "arguments": {}}, )"),
            R"([CALLS][{"name": "time", "arguments": {}}^)");
}

TEST(StrictCallsTest, EveryFormHasItsGrammar) {
  const auto function = GrammarOf(testing::SyntaxOf(kFunctionTag));
  EXPECT_EQ(
      Allowed(*function, R"(a <function=time_in>{"city": "Rome"}</function><function=time>{"a": 1}</function> b)"),
      "all");
  EXPECT_EQ(Allowed(*function, R"(<function=time_in>{"town)"), R"(<function=time_in>{"^)");
  EXPECT_EQ(Allowed(*function, "<function=tim>"), "<function=tim^") << "one name begins another";
  EXPECT_EQ(Allowed(*function, "<function=times>"), "<function=time^");

  const auto sections = GrammarOf(testing::SyntaxOf(kSections));
  const std::string call = "<call>function<sep>time_in\n```json\n{\"city\": \"Rome\"}\n```</call>";
  EXPECT_EQ(Allowed(*sections, "a <calls>" + call + "\n" + call + "</calls>"), "all");
  EXPECT_EQ(Allowed(*sections, "a <calls>b"), "a <calls>^") << "what opens all calls opens one";
  EXPECT_EQ(Allowed(*sections, "<call>function<sep>time_in\n{"), "<call>function<sep>time_in\n^");

  const auto listed = GrammarOf(testing::SyntaxOf(kListed));
  EXPECT_EQ(Allowed(*listed, R"(a [CALLS][{"name": "time", "arguments": {}}, {"name": "time", "arguments": {}}] b)"),
            "all");
  EXPECT_EQ(Allowed(*listed, "[CALLS][]"), "[CALLS][^");

  const auto ids = GrammarOf(testing::SyntaxOf(kWithIds));
  EXPECT_EQ(Allowed(*ids, R"(a [CALLS]time_in[ID]abc123[ARGS]{"city": "Rome"})"), "all");
  EXPECT_EQ(Allowed(*ids, "[CALLS]time[ID][ARGS]"), "[CALLS]time[ID]^");
}

TEST(StrictCallsTest, BareJsonIsACallWhereTheAnswerBeginsWithIt) {
  const auto grammar = GrammarOf(Bare());
  EXPECT_EQ(Allowed(*grammar, "It is {\"a\": 1}."), "all");
  EXPECT_EQ(Allowed(*grammar, "[1] says so"), "all");
  EXPECT_EQ(Allowed(*grammar, " \n{\"name\": \"time_in\", \"arguments\": {\"city\": \"Rome\"}}"), "all");
  EXPECT_EQ(Allowed(*grammar, "{\"a\""), "{\"^");
  EXPECT_EQ(Allowed(*grammar, "[ {"), "[ ^.");
  EXPECT_EQ(Allowed(*grammar, "Hm <|python_tag|>x"), "Hm <|python_tag|>^");
  const std::string call = "{\"name\": \"time\", \"arguments\": {}}";
  EXPECT_EQ(Allowed(*grammar, call + "; " + call + "\n" + call), "all");
  EXPECT_EQ(Allowed(*grammar, call + "x"), call + "^.") << "behind such calls there is no text";
  EXPECT_EQ(Allowed(*GrammarOf(Bare(), /*several=*/false), call + ";"), call + "^.");
}

// Outputs put together at random from what calls are made of: what is read out of them keeps to the schemas.
TEST(StrictCallsTest, WhatIsReadKeepsToTheSchemas) {
  const std::vector<std::string> pieces = {"<tool_call>",
                                           "</tool_call>",
                                           "<function=",
                                           "</function>",
                                           ">",
                                           "<calls>",
                                           "</calls>",
                                           "<call>function<sep>",
                                           "```json",
                                           "```</call>",
                                           "[CALLS]",
                                           "[ARGS]",
                                           "[ID]",
                                           "x1",
                                           "<|python_tag|>",
                                           "\n",
                                           " ",
                                           "{",
                                           "}",
                                           "[",
                                           "]",
                                           ",",
                                           ";",
                                           "\"name\": \"time_in\"",
                                           "\"name\": \"time\"",
                                           ", ",
                                           "\"arguments\": ",
                                           "\"city\": \"Rome\"",
                                           "\"city\": \"Paris\"",
                                           "\"town\": 1",
                                           "{\"city\": \"Oslo\"}",
                                           "{}",
                                           "time_in",
                                           "time",
                                           R"({"name": "time_in", "arguments": {"city": "Paris"}})",
                                           R"({"name": "time_in", "arguments": {"city": "Rome"}})"};
  for (const ToolSyntax& syntax :
       {testing::SyntaxOf(kTagged), testing::SyntaxOf(kFunctionTag), testing::SyntaxOf(kSections),
        testing::SyntaxOf(kListed), testing::SyntaxOf(kWithIds), Bare()}) {
    ASSERT_TRUE(CanHoldCalls(syntax));
    const auto grammar = GrammarOf(syntax);
    size_t strict_calls = 0;
    for (uint64_t seed = 0; seed < 1000; ++seed) {
      ByteMatcher matcher(*grammar);
      std::string answer;
      for (uint64_t i = 0; i < 120; ++i) {
        const double drawn = CounterUniform(seed, 1, i) * static_cast<double>(pieces.size());
        const std::string& piece = pieces[static_cast<size_t>(drawn)];
        if (matcher.Accept(piece)) answer += piece;
      }
      FreeCallReader reader({.syntax = syntax, .names = {"time_in", "time"}});
      for (const ToolOutput& output : {reader.Add(answer), reader.Finish()}) {
        for (const ToolOutput::Piece& call : output.calls) {
          if (call.name != "time_in") continue;
          ++strict_calls;
          EXPECT_TRUE(call.arguments == R"({"city":"Rome"})" || call.arguments == R"({"city":"Oslo"})") << answer;
        }
      }
    }
    EXPECT_GT(strict_calls, 25U) << syntax.open;
  }
}

TEST(StrictCallsTest, WhatIsWrongIsNamed) {
  const auto message = [](const std::string& document) {
    return std::string(Grammar::FromJsonSchema(document).status().message());
  };
  EXPECT_THAT(message(R"({"$calls": {}, "type": "object"})"), HasSubstr("#/type: it does not go with $calls"));
  EXPECT_THAT(message(R"({"$calls": []})"), HasSubstr("#/$calls"));
  EXPECT_THAT(message(R"({"$calls": {"calls": [{"value": true}]}})"), HasSubstr("nothing that one begins with"));
  EXPECT_THAT(message(R"({"$calls": {"marks": [{"text": "<a>", "loud": 1}]}})"), HasSubstr("#/$calls/marks/0/loud"));
  EXPECT_THAT(message(R"({"$calls": {"marks": [{"text": "<a>"}], "calls": [{}]}})"),
              HasSubstr("#/$calls/calls/0/value"));
  EXPECT_THAT(message(R"({"$calls": {"marks": [{"text": "<a>"}], "calls": [{"value": {"multipleOf": 2}}]}})"),
              HasSubstr("#/$calls/calls/0/value/multipleOf"));
  EXPECT_THAT(message(R"({"$calls": {"marks": [{"text": "<a>"}], "calls": [{"value": {"type": "object",
                          "required": ["x"], "properties": {"x": false}}}]}})"),
              HasSubstr("no finite JSON value"));
  EXPECT_THAT(message(R"({"properties": {"a": {"$calls": {}}}})"), HasSubstr("#/properties/a/$calls"));
  const std::string long_mark(5000, 'x');
  EXPECT_EQ(Grammar::FromJsonSchema(R"({"$calls": {"marks": [{"text": ")" + long_mark + R"("}],
                                       "calls": [{"value": true}]}})")
                .status()
                .code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace enigma::engine
