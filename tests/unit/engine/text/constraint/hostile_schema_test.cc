// Schemas made to hang, to grow or to crash the compiler: each ends soon, one way or the other.

#include <chrono>
#include <functional>
#include <string>

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include "engine/text/constraint/grammar.h"
#include "engine/text/constraint/pushdown.h"

namespace enigma::engine {
namespace {

std::string Repeat(int count, const std::function<std::string(int)>& part) {
  std::string text;
  for (int i = 0; i < count; ++i) text += (i > 0 ? "," : "") + part(i);
  return text;
}

std::string Times(int count, const std::string& part) {
  std::string text;
  for (int i = 0; i < count; ++i) text += part;
  return text;
}

std::string WithPattern(const std::string& pattern) {
  return absl::StrCat("{\"type\":\"string\",\"pattern\":\"", pattern, "\"}");
}

struct Hostile {
  const char* name;
  std::string schema;
};

const Hostile kExhausting[] = {
    {"too long", "{\"description\":\"" + std::string(300'000, 'x') + "\"}"},
    {"deep", Times(1000, "{\"items\":") + "{}" + Times(1000, "}")},
    {"many values", "{\"enum\":[" + Repeat(50'000, [](int i) { return std::to_string(i); }) + "]}"},
    {"large literals",
     "{\"enum\":[" + Repeat(2'000, [](int i) { return absl::StrCat("\"", i, std::string(100, 'x'), "\""); }) + "]}"},
    {"exponential allOf of anyOf", "{\"allOf\":[" +
                                       Repeat(40,
                                              [](int i) {
                                                return absl::StrCat("{\"anyOf\":[{\"minLength\":", i,
                                                                    "},{\"maxLength\":", 90 + i, "}]}");
                                              }) +
                                       "]}"},
    {"exponential references", "{\"$ref\":\"#/$defs/d0\",\"$defs\":{" +
                                   Repeat(60,
                                          [](int i) {
                                            return absl::StrCat(
                                                "\"d", i, "\":{\"anyOf\":[{\"allOf\":[{\"$ref\":\"#/$defs/d", i + 1,
                                                "\"},{\"title\":\"a\"}]},{\"allOf\":[{\"$ref\":\"#/$defs/d", i + 1,
                                                "\"},{\"title\":\"b\"}]}]}");
                                          }) +
                                   ",\"d60\":{\"type\":\"null\"}}}"},
    {"chain of references",
     "{\"$ref\":\"#/$defs/d0\",\"$defs\":{" +
         Repeat(2000, [](int i) { return absl::StrCat("\"d", i, "\":{\"$ref\":\"#/$defs/d", i + 1, "\"}"); }) +
         ",\"d2000\":{\"type\":\"null\"}}}"},
    {"many alternatives",
     "{\"anyOf\":[" + Repeat(1000, [](int i) { return absl::StrCat("{\"type\":\"array\",\"minItems\":", i, "}"); }) +
         "]}"},
    {"exponential pattern", WithPattern("(a|b)*a(a|b){40}c")},
    {"nested repetition", WithPattern("((((a{100}){100}){100}){100}){100}")},
    {"empty repetition", WithPattern("(((((){1000}){1000}){1000}){1000}){1000}")},
    {"repetition of choices", WithPattern("^(?:[a-z]+[0-9]*|x?y?z?){5000}$")},
    {"long pattern", WithPattern("^" + Times(20'000, "[a-c]?") + "$")},
    {"pattern times length", "{\"type\":\"string\",\"pattern\":\"^(abc|de)*$\",\"maxLength\":1000000}"},
    {"large repetition", WithPattern("^.{100000}$")},
    {"deep groups", WithPattern(Times(5000, "(") + Times(5000, ")"))},
    {"huge minimum", R"({"type":"string","minLength":100000000})"},
    {"many elements", R"({"type":"array","minItems":100000000})"},
};

TEST(HostileSchemaTest, EndsWithinTheBudget) {
  for (const Hostile& hostile : kExhausting) {
    const auto start = std::chrono::steady_clock::now();
    const auto grammar = Grammar::FromJsonSchema(hostile.schema);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    EXPECT_FALSE(grammar.ok()) << hostile.name;
    // Groups too deep are malformed rather than large.
    const bool named = absl::IsResourceExhausted(grammar.status()) || absl::IsInvalidArgument(grammar.status());
    EXPECT_TRUE(named) << hostile.name << ": " << grammar.status();
    EXPECT_LT(took.count(), 2'000) << hostile.name;  // about 100 on an idle machine; instrumented builds are slower
    RecordProperty(hostile.name, static_cast<int>(took.count()));
    std::printf("%-28s %7.1f ms  %s\n", hostile.name, took.count(),
                std::string(grammar.status().message()).substr(0, 90).c_str());
  }
}

TEST(HostileSchemaTest, LargeButHonestSchemasCompile) {
  const std::string properties =
      "{\"type\":\"object\",\"properties\":{" +
      Repeat(500, [](int i) { return absl::StrCat("\"property_", i, "\":{\"type\":\"string\",\"maxLength\":5000}"); }) +
      "},\"required\":[" + Repeat(500, [](int i) { return absl::StrCat("\"property_", i, "\""); }) +
      "],\"additionalProperties\":false}";
  EXPECT_TRUE(Grammar::FromJsonSchema(properties).ok());
  const std::string values =
      "{\"enum\":[" + Repeat(1000, [](int i) { return absl::StrCat("\"value ", i, "\""); }) + "]}";
  EXPECT_TRUE(Grammar::FromJsonSchema(values).ok());
  EXPECT_TRUE(Grammar::FromJsonSchema(WithPattern("^[A-Za-z0-9_-]{1,256}$")).ok());
  EXPECT_TRUE(Grammar::FromJsonSchema(R"({"type":"string","maxLength":1000000})").ok());
}

// Every reading of nested alternatives is pursued, and there are exponentially many: the matcher gives up and says so.
TEST(HostileSchemaTest, AmbiguityIsBounded) {
  const auto grammar = Grammar::FromJsonSchema(
      "{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"anyOf\":[" +
      Repeat(16,
             [](int i) {
               return absl::StrCat("{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/a\"},\"maxItems\":", i + 1, "}");
             }) +
      "]}}}");
  ASSERT_TRUE(grammar.ok()) << grammar.status();
  ByteMatcher matcher(**grammar);
  for (int i = 0; i < 20; ++i) matcher.Accept("[");
  EXPECT_TRUE(matcher.Overflowed());
}

TEST(HostileSchemaTest, DepthIsBounded) {
  ByteMatcher matcher(*Grammar::AnyJsonObject());
  ASSERT_TRUE(matcher.Accept("{\"a\":"));
  for (int i = 0; i < 100'000 && !matcher.Overflowed(); ++i) matcher.Accept("[");
  EXPECT_TRUE(matcher.Overflowed());
}

}  // namespace
}  // namespace enigma::engine
