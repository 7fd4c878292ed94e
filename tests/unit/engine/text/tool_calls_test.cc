// Calls of tools: how templates write them, how they are read out of answers, how they are asked for.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/counter_random.h"
#include "engine/text/chat_template.h"
#include "engine/text/constraint/grammar.h"
#include "engine/text/constraint/pushdown.h"
#include "engine/text/tool_calls/forced_calls.h"
#include "engine/text/tool_calls/free_call_reader.h"
#include "tests/support/test_data.h"
#include "tests/unit/engine/text/read_calls.h"

namespace enigma::engine {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::HasSubstr;
using testing::MakeTemplate;
using testing::ReadFreely;
using testing::ReadIn;
using testing::SyntaxOf;
using Shape = ToolSyntax::Shape;

// The forms, as their models' templates write them, cut down to what matters.
constexpr char kTagged[] =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}{% for c in m.tool_calls or [] %}\n<tool_call>\n"
    "{\"name\": \"{{ c.function.name }}\", \"arguments\": {{ c.function.arguments | tojson }}}\n</tool_call>{% endfor "
    "%}<|im_end|>\n{% endfor %}";
constexpr char kFunctionTag[] =
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% for c in m.tool_calls or [] %}<function={{ c.function.name "
    "}}>{{ c.function.arguments | tojson }}</function>{% endfor %}<|eot|>{% endfor %}";
constexpr char kSections[] =
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% if m.tool_calls %}<calls>{% for c in m.tool_calls %}"
    "<call>function<sep>{{ c.function.name }}\n```json\n{{ c.function.arguments | tojson }}\n```</call>{% if not "
    "loop.last %}\n{% endif %}{% endfor %}</calls>{% endif %}<end>{% endfor %}";
constexpr char kWrapped[] =
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% if m.tool_calls %}<calls>[{% for c in m.tool_calls %}"
    "{\"type\": \"function\", \"function\": {\"name\": \"{{ c.function.name }}\", \"arguments\": "
    "{{ c.function.arguments | tojson }}}}{% if not loop.last %}, {% endif %}{% endfor %}]</calls>{% endif %}<end>"
    "{% endfor %}";
constexpr char kNoCalls[] = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}";

TEST(ToolSyntaxTest, IsReadOffTheTemplate) {
  const ToolSyntax tagged = SyntaxOf(kTagged);
  EXPECT_EQ(tagged.shape, Shape::kObject);
  EXPECT_EQ(tagged.open, "<tool_call>\n");
  EXPECT_EQ(tagged.close, "\n</tool_call>");
  EXPECT_EQ(tagged.begin + tagged.end, "");
  EXPECT_FALSE(tagged.list);
  EXPECT_EQ(tagged.name_key + tagged.arguments_key, "namearguments");

  const ToolSyntax function = SyntaxOf(kFunctionTag);
  EXPECT_EQ(function.shape, Shape::kNamed);
  EXPECT_EQ(function.open, "<function=");
  EXPECT_EQ(function.separator, ">");
  EXPECT_EQ(function.close, "</function>");

  const ToolSyntax sections = SyntaxOf(kSections);
  EXPECT_EQ(sections.shape, Shape::kNamed);
  EXPECT_EQ(sections.begin, "<calls>");
  EXPECT_EQ(sections.open, "<call>function<sep>");
  EXPECT_EQ(sections.separator, "\n```json\n");
  EXPECT_EQ(sections.close, "\n```</call>");
  EXPECT_EQ(sections.end, "</calls>");

  const ToolSyntax wrapped = SyntaxOf(kWrapped);
  EXPECT_EQ(wrapped.shape, Shape::kObject);
  EXPECT_TRUE(wrapped.list && wrapped.wrapped);
  EXPECT_EQ(wrapped.open + wrapped.close, "<calls></calls>");

  EXPECT_EQ(SyntaxOf(kNoCalls), ToolSyntax());
}

TEST(ToolSyntaxTest, OfRealTemplates) {
  const auto of = [](const char* name) {
    const auto path = enigma::testing::TestDataPath(std::string("chat_templates/templates/") + name);
    return path ? std::optional(MakeTemplate(enigma::testing::ReadFileOrDie(*path))) : std::nullopt;
  };
  const auto qwen = of("Qwen-Qwen2.5-7B-Instruct.jinja");
  if (!qwen) GTEST_SKIP() << "test data absent: chat_templates (set ENIGMA_TEST_DATA)";
  EXPECT_EQ(qwen->tool_syntax().open, "<tool_call>\n");
  EXPECT_EQ(qwen->tool_syntax().close, "\n</tool_call>");
  EXPECT_TRUE(qwen->abilities().several_calls && qwen->abilities().tool_results && qwen->abilities().tools);
  EXPECT_FALSE(qwen->abilities().short_call_ids);

  const auto llama = of("meta-llama-Llama-3.2-3B-Instruct.jinja");
  EXPECT_EQ(llama->tool_syntax().shape, Shape::kObject);
  EXPECT_EQ(llama->tool_syntax().open + llama->tool_syntax().close, "");
  EXPECT_EQ(llama->tool_syntax().arguments_key, "parameters");
  EXPECT_FALSE(llama->abilities().several_calls);
  EXPECT_TRUE(llama->abilities().tool_results && llama->abilities().tools);

  const auto mistral = of("mistralai-Mistral-Nemo-Instruct-2407.jinja");
  EXPECT_EQ(mistral->tool_syntax().open, "[TOOL_CALLS]");
  EXPECT_EQ(mistral->tool_syntax().close, "");
  EXPECT_TRUE(mistral->tool_syntax().list);
  EXPECT_TRUE(mistral->abilities().short_call_ids && mistral->abilities().several_calls);

  for (const char* name : {"google-gemma-2-2b-it.jinja", "microsoft-Phi-3.5-mini-instruct.jinja"}) {
    const auto none = of(name);
    EXPECT_EQ(none->tool_syntax(), ToolSyntax()) << name;
    EXPECT_FALSE(none->abilities().tools || none->abilities().tool_calls || none->abilities().tool_results) << name;
  }
}

std::string Read(const ToolSyntax& syntax, const std::string& answer, size_t calls_max = 100) {
  return ReadFreely({.syntax = syntax, .names = {"f", "get_time"}, .calls_max = calls_max}, answer);
}

TEST(FreeCallReaderTest, TaggedCalls) {
  const ToolSyntax syntax = SyntaxOf(kTagged);
  const struct {
    const char* answer;
    const char* read;
  } cases[] = {
      {"Hello", "Hello"},
      {"  a < b  ", "  a < b  "},
      {"<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": 1}}\n</tool_call>", "|f({\"x\":1})"},
      {"Let me see.\n<tool_call>\n{\"name\": \"f\", \"arguments\": "
       "{}}\n</tool_call>\n<tool_call>{\"name\":\"get_time\","
       "\"arguments\":{\"z\":\"}</tool_call>\\\"\"}}</tool_call>\n",
       "Let me see.|f({})|get_time({\"z\":\"}</tool_call>\\\"\"})"},
      {"<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call> and so on", "and so on|f({})"},
      // Without its closing mark, at the end and before another.
      {"<tool_call>{\"name\": \"f\", \"arguments\": {}}", "|f({})"},
      {"<tool_call>{\"name\": \"f\", \"arguments\": {}}\n</tool", "|f({})"},
      {"<tool_call>{\"name\": \"f\", \"arguments\": {}}<tool_call>{\"name\": \"f\", \"arguments\": {}}",
       "|f({})|f({})"},
      // Keys mixed up, arguments as text.
      {"<tool_call>{\"name\": \"f\", \"parameters\": {\"x\": 1}}</tool_call>", "|f({\"x\":1})"},
      {"<tool_call>{\"name\": \"f\", \"arguments\": \"{\\\"x\\\": 1}\"}</tool_call>", "|f({\"x\":1})"},
      // No calls: text, every byte of it.
      {"<tool_call", "<tool_call"},
      {"<tool_call>", "<tool_call>"},
      {"a <tool_call> b", "a <tool_call> b"},
      {"<tool_call>{\"name\": \"unknown\", \"arguments\": {}}</tool_call>",
       "<tool_call>{\"name\": \"unknown\", \"arguments\": {}}</tool_call>"},
      {"<tool_call>{\"name\": \"f\", \"arguments\": [1]}</tool_call>",
       "<tool_call>{\"name\": \"f\", \"arguments\": [1]}</tool_call>"},
      {"<tool_call>{\"name\": \"f\"}</tool_call>", "<tool_call>{\"name\": \"f\"}</tool_call>"},
      {"<tool_call>{\"name\": \"f\", \"arguments\": {]}</tool_call>",
       "<tool_call>{\"name\": \"f\", \"arguments\": {]}</tool_call>"},
      {"<tool_call>{\"name\": \"f\", \"argum", "<tool_call>{\"name\": \"f\", \"argum"},
      {"x <tool_call>no</tool_call>\n<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>",
       "x <tool_call>no</tool_call>|f({})"},
  };
  for (const auto& one : cases) EXPECT_EQ(Read(syntax, one.answer), one.read) << one.answer;
  const std::string deep = "<tool_call>" + std::string(100'000, '[');
  FreeCallReader reader({.syntax = syntax, .names = {"f"}});
  EXPECT_EQ(ReadIn(reader, deep, 5000), deep);
  EXPECT_EQ(Read(syntax, cases[3].answer, 1), "Let me see.|f({})") << "one call only";
}

TEST(FreeCallReaderTest, OtherForms) {
  const ToolSyntax llama = [] {
    ToolSyntax syntax = ToolSyntax::PlainJson();
    syntax.arguments_key = "parameters";
    return syntax;
  }();
  ToolSyntax mistral = ToolSyntax::PlainJson();
  mistral.list = true;
  mistral.open = "[TOOL_CALLS]";
  const ToolSyntax function = SyntaxOf(kFunctionTag);
  const ToolSyntax sections = SyntaxOf(kSections);
  const ToolSyntax wrapped = SyntaxOf(kWrapped);
  const std::string padded = "<function=f" + std::string(300, ' ') + ">{}</function>";
  const struct {
    const ToolSyntax& syntax;
    const char* answer;
    const char* read;
  } cases[] = {
      {llama, "{\"name\": \"f\", \"parameters\": {\"x\": 1}}", "|f({\"x\":1})"},
      {llama, " <|python_tag|>{\"name\": \"f\", \"parameters\": {}}; {\"name\": \"get_time\", \"parameters\": {}}",
       "|f({})|get_time({})"},
      {llama, "[{\"name\": \"f\", \"arguments\": {}}, {\"name\": \"f\", \"arguments\": {}}]", "|f({})|f({})"},
      {llama, "{\"name\": \"Ann\", \"age\": 7}", "{\"name\": \"Ann\", \"age\": 7}"},
      {llama, "It is {\"name\": \"f\", \"parameters\": {}}", "It is {\"name\": \"f\", \"parameters\": {}}"},
      {llama, "{\"name\": \"f\", \"param", "{\"name\": \"f\", \"param"},
      {llama, "{ x } and y", "{ x } and y"},
      {llama, "[1, 2]", "[1, 2]"},
      {mistral, "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {\"x\": [1]}, \"id\": \"123456789\"}]",
       "|f({\"x\":[1]})"},
      {mistral,
       "Sure. [TOOL_CALLS] [{\"name\": \"f\", \"arguments\": {}}, {\"name\": \"get_time\", \"arguments\": {}}]",
       "Sure.|f({})|get_time({})"},
      {mistral, "[TOOL_CALLS]{\"name\": \"f\", \"arguments\": {}}", "|f({})"},
      {mistral, "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {}}, 5]",
       "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {}}, 5]"},
      {mistral, "[TOOL] [1]", "[TOOL] [1]"},
      {function, "<function=f>{\"x\": {}}</function>", "|f({\"x\":{}})"},
      {function, "ok <function=get_time>{}</function><function=f>{}</function>", "ok|get_time({})|f({})"},
      {function, "<function=g>{}</function>", "<function=g>{}</function>"},
      {function, "<function=f>[]</function>", "<function=f>[]</function>"},
      {sections,
       "Hm.<calls><call>function<sep>f\n```json\n{\"x\": 1}\n```</call>\n<call>function<sep>get_time\n```json\n{}\n```"
       "</call></calls>",
       "Hm.|f({\"x\":1})|get_time({})"},
      {sections, "<calls>none</calls>", "<calls>none</calls>"},
      // What is longer than any name, however it comes.
      {function, padded.c_str(), padded.c_str()},
      {wrapped, "<calls>[{\"type\": \"function\", \"function\": {\"name\": \"f\", \"arguments\": {}}}]</calls>",
       "|f({})"},
  };
  for (const auto& one : cases) EXPECT_EQ(Read(one.syntax, one.answer), one.read) << one.answer;
}

// Answers put together from what calls are made of: cut as they may be, they read alike, and without a call they are
// what they were.
TEST(FreeCallReaderTest, NothingIsLostHoweverItComes) {
  const char* const parts[] = {"<tool_call>",
                               "</tool_call>",
                               "{\"name\": \"f\", \"arguments\": {}}",
                               "{\"name\":",
                               "[",
                               "]",
                               "{",
                               "}",
                               "\"",
                               " ",
                               "\n",
                               "text",
                               "<",
                               "<tool",
                               "[TOOL_CALLS]",
                               ",",
                               "<|python_tag|>",
                               "<function=f>",
                               "</function>",
                               "<calls>",
                               "</calls>",
                               "<call>function<sep>f"};
  ToolSyntax list = ToolSyntax::PlainJson();
  list.open = "[TOOL_CALLS]";
  list.list = true;
  const ToolSyntax syntaxes[] = {SyntaxOf(kTagged), SyntaxOf(kFunctionTag), SyntaxOf(kSections),
                                 ToolSyntax::PlainJson(), list};
  int with_calls = 0;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    std::string answer;
    for (uint64_t i = 0; i < 1 + seed % 9; ++i) {
      answer += parts[static_cast<size_t>(CounterUniform(seed, 1, i) * static_cast<double>(std::size(parts)))];
    }
    const std::string read = Read(syntaxes[seed % std::size(syntaxes)], answer);
    const bool called = read.find("|f({") != std::string::npos;
    with_calls += called ? 1 : 0;
    EXPECT_TRUE(called || read == answer) << answer << " became " << read;
  }
  EXPECT_GT(with_calls, 25);
}

// Each byte is looked at once, however it comes: else these pieces would cost hours.
TEST(FreeCallReaderTest, ALongAnswerIsReadInOnePass) {
  std::string answer = "{\"name\": \"f\", \"arguments\": {\"text\": \"";
  while (answer.size() < 500'000) answer += "a line with } and ] ";
  FreeCallReader reader({.syntax = ToolSyntax::PlainJson(), .names = {"f"}});
  const std::string read = ReadIn(reader, answer + "\"}}", 4);
  EXPECT_EQ(read.substr(0, 11), "|f({\"text\":");
  EXPECT_GT(read.size(), 499'000U);
  FreeCallReader broken({.syntax = ToolSyntax::PlainJson(), .names = {"f"}});
  EXPECT_EQ(ReadIn(broken, answer, 4), answer);
}

std::vector<Json> Functions() {
  return {Json::parse(R"({"name": "f", "parameters": {"type": "object", "properties": {"p": {"$ref": "#/$defs/p"}},
              "required": ["p"], "$defs": {"p": {"enum": ["a", "}"]}}, "additionalProperties": false}})"),
          Json::parse(R"({"name": "get_time"})")};
}

TEST(ForcedCallsTest, HoldAnswersToTheFormOfTheModel) {
  const struct {
    ToolSyntax syntax;
    size_t functions;
    const char* prefill;
    std::vector<const char*> good;
    std::vector<const char*> bad;
    const char* read;  // of the last good one
  } cases[] = {
      {SyntaxOf(kTagged),
       2,
       "<tool_call>\n",
       {R"({"name": "get_time", "arguments": {}})", R"({"name": "f", "arguments": {"p": "}"}})"},
       {R"({"name": "h)", R"({"name": "f", "arguments": {}})", R"({"name": "get_time", "arguments": {")", "[", "Hello"},
       "|f({\"p\": \"}\"})"},
      {SyntaxOf(kFunctionTag),
       1,
       "<function=f>",
       {R"({"p": "a"})"},
       {R"({"name")", "{}", "[", "x"},
       "|f({\"p\": \"a\"})"},
      {SyntaxOf(kFunctionTag), 2, "", {R"({"name": "f", "arguments": {"p": "a"}})"}, {"{}", "<"}, "|f({\"p\": \"a\"})"},
      {SyntaxOf(kWrapped),
       2,
       "<calls>",
       {R"([{"type": "function", "function": {"name": "get_time", "arguments": {}}}])",
        R"([{"type": "function", "function": {"name": "get_time", "arguments": {}}}, {"type": "function", "function": {"name": "f", "arguments": {"p": "a"}}}])"},
       {"[]", "{", R"([{"name")"},
       "|get_time({})|f({\"p\": \"a\"})"},
      {ToolSyntax(), 2, "", {R"({"name": "get_time", "arguments": {}})"}, {"[", "{}"}, "|get_time({})"},
  };
  for (const auto& one : cases) {
    std::vector<Json> functions = Functions();
    functions.resize(one.functions);
    const ForcedCalls forced = PlanForcedCalls(one.syntax, functions, 2);
    EXPECT_EQ(forced.prefill, one.prefill);
    const auto grammar = Grammar::FromJsonSchema(forced.json_schema);
    ASSERT_TRUE(grammar.ok()) << grammar.status() << forced.json_schema;
    for (const std::string good : one.good) {
      ByteMatcher matcher(**grammar);
      EXPECT_TRUE(matcher.Accept(good) && matcher.MayEnd()) << good << " for " << forced.json_schema;
    }
    for (const std::string bad : one.bad) {
      ByteMatcher matcher(**grammar);
      EXPECT_FALSE(matcher.Accept(bad) && (bad.back() != '}' || matcher.MayEnd()))
          << bad << " for " << forced.json_schema;
    }
    for (const size_t size : {size_t{1}, size_t{5}, size_t{1000}}) {
      ForcedCallReader reader(forced);
      EXPECT_EQ(ReadIn(reader, one.good.back(), size), one.read);
    }
  }
}

TEST(ForcedCallsTest, ArgumentsAreGivenOnAsTheyCome) {
  ForcedCallReader reader(PlanForcedCalls(ToolSyntax::PlainJson(), Functions(), 1));
  EXPECT_TRUE(reader.Add(R"( {"name": "f", "argu)").empty());
  ToolOutput out = reader.Add(R"(ments": {"p)");
  ASSERT_EQ(out.calls.size(), 1U);
  EXPECT_EQ(out.calls[0].name, "f");
  EXPECT_EQ(out.calls[0].arguments, "{\"p");
  out = reader.Add(R"(": "\"}"})");
  ASSERT_EQ(out.calls.size(), 1U);
  EXPECT_EQ(out.calls[0].name + out.calls[0].arguments, R"(": "\"}"})");
  EXPECT_TRUE(reader.Add("}").empty());
}

TEST(ForcedCallsTest, OrAnAnswerBySchema) {
  const auto grammar = Grammar::FromJsonSchema(SchemaOfCallOr(
      Functions(), R"({"type":"object","properties":{"a":{"$ref":"#/definitions/n"}},"required":["a"],"definitions":
          {"n":{"type":"null"}}})"));
  ASSERT_TRUE(grammar.ok()) << grammar.status();
  for (const char* good : {R"({"a": null})", R"({"name": "get_time", "arguments": {}})"}) {
    ByteMatcher matcher(**grammar);
    EXPECT_TRUE(matcher.Accept(good) && matcher.MayEnd()) << good;
  }
  EXPECT_FALSE(ByteMatcher(**grammar).Accept(R"({"a": 1)"));
  EXPECT_TRUE(Grammar::FromJsonSchema(SchemaOfCallOr(Functions(), "")).ok());
}

TEST(ForcedCallsTest, ReferencesMoveWithTheirSchema) {
  const Json schema = Json::parse(R"({"$ref": "#/$defs/a", "properties": {"$ref": {"$ref": "#"}, "default": {"$ref":
      "#/x"}}, "default": "#", "enum": [{"$ref": "#"}], "items": [{"$ref": "other"}]})");
  EXPECT_EQ(MovedSchema(schema, "#/$defs/t"), Json::parse(R"({"$ref": "#/$defs/t/$defs/a", "properties": {"$ref":
      {"$ref": "#/$defs/t"}, "default": {"$ref": "#/$defs/t/x"}}, "default": "#", "enum": [{"$ref": "#"}], "items":
      [{"$ref": "other"}]})"));
}

constexpr char kConversation[] = R"([{"role": "user", "content": "q"},
    {"role": "assistant", "content": "Hm.", "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}},
        {"id": "call_2", "type": "function", "function": {"name": "g", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "call_2", "content": "two"},
    {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "one"}]}])";

std::string Rendered(const std::string& source, const char* tools = "null") {
  ChatRequest request;
  request.messages = Json::parse(kConversation);
  request.tools = Json::parse(tools);
  return MakeTemplate(source).Render(request).value();
}

TEST(ToolMessagesTest, TakeTheFormThatTheTemplateKnows) {
  EXPECT_EQ(Rendered(kNoCalls),
            "<user>q<assistant>Hm.\n{\"name\":\"f\",\"arguments\":{\"x\":1}}\n{\"name\":\"g\",\"arguments\":{}}"
            "<user>Result of the function g:\ntwo\n\nResult of the function f:\none");
  // One call in each message, and ids of nine letters.
  const std::string strict =
      "{% for m in messages %}<{{ m.role }}>{% if m.tool_calls %}{% if m.tool_calls | length != 1 or "
      "m.tool_calls[0].id "
      "| length != 9 %}{{ raise_exception('no') }}{% endif %}{{ m.content }}{{ m.tool_calls[0].function | tojson }}"
      "{{ m.tool_calls[0].id }}{% elif m.role == 'tool' %}{{ m.content + m.tool_call_id }}{% else %}{{ m.content }}"
      "{% endif %}{% endfor %}";
  const std::string rendered = Rendered(strict);
  EXPECT_THAT(rendered, HasSubstr("<assistant>Hm.{\"name\": \"f\", \"arguments\": {\"x\": 1}}"));
  const size_t id = rendered.find("1}}") + 3;
  const std::string first = rendered.substr(id, 9);
  EXPECT_EQ(rendered.substr(id + 9, 24 + first.size()).find("<tool>one" + first + "<assistant>"), 0U) << rendered;
  EXPECT_THAT(rendered, HasSubstr("<tool>two"));
}

TEST(ToolMessagesTest, ToolsAreDescribedWhereTheTemplateHasNoPlaceForThem) {
  const char* const tools = R"([{"type": "function", "function": {"name": "f", "description": "Does."}}])";
  const std::string rendered = Rendered(kNoCalls, tools);
  EXPECT_THAT(rendered, HasSubstr("<system>You can call functions."));
  EXPECT_THAT(rendered, HasSubstr("{\"name\":\"f\",\"description\":\"Does.\"}<user>q"));
  ChatRequest request;
  request.messages = Json::parse(R"([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "q"}])");
  request.tools = Json::parse(tools);
  EXPECT_THAT(MakeTemplate(kNoCalls).Render(request).value(),
              HasSubstr("<system>Be brief.\n\nYou can call functions."));
}

}  // namespace
}  // namespace enigma::engine
