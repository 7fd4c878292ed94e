// Calls of tools whose arguments are no JSON: how templates write them, how they are read, what their values become.
#include <chrono>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/counter_random.h"
#include "engine/text/tool_calls/argument_value.h"
#include "engine/text/tool_calls/forced_calls.h"
#include "engine/text/tool_calls/free_call_reader.h"
#include "tests/unit/engine/text/read_calls.h"

namespace enigma::engine {
namespace {

using testing::ReadFreely;
using testing::ReadIn;
using testing::SyntaxOf;
using Json = nlohmann::ordered_json;
using Shape = ToolSyntax::Shape;

// A template that writes calls in this way: what stands before the name, between, and behind.
std::string Template(const std::string& open, const std::string& name_close, const std::string& key_open,
                     const std::string& key_close, const std::string& value_close, const std::string& close,
                     const std::string& begin = "", const std::string& end = "") {
  return "{% for m in messages %}<|begin|>{{ m.role }}\n{{ m.content }}{% if m.tool_calls %}" + begin +
         "{% for c in m.tool_calls %}" + open + "{{ c.function.name }}" + name_close +
         "{% for k, v in c.function.arguments.items() %}" + key_open + "{{ k }}" + key_close +
         "{{ v if v is string else v | tojson }}" + value_close + "{% endfor %}" + close + "{% endfor %}" + end +
         "{% endif %}<|end|>\n{% endfor %}";
}

// As Qwen3-Coder, GLM-4.5 and MiniMax-M2 have it.
std::string Lines() {
  return Template("\n<tool_call>\n<function=", ">\n", "<parameter=", ">\n", "\n</parameter>\n",
                  "</function>\n</tool_call>");
}
std::string Pairs() {
  return Template("\n<tool_call>", "\n", "<arg_key>", "</arg_key>\n<arg_value>", "</arg_value>\n", "</tool_call>");
}
std::string Attributes() {
  return Template("<invoke name=\"", "\">\n", "<parameter name=\"", "\">", "</parameter>\n", "</invoke>\n",
                  "\n<calls>\n", "</calls>");
}

TEST(FieldSyntaxTest, IsReadOffTheTemplate) {
  const ToolSyntax lines = SyntaxOf(Lines());
  EXPECT_EQ(lines.shape, Shape::kFields);
  EXPECT_EQ(lines.begin + lines.end, "");
  EXPECT_EQ(lines.open, "<tool_call>\n<function=");
  EXPECT_EQ(lines.separator, ">\n");
  EXPECT_EQ(lines.key_open, "<parameter=");
  EXPECT_EQ(lines.key_close, ">\n");
  EXPECT_EQ(lines.value_close, "\n</parameter>");
  EXPECT_EQ(lines.close, "\n</function>\n</tool_call>");

  const ToolSyntax pairs = SyntaxOf(Pairs());
  EXPECT_EQ(pairs.shape, Shape::kFields);
  EXPECT_EQ(pairs.open, "<tool_call>");
  EXPECT_EQ(pairs.separator, "\n");
  EXPECT_EQ(pairs.key_open, "<arg_key>");
  EXPECT_EQ(pairs.key_close, "</arg_key>\n<arg_value>");
  EXPECT_EQ(pairs.value_close, "</arg_value>");
  EXPECT_EQ(pairs.close, "\n</tool_call>");

  const ToolSyntax attributes = SyntaxOf(Attributes());
  EXPECT_EQ(attributes.shape, Shape::kFields);
  EXPECT_EQ(attributes.begin, "<calls>\n");
  EXPECT_EQ(attributes.open, "<invoke name=\"");
  EXPECT_EQ(attributes.separator, "\">\n");
  EXPECT_EQ(attributes.close, "\n</invoke>\n");
  EXPECT_EQ(attributes.end, "</calls>");
  EXPECT_EQ(attributes.Marks(), "<calls>\n<invoke name=\"\">\n<parameter name=\"\"></parameter>\n</invoke>\n</calls>");
}

TEST(FieldSyntaxTest, WhatOneArgumentDoesNotTellIsNotRead) {
  // Marks around each argument beside those around its name and value: they might be around all arguments.
  EXPECT_EQ(SyntaxOf(Template("<call>", "", "<arg><k>", "</k><v>", "</v></arg>", "</call>")), ToolSyntax());
  // Values in quotes, which would need to be unescaped; no marks at all; nothing before the name; no end.
  EXPECT_EQ(SyntaxOf(Template("<call>", "", "<k>", "</k>\"", "\"<v>", "</call>")), ToolSyntax());
  EXPECT_EQ(SyntaxOf(Template("<call>", "(", "", "=", ",", ")</call>")), ToolSyntax());
  EXPECT_EQ(SyntaxOf(Template("", ">", "<k>", "</k><v>", "</v>", "</call>")), ToolSyntax());
  EXPECT_EQ(SyntaxOf(Template("<call>", "", "<k>", "</k><v>", "</v>", "")), ToolSyntax());
}

FreeCallReader::Options OptionsOf(const std::string& source) {
  auto schemas = std::make_shared<std::vector<Json>>();
  schemas->push_back(Json::parse(R"({"type": "object", "properties": {"n": {"type": "integer"}, "s": {"type": "string"},
      "o": {"type": "object"}, "l": {"type": "array"}, "b": {"type": "boolean"}}})"));
  return {.syntax = SyntaxOf(source), .names = {"f", "get_time"}, .schemas = schemas};
}

TEST(FieldCallsTest, AreReadInLines) {
  const FreeCallReader::Options options = OptionsOf(Lines());
  const std::string value = "<tool_call>\n<function=f>\n<parameter=s>\n";
  const std::string end = "\n</parameter>\n</function>\n</tool_call>";
  const struct {
    std::string answer;
    std::string read;
  } cases[] = {
      {"Hello", "Hello"},
      {"a <tool> b", "a <tool> b"},
      {"<tool_call>\n<function=f>\n<parameter=n>\n5\n</parameter>\n</function>\n</tool_call>", R"(|f({"n":5}))"},
      {"I look.\n<tool_call>\n<function=f>\n<parameter=s>\n5\n</parameter>\n<parameter=o>\n{\"a\": [1]}\n</parameter>\n"
       "<parameter=b>\nTrue\n</parameter>\n<parameter=l>\n[1, 2]\n</parameter>\n</function>\n</tool_call>\n",
       R"(I look.|f({"s":"5","o":{"a":[1]},"b":true,"l":[1,2]}))"},
      {"<tool_call>\n<function=get_time>\n</function>\n</tool_call>\n<tool_call>\n<function=f>\n</function>\n"
       "</tool_call> done",
       "done|get_time({})|f({})"},
      // White space: what the template puts around a value goes, what is in it stays; between marks it means nothing.
      {value + "  a\n\n b \n" + end, R"(|f({"s":"  a\n\n b \n"}))"},
      {value + end, R"(|f({"s":""}))"},
      {"<tool_call><function=f><parameter=s>x</parameter></function></tool_call>", R"(|f({"s":"x"}))"},
      // Nothing is escaped: marks inside of a value.
      {value + "</parameter>; </function> <parameter=x> </tool_call> <tool_call>" + end,
       R"(|f({"s":"</parameter>; </function> <parameter=x> </tool_call> <tool_call>"}))"},
      // Marks that are forgotten.
      {"Well: <function=f>\n<parameter=n>\n1\n</parameter>\n</function>\n</tool_call>", R"(Well:|f({"n":1}))"},
      {"<tool_call>\n<function=f>\n</function>\n<tool_call>\n<function=get_time>\n</function>", "|f({})|get_time({})"},
      {"<tool_call>\n<function=f>\n</function>\n</tool", "|f({})"},
      {"<tool_call>\n<function=f>\n<parameter=n>\n1\n</parameter>\n</fun", R"(|f({"n":1}))"},
      // The last of two with the same name.
      {"<function=f><parameter=n>1</parameter><parameter=n>2</parameter></function>", R"(|f({"n":2}))"},
      // No calls, or none that are whole.
      {"<tool_call>\n<function=g>\n</function>\n</tool_call>", "<tool_call>\n<function=g>\n</function>\n</tool_call>"},
      {"<tool_call>\n<function=f>\n", "<tool_call>\n<function=f>\n"},
      {"<tool_call>\n<function=f>\nx</function>", "<tool_call>\n<function=f>\nx</function>"},
      {value + "x", value + "x"},
      {value + "x\n</parameter>\n", value + "x\n</parameter>\n"},
      {value + "x\n</parameter>\n<", value + "x\n</parameter>\n<"},
      {"<function=f><parameter=>1</parameter></function>", "<function=f><parameter=>1</parameter></function>"},
      {"<tool_call>{\"name\": \"f\"}</tool_call> <function=get_time></function>",
       "<tool_call>{\"name\": \"f\"}</tool_call>|get_time({})"},
  };
  for (const auto& one : cases) EXPECT_EQ(ReadFreely(options, one.answer), one.read) << one.answer;
}

TEST(FieldCallsTest, AreReadInOtherForms) {
  const struct {
    std::string source;
    std::string answer;
    std::string read;
  } cases[] = {
      {Pairs(), "<think>x</think>\n<tool_call>get_time\n</tool_call>", "<think>x</think>|get_time({})"},
      {Pairs(),
       "<tool_call>f\n<arg_key>s</arg_key>\n<arg_value> a\n</arg_value>\n<arg_key>n</arg_key>\n<arg_value>7</arg_value>"
       "\n</tool_call>",
       R"(|f({"s":" a\n","n":7}))"},
      {Pairs(), "<tool_call>f<arg_key>b</arg_key><arg_value>false</arg_value></tool_call>", R"(|f({"b":false}))"},
      {Pairs(), "<tool_call>f<arg_value>1</arg_value></tool_call>", "<tool_call>f<arg_value>1</arg_value></tool_call>"},
      {Attributes(),
       "\n<calls>\n<invoke name=\"f\">\n<parameter name=\"s\">a</parameter>\n</invoke>\n<invoke name=\"get_time\">\n"
       "</invoke>\n</calls>",
       R"(|f({"s":"a"})|get_time({}))"},
      {Attributes(), "name=\"f\"> and <invoke> and <calls>", "name=\"f\"> and <invoke> and <calls>"},
  };
  for (const auto& one : cases) EXPECT_EQ(ReadFreely(OptionsOf(one.source), one.answer), one.read) << one.answer;
}

TEST(FieldCallsTest, NamesHaveAnEndHoweverTheyCome) {
  for (const std::string& source : {Lines(), Pairs(), Attributes()}) {
    const FreeCallReader::Options options = OptionsOf(source);
    const std::string space(300, ' ');
    const std::string name = options.syntax.open + space + "f" + options.syntax.separator + options.syntax.close;
    EXPECT_EQ(ReadFreely(options, name), name);
    const std::string key = options.syntax.open + "f" + options.syntax.separator + options.syntax.key_open + space +
                            "s" + options.syntax.key_close + options.syntax.value_close + options.syntax.close;
    EXPECT_EQ(ReadFreely(options, key), key);
    // A text that only looks like a call is not held back to its end.
    FreeCallReader reader(options);
    EXPECT_FALSE(reader.Add(options.syntax.open + std::string(500, 'x')).content.empty());
  }
}

TEST(FieldCallsTest, HaveNoMoreArgumentsThanJsonMayHave) {
  std::string answer = "<function=f>";
  for (int i = 0; i < 1024; ++i) answer += "<parameter=" + std::to_string(i) + "></parameter>";
  FreeCallReader reader(OptionsOf(Lines()));
  EXPECT_EQ(reader.Add(answer + "</function>x").calls.size(), 1U);
  FreeCallReader strict(OptionsOf(Lines()));
  const ToolOutput out = strict.Add(answer + "<parameter=s></parameter></function>x");
  EXPECT_TRUE(out.calls.empty());
}

// Answers put together from what calls are made of: cut as they may be, they read alike, and without a call they are
// what they were.
TEST(FieldCallsTest, NothingIsLostHoweverItComes) {
  const char* const parts[] = {"<tool_call>",
                               "</tool_call>",
                               "<function=f>",
                               "<function=",
                               "f",
                               ">",
                               "</function>",
                               "<parameter=s>",
                               "<parameter=",
                               "</parameter>",
                               " ",
                               "\n",
                               "text",
                               "<",
                               "</",
                               "<tool",
                               "<arg_key>",
                               "</arg_key>",
                               "<arg_value>",
                               "</arg_value>",
                               "s",
                               "<calls>",
                               "</calls>",
                               "<invoke name=\"f\">",
                               "<parameter name=\"n\">1</parameter>",
                               "</invoke>",
                               "<invoke",
                               "<arg_key>n</arg_key><arg_value>1</arg_value>",
                               "<tool_call>f"};
  const FreeCallReader::Options options[] = {OptionsOf(Lines()), OptionsOf(Pairs()), OptionsOf(Attributes())};
  int with_calls = 0;
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    std::string answer;
    for (uint64_t i = 0; i < 1 + seed % 11; ++i) {
      answer += parts[static_cast<size_t>(CounterUniform(seed, 1, i) * static_cast<double>(std::size(parts)))];
    }
    const std::string read = ReadFreely(options[seed % std::size(options)], answer);
    const bool called = read.find("|f({") != std::string::npos;
    with_calls += called ? 1 : 0;
    EXPECT_TRUE(called || read == answer) << answer << " became " << read;
  }
  EXPECT_GT(with_calls, 10);
}

// Each byte is looked at once, however it comes: else these pieces would cost hours.
TEST(FieldCallsTest, ALongAnswerIsReadInOnePass) {
  std::string answer = "<tool_call>\n<function=f>\n<parameter=s>\n";
  while (answer.size() < 500'000) answer += "a line </parameter> and </ and so on\n";
  FreeCallReader reader(OptionsOf(Lines()));
  const std::string read = ReadIn(reader, answer + "</parameter></function>", 4);
  EXPECT_EQ(read.substr(0, 11), "|f({\"s\":\"a ");
  EXPECT_GT(read.size(), 499'000U);
  FreeCallReader broken(OptionsOf(Lines()));
  EXPECT_EQ(ReadIn(broken, answer, 4), answer);
}

// Each beginning is followed to the end of the answer: for all of them that would take minutes.
TEST(FieldCallsTest, BeginningsWithoutAnEndAreFollowedOnlySoOften) {
  ToolSyntax tagged = ToolSyntax::PlainJson();
  tagged.open = "<tool_call>";
  FreeCallReader::Options json = OptionsOf(Lines());
  json.syntax = tagged;
  const struct {
    FreeCallReader::Options options;
    std::string beginning;
    std::string call;
  } cases[] = {{OptionsOf(Lines()), "<function=f><parameter=s>", "<function=f></function>"},
               {json, "<tool_call>{\\\"", "<tool_call>{\"name\":\"f\",\"arguments\":{}}"}};
  for (const auto& [options, beginning, call] : cases) {
    std::string answer;
    while (answer.size() < 1'000'000) answer += beginning;
    FreeCallReader reader(options);
    EXPECT_EQ(ReadIn(reader, answer, 100'000), answer);
    std::string tried;
    for (size_t i = 1; i < FreeCallReader::kFailuresMax; ++i) tried += "<tool_call>no.";
    EXPECT_EQ(ReadFreely(options, tried + call), tried + "|f({})");
    tried += "<tool_call>no.";
    EXPECT_EQ(ReadFreely(options, tried + call), tried + call);
  }
}

TEST(FieldCallsTest, AreForcedAsPlainJson) {
  const std::vector<Json> functions = {Json::parse(R"({"name": "f"})")};
  const ForcedCalls forced = PlanForcedCalls(SyntaxOf(Lines()), functions, 2);
  const ForcedCalls plain = PlanForcedCalls(ToolSyntax::PlainJson(), functions, 2);
  EXPECT_EQ(forced.prefill, "");
  EXPECT_EQ(forced.json_schema, plain.json_schema);
  ForcedCallReader reader(forced);
  EXPECT_EQ(ReadIn(reader, R"({"name": "f", "arguments": {}})", 3), "|f({})");
}

TEST(ArgumentValueTest, IsOfTheKindThatTheSchemaSays) {
  const struct {
    const char* schema;  // of the property "p"
    const char* text;
    const char* value;  // as JSON
  } cases[] = {
      {R"({"type": "string"})", "5", R"("5")"},
      {R"({"type": "string"})", " null ", R"(" null ")"},
      {R"({"type": "integer"})", "5", "5"},
      {R"({"type": "integer"})", " 5\n", "5"},
      {R"({"type": "integer"})", "5.5", R"("5.5")"},
      {R"({"type": "integer"})", "five", R"("five")"},
      {R"({"type": "number"})", "5", "5"},
      {R"({"type": "number"})", "-0.5e1", "-5.0"},
      {R"({"type": "number"})", "1e999", R"("1e999")"},
      {R"({"type": "boolean"})", "true", "true"},
      {R"({"type": "boolean"})", "False", "false"},
      {R"({"type": "boolean"})", "1", R"("1")"},
      {R"({"type": "null"})", "None", "null"},
      {R"({"type": "object"})", R"({"a": [1, {"b": null}]})", R"({"a":[1,{"b":null}]})"},
      {R"({"type": "object"})", "[1]", R"("[1]")"},
      {R"({"type": "object"})", "{a", R"("{a")"},
      {R"({"type": "array"})", "[]", "[]"},
      {R"({"type": "array"})", "[1", R"("[1")"},
      // Several kinds: what is no string where it can be.
      {R"({"type": ["string", "null"]})", "null", "null"},
      {R"({"type": ["string", "null"]})", "nil", R"("nil")"},
      {R"({"type": ["string", "integer"]})", "7", "7"},
      {R"({"type": ["string", "integer"]})", "\"7\"", R"("\"7\"")"},
      {R"({"anyOf": [{"type": "integer"}, {"type": "null"}]})", "3", "3"},
      {R"({"oneOf": [{"type": "array"}, {"type": "string"}]})", "{}", R"("{}")"},
      {R"({"allOf": [{"description": "x"}, {"type": "boolean"}]})", "true", "true"},
      {R"({"type": "integer", "nullable": true})", "null", "null"},
      {R"({"enum": [1, 2]})", "1", "1"},
      {R"({"enum": ["1", "2"]})", "1", R"("1")"},
      {R"({"const": true})", "true", "true"},
      {R"({"properties": {}})", "{}", "{}"},
      {R"({"items": {}})", "[2]", "[2]"},
      {R"({"$ref": "#/$defs/n"})", "5", "5"},
      {R"({"$ref": "#/$defs/a~1b~0c"})", "5", "5"},
      {R"({"$ref": "#/$defs/away"})", "5", R"("5")"},
      {R"({"$ref": "#/$defs/n/type"})", "5", R"("5")"},
      {R"({"$ref": "elsewhere"})", "5", R"("5")"},
      {R"({"$ref": "#/$defs/loop"})", "5", R"("5")"},
      // Nothing is said.
      {"{}", "5", R"("5")"},
      {"true", "5", R"("5")"},
      {R"({"type": 5})", "5", R"("5")"},
  };
  for (const auto& one : cases) {
    Json schema = {{"type", "object"}, {"properties", {{"p", Json::parse(one.schema)}}}};
    schema["$defs"] = Json::parse(R"({"n": {"type": "integer"}, "a/b~c": {"type": "integer"},
        "loop": {"anyOf": [{"$ref": "#/$defs/loop"}, {"$ref": "#/$defs/loop"}]}})");
    EXPECT_EQ(ArgumentFromText("p", one.text, schema).dump(), one.value) << one.schema << " and " << one.text;
    EXPECT_EQ(ArgumentFromText("q", one.text, schema), Json(one.text)) << "it is not described";
  }
  EXPECT_EQ(ArgumentFromText("p", "5", Json()), Json("5"));
  EXPECT_EQ(ArgumentFromText("p", "5", Json::parse(R"({"additionalProperties": {"type": "integer"}})")), Json(5));
  EXPECT_EQ(ArgumentFromText("p", "5", Json::parse(R"({"$ref": "#/$defs/all", "$defs": {"all": {"properties": {"p":
      {"type": "integer"}}}}})")),
            Json(5));
  // Bytes that are no text stay what they are until somebody writes them down.
  EXPECT_EQ(ArgumentFromText("p", "\xff", Json()), Json("\xff"));
}

// If lists were walked to their ends each time they are met, or references copied whatever their length, one look-up
// could take seconds. Stops once that is clear.
TEST(ArgumentValueTest, TakesLittleTimeWhateverTheSchema) {
  Json itself = {{"$ref", "#/properties/a"}};
  itself["allOf"] = Json::array_t(900'000, Json(0));
  Json long_reference = {{"$ref", "#/" + std::string(8'000'000, 'x')}};
  Json often = Json::object();
  often["allOf"] = Json::array_t(1000, Json{{"$ref", "#/$defs/b"}});
  Json wide = {{"$ref", "#/properties/a"}};
  for (int i = 0; i < 1000; ++i) wide["field " + std::to_string(i)] = i;
  Json schemas[3];
  schemas[0]["properties"]["a"] = std::move(itself);
  schemas[1]["properties"]["a"] = std::move(often);
  schemas[1]["$defs"]["b"] = std::move(long_reference);
  schemas[2]["properties"]["a"] = std::move(wide);
  for (size_t i = 0; i < std::size(schemas); ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const auto end = begin + std::chrono::seconds(5);
    int looked_up = 0;
    for (; looked_up < 100 && std::chrono::steady_clock::now() < end; ++looked_up) {
      ASSERT_EQ(ArgumentFromText("a", "5", schemas[i]), Json("5")) << "schema " << i;
    }
    EXPECT_EQ(looked_up, 100) << "within five seconds, of schema " << i;
  }
}

TEST(ArgumentValueTest, KeepsWhatTheSchemaSaidWithinItsLimits) {
  Json schema = Json::parse(R"({"properties": {"a": {"type": "integer"}}})");
  schema["properties"]["a"]["allOf"] = Json::array_t(900'000, Json(0));
  EXPECT_EQ(ArgumentFromText("a", "5", schema), Json(5));

  // The last of as many properties as an object may have.
  schema = Json::object();
  for (int i = 0; i < 1024; ++i) schema["properties"]["p" + std::to_string(i)]["type"] = "integer";
  EXPECT_EQ(ArgumentFromText("p1023", "5", schema), Json(5));

  for (const size_t bytes : {size_t{1024}, size_t{1025}}) {
    const std::string start = "#/$defs/";
    const std::string name(bytes - start.size(), 'x');
    schema = Json::object();
    schema["properties"]["a"]["$ref"] = start + name;
    schema["$defs"][name]["type"] = "integer";
    EXPECT_EQ(ArgumentFromText("a", "5", schema), bytes == 1024 ? Json(5) : Json("5")) << bytes;
  }
}

}  // namespace
}  // namespace enigma::engine
