// Schemas as tables: what they accept and what they do not, byte by byte.

#include "engine/text/constraint/grammar.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/text/constraint/pushdown.h"

namespace enigma::engine {
namespace {

using ::testing::HasSubstr;

bool Matches(const Grammar& grammar, std::string_view text) {
  ByteMatcher matcher(grammar);
  for (size_t i = 0; i < text.size(); ++i) {
    if (!matcher.Accept(text.substr(i, 1))) return false;
  }
  return matcher.MayEnd();
}

struct Case {
  const char* name;
  const char* schema;
  std::vector<std::string> accepted;
  std::vector<std::string> rejected;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class GrammarTest : public ::testing::TestWithParam<Case> {};

TEST_P(GrammarTest, AcceptsAndRejects) {
  const auto grammar = Grammar::FromJsonSchema(GetParam().schema);
  ASSERT_TRUE(grammar.ok()) << grammar.status();
  for (const std::string& text : GetParam().accepted) EXPECT_TRUE(Matches(**grammar, text)) << text;
  for (const std::string& text : GetParam().rejected) EXPECT_FALSE(Matches(**grammar, text)) << text;
}

const Case kCases[] = {
    {"AnyObject",
     R"({"type":"object"})",
     {"{}", "{ }", " {}", R"({"a": 1})", R"({"a":[1,{"b":null}],"c":"\u00e9\ud83d\ude00é😀"})", "{\n  \"a\": true\n}",
      "{\"a\":1e5}", "{\n\t\"a\": -0.5\n}", R"({"\"": 1})"},
     {"",
      "[]",
      "1",
      "{",
      R"({"a")",
      R"({"a":})",
      R"({"a":1,})",
      R"({a:1})",
      "  {}",
      "{  }",
      R"({"a" :1})",
      R"({"a":  1})",
      "{\n\n}",
      R"({"a":"\ud83d"})",
      R"({"a":"\udc00"})",
      "{\"a\":\"\x80\"}",
      "{\"a\":\"\xED\xA0\x80\"}",
      "{\"a\":\"\n\"}",
      R"({"a":01})",
      R"({"a":1.})",
      R"({"a":+1})",
      R"({"a":"\x"})",
      "{} ",
      "{}{}",
      R"({"a":tru})"}},
    {"Anything", "true", {"1", "null", "[]", "{}", "\"x\"", "[[[]]]", "-1.5e3"}, {"", "nul", "]"}},
    {"Properties",
     R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"},"c":{"type":"boolean"}},
         "required":["b"],"additionalProperties":false})",
     {R"({"b":""})", R"({"a":1,"b":"x"})", R"({"a": 1, "b": "x", "c": true})", R"({"b":"x","c":false})"},
     {"{}", R"({"a":1})", R"({"b":"x","a":1})", R"({"a":1.5,"b":"x"})", R"({"b":"x","d":1})", R"({"b":"x","b":"x"})",
      R"({"a":1,"c":true})", R"({"ab":1})"}},
    {"PropertiesAreClosedUnlessSaid",
     R"({"properties":{"a":{"type":"null"}}})",
     {"{}", R"({"a":null})"},
     {R"({"b":1})", "1"}},
    {"AdditionalSchema",
     R"({"type":"object","properties":{"ab":{"type":"integer"},"ac":{"type":"integer"}},"required":["ab"],
         "additionalProperties":{"type":"string"}})",
     {R"({"ab":1})", R"({"ab":1,"x":"y"})", R"({"ab":1,"ac":2,"a":"","abc":"z"})", R"({"ab":1,"é":"z"})"},
     {R"({"x":"y"})", R"({"ab":1,"x":1})", R"({"ab":1,"x":"y","ac":2})", R"({"ab":1,"x":"y","ac":"s"})",
      R"({"ab":1,"\u0061c":"s"})"}},
    {"SharedPrefixesOfKeys",
     R"({"type":"object","properties":{"name":{"type":"integer"},"names":{"type":"integer"},"na":{"type":"integer"}}})",
     {R"({"name":1,"names":2,"na":3})", R"({"na":3})", R"({"names":1,"na":2})"},
     {R"({"na":3,"name":1})", R"({"nam":3})"}},
    {"KeysWithEscapes",
     R"({"properties":{"a\"b\\\n":{"type":"null"}},"required":["a\"b\\\n"]})",
     {R"({"a\"b\\\n":null})"},
     {R"({"a\"b\\":null})", R"({"a":null})"}},
    {"Arrays",
     R"({"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":3})",
     {"[1]", "[1, 2]", "[\n  1,\n  2,\n  3\n]"},
     {"[]", "[1,2,3,4]", "[1,]", "[,1]", "[\"a\"]", "[1 ,2]"}},
    {"UnlimitedArrays",
     R"({"type":"array","items":{"type":"null"},"minItems":2})",
     {"[null,null]", "[null,null,null,null]"},
     {"[]", "[null]"}},
    {"Tuples",
     R"({"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"items":false})",
     {"[]", "[1]", "[1,\"a\"]"},
     {"[\"a\"]", "[1,\"a\",1]"}},
    {"EnumOfAll",
     R"({"enum":["red","re",1,null,true,{"a":[1,2]},[]]})",
     {"\"red\"", "\"re\"", "1", "null", "true", R"({"a":[1,2]})", R"({"a": [1, 2]})", "[]"},
     {"\"r\"", "11", "false", "{}", R"({"a":[1]})", "[1]"}},
    {"EnumWithType", R"({"type":"string","enum":["a",1,"bb"],"maxLength":1})", {"\"a\""}, {"1", "\"bb\""}},
    {"Const", R"({"const":"x\"y"})", {R"("x\"y")"}, {R"("x")", R"("x\u0022y")"}},
    {"AnyOf",
     R"({"anyOf":[{"type":"string"},{"type":"object","properties":{"k":{"const":"a"}},"required":["k"]},
                           {"type":"object","properties":{"k":{"const":"b"},"z":{"type":"integer"}},
                            "required":["k","z"]}]})",
     {"\"s\"", R"({"k":"a"})", R"({"k":"b","z":1})"},
     {R"({"k":"b"})", R"({"k":"a","z":1})", "1"}},
    {"AnyOfBesideOthers",
     R"({"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],
         "anyOf":[{"properties":{"b":{"type":"null"}},"required":["b"]},{"properties":{"c":{"type":"null"}}}]})",
     {R"({"a":1,"b":null})", R"({"a":1})", R"({"a":1,"c":null})"},
     {R"({"b":null})", R"({"a":1,"b":null,"c":null})"}},
    {"AllOf",
     R"({"allOf":[{"$ref":"#/$defs/base"},{"properties":{"b":{"type":"string","maxLength":2}},"required":["b"]}],
         "$defs":{"base":{"type":"object","properties":{"a":{"type":"integer","minimum":3},"b":{"minLength":1}},
                          "required":["a"]}}})",
     {R"({"a":3,"b":"x"})", R"({"a":30,"b":"xy"})"},
     {R"({"a":2,"b":"x"})", R"({"a":3})", R"({"a":3,"b":""})", R"({"a":3,"b":"xyz"})"}},
    {"RecursiveTree",
     R"({"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"v":{"type":"integer"},
         "next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},"required":["v","next"]}}})",
     {R"({"v":1,"next":null})", R"({"v":1,"next":{"v":2,"next":{"v":3,"next":null}}})"},
     {R"({"v":1,"next":{}})"}},
    {"RecursionThatCannotEndIsLeftOut",
     R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"$ref":"#/$defs/x"}},
         "$defs":{"x":{"type":"object","properties":{"x":{"$ref":"#/$defs/x"}},"required":["x"]}}})",
     {"{}", R"({"a":1})"},
     {R"({"b":{"x":{}}})"}},
    {"DefinitionsAndPointers",
     R"({"definitions":{"a/b":{"type":"null"}},"$ref":"#/definitions/a~1b"})",
     {"null"},
     {"1"}},
    {"TypeLists", R"({"type":["string","null"],"minLength":1})", {"null", "\"a\""}, {"\"\"", "1"}},
    {"Nullable", R"({"type":"integer","nullable":true})", {"null", "5"}, {"\"a\""}},
    {"StringLengths",
     R"({"type":"string","minLength":2,"maxLength":3})",
     {"\"ab\"", "\"äöü\"", R"("\n\u0041")", R"("\ud83d\ude00😀a")"},
     {"\"a\"", "\"abcd\"", R"("\ud83d\ude00")"}},
    {"Integers",
     R"({"type":"integer"})",
     {"0", "-5", "123456789012345678"},
     {"1.0", "01", "1e3", "-", "1234567890123456789"}},
    {"IntegerBounds",
     R"({"type":"integer","minimum":-5,"exclusiveMaximum":120})",
     {"-5", "-1", "0", "9", "10", "99", "100", "119"},
     {"-6", "120", "121", "1000", "-10", "-0"}},
    {"IntegerFractionBounds", R"({"type":"integer","exclusiveMinimum":1.5,"maximum":2.5e1})", {"2", "25"}, {"1", "26"}},
    {"NumberBounds",
     R"({"type":"number","minimum":0.25,"maximum":12.5})",
     {"0.25", "0.3", "1", "12", "12.5", "12.49", "5.999", "12.50"},
     {"0", "0.24", "12.51", "13", "-1", "0.2"}},
    {"NumberBoundsAroundZero",
     R"({"type":"number","exclusiveMinimum":-1.5,"exclusiveMaximum":0.5})",
     {"-1.4", "-1.49", "-1", "0", "0.4", "-0.01", "0.49999"},
     {"-1.5", "0.5", "-2", "1", "0.50"}},
    {"NumberExclusiveOfWhole",
     R"({"type":"number","exclusiveMinimum":3,"maximum":4})",
     {"3.1", "4", "3.0001", "4.0"},
     {"3", "3.0", "4.1"}},
    {"Pattern",
     R"({"type":"string","pattern":"^[a-z]{2,4}-\\d+$"})",
     {"\"ab-1\"", "\"abcd-99\""},
     {"\"a-1\"", "\"ab-\"", "\"abcde-1\"", "\"ab-1 \""}},
    {"PatternIsSearched",
     R"({"type":"string","pattern":"b+"})",
     {"\"b\"", "\"xxbyy\"", "\"é\\nb\\\"\""},
     {"\"\"", "\"aa\""}},
    {"PatternHalfAnchored", R"({"type":"string","pattern":"^a|b$"})", {"\"ax\"", "\"xb\""}, {"\"xa\"", "\"bx\""}},
    {"PatternClasses",
     R"({"type":"string","pattern":"^[^\\s\"a-c]\\w\\S.(?:x|yz)?$"})",
     {"\"d_é \"", "\"\\\\9!?yz\""},
     {"\"a_é \"", "\"\\\"999\"", "\"d_ x\""}},
    {"PatternWithLengths",
     R"({"type":"string","pattern":"^(ab|c)*$","minLength":3,"maxLength":4})",
     {"\"abc\"", "\"cccc\"", "\"abab\""},
     {"\"ab\"", "\"abcab\"", "\"aba\""}},
    {"PatternOfUnicode",
     R"({"type":"string","pattern":"^[α-ω😀-😂]+$"})",
     {"\"αβγ\"", "\"😁ω\""},
     {"\"a\"", "\"Α\"", "\"😃\""}},
    {"PatternLazyAndGroups",
     R"({"type":"string","pattern":"^(?<year>\\d{4}?)(?:-[\\x41\\u{42}\\u0043]){1,2}?$"})",
     {"\"2024-A\"", "\"2024-B-C\""},
     {"\"2024\"", "\"2024-D\""}},
    {"Date",
     R"({"type":"string","format":"date"})",
     {"\"2024-02-29\"", "\"2000-02-29\"", "\"1999-12-31\""},
     {"\"2023-02-29\"", "\"1900-02-29\"", "\"2024-04-31\"", "\"2024-13-01\"", "\"24-01-01\""}},
    {"DateTime",
     R"({"type":"string","format":"date-time"})",
     {"\"2024-01-31T23:59:59Z\"", "\"2024-01-31T00:00:00.123+02:00\""},
     {"\"2024-01-31\"", "\"2024-01-31T24:00:00Z\"", "\"2024-01-31T23:59:59\""}},
    {"OtherFormats",
     R"({"type":"array","prefixItems":[{"format":"uuid"},{"format":"ipv4"},{"format":"email"},
                         {"format":"ipv6"},{"format":"time"},{"format":"hostname"},{"format":"duration"},{"format":"uri"}]})",
     {R"(["123e4567-e89b-12d3-a456-426614174000","192.168.0.255","a.b@c.de","fe80::1","10:00:00Z","a-b.example","P1DT2H",
"https://example.org/a?b=c#d"])"},
     {R"(["123e4567e89b12d3a456426614174000"])", R"(["123e4567-e89b-12d3-a456-426614174000","256.1.1.1"])",
      R"(["123e4567-e89b-12d3-a456-426614174000","1.1.1.1","a@"])"}},
};

INSTANTIATE_TEST_SUITE_P(Schemas, GrammarTest, ::testing::ValuesIn(kCases),
                         [](const auto& case_info) { return std::string(case_info.param.name); });

struct Refusal {
  const char* schema;
  absl::StatusCode code;
  const char* message;
};

TEST(GrammarErrorsTest, NameWhatIsWrongAndWhere) {
  using enum absl::StatusCode;
  const Refusal refusals[] = {
      {"{", kInvalidArgument, "no valid JSON at byte"},
      {R"({"type":"object","type":"string"})", kInvalidArgument, "\"type\" twice"},
      {R"({"properties":{"a":{"multipleOf":3}}})", kInvalidArgument, "#/properties/a/multipleOf"},
      {R"({"properties":{"a/b":{"not":{}}}})", kInvalidArgument, "#/properties/a~1b/not: the keyword 'not'"},
      {R"({"patternProperties":{}})", kInvalidArgument, "#/patternProperties"},
      {R"({"uniqueItems":true})", kInvalidArgument, "#/uniqueItems"},
      {R"({"typ":"string"})", kInvalidArgument, "#/typ: the keyword 'typ' is not supported"},
      {R"({"type":"text"})", kInvalidArgument, "#/type: must be one of JSON's types"},
      {R"({"enum":[]})", kInvalidArgument, "#/enum"},
      {R"({"minLength":-1})", kInvalidArgument, "#/minLength: must be a whole number"},
      {R"({"format":"color"})", kInvalidArgument, "the format 'color' is not supported; supported: date"},
      {R"({"$ref":"http://x/y"})", kInvalidArgument, "#/$ref: must point into this schema"},
      {R"({"$ref":"#/$defs/a"})", kInvalidArgument, "#/$ref: there is nothing at '#/$defs/a'"},
      {R"({"$ref":"#"})", kInvalidArgument, "refers to itself"},
      {R"({"anyOf":[{"$ref":"#"},{"type":"null"}]})", kInvalidArgument, "refers to itself"},
      {R"_({"pattern":"(?=a)"})_", kInvalidArgument, "#/pattern: the pattern '(?=a)' at byte 2: lookaround"},
      {R"_({"pattern":"(a"})_", kInvalidArgument, "a ')' is missing"},
      {R"({"pattern":"\\bx"})", kInvalidArgument, "word boundaries"},
      {R"_({"pattern":"(a)\\1"})_", kInvalidArgument, "backreferences"},
      {R"({"pattern":"\\p{L}"})", kInvalidArgument, "Unicode properties"},
      {R"({"type":"string","enum":[1]})", kInvalidArgument, "no finite JSON value"},
      {R"({"minLength":3,"maxLength":2})", kInvalidArgument, "no finite JSON value"},
      {R"({"type":"integer","minimum":3,"maximum":2})", kInvalidArgument, "no finite JSON value"},
      {R"({"type":"integer","exclusiveMinimum":3,"exclusiveMaximum":4})", kInvalidArgument, "no finite JSON value"},
      {R"({"type":"object","properties":{"a":false},"required":["a"]})", kInvalidArgument, "no finite JSON value"},
      {R"({"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]})", kInvalidArgument,
       "no finite JSON value"},
      {R"({"properties":{"a":3}})", kInvalidArgument, "#/properties: must be an object of schemas"},
      {"[]", kInvalidArgument, "#: a schema must be an object"},
  };
  for (const Refusal& refusal : refusals) {
    const auto grammar = Grammar::FromJsonSchema(refusal.schema);
    ASSERT_FALSE(grammar.ok()) << refusal.schema;
    EXPECT_EQ(grammar.status().code(), refusal.code) << refusal.schema;
    EXPECT_THAT(std::string(grammar.status().message()), HasSubstr(refusal.message)) << refusal.schema;
  }
}

TEST(GrammarTest, AnnotationsAreIgnored) {
  const auto grammar = Grammar::FromJsonSchema(
      R"({"$schema":"x","$id":"y","title":"t","description":"d","default":3,"examples":[1],"$comment":"c",
          "deprecated":true,"readOnly":false,"x-order":3,"uniqueItems":false,"type":"null"})");
  ASSERT_TRUE(grammar.ok()) << grammar.status();
  EXPECT_TRUE(Matches(**grammar, "null"));
}

TEST(GrammarTest, KnowsWhenNothingCanFollow) {
  ByteMatcher matcher(*Grammar::AnyJsonObject());
  EXPECT_TRUE(matcher.Accept(R"({"a":1)"));
  EXPECT_FALSE(matcher.MayEnd());
  EXPECT_FALSE(matcher.Accept("]"));
  EXPECT_TRUE(matcher.Accept("}"));
  EXPECT_TRUE(matcher.MayEnd());
  EXPECT_TRUE(matcher.MustEnd());
  EXPECT_FALSE(matcher.Accept(" "));
  const auto number = Grammar::FromJsonSchema(R"({"type":"integer"})");
  ByteMatcher digits(**number);
  EXPECT_TRUE(digits.Accept("12"));
  EXPECT_TRUE(digits.MayEnd());
  EXPECT_FALSE(digits.MustEnd());
}

}  // namespace
}  // namespace enigma::engine
