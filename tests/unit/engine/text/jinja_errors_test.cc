// Templates that are wrong, and templates that would cost too much.

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "engine/text/jinja/template.h"

namespace enigma::engine::jinja {
namespace {

using ::testing::HasSubstr;

absl::Status StatusOf(const std::string& source, const RenderOptions& options = {}) {
  const auto parsed = Template::Parse(source, options.limits);
  if (!parsed.ok()) return parsed.status();
  return parsed->Render(Json{{"d", {{"a", 1}}}, {"l", {1, 2}}}, options).status();
}

struct ErrorCase {
  const char* source;
  const char* message;  // part of it
};

TEST(JinjaErrorsTest, NamePlaceAndProblem) {
  const ErrorCase cases[] = {
      {"{{ x.y }}", "line 1, column 5: 'x' is undefined"},
      {"a\n{{ d.q.r }}", "line 2, column 7: 'dict object' has no attribute 'q'"},
      {"{{ 'a' + 1 }}", "can only join a string to a string"},
      {"{{ l.append(3) }}", "'append' of a 'list' is not allowed"},
      {"{{ d.update({}) }}", "'update' of a 'dict' is not allowed"},
      {"{{ l.append }}{{ x() }}", "'x' is undefined"},
      {"{{ 1 | nothing }}", "there is no filter named 'nothing'"},
      {"{{ 1 is nothing }}", "there is no test named 'nothing'"},
      {"{{ 1 // 0 }}", "division by zero"},
      {"{{ 9223372036854775807 + 1 }}", "does not fit 64 bits"},
      {"{{ 99999999999999999999 }}", "not an integer of 64 bits"},
      {"{% for x in 5 %}{% endfor %}", "'int' object is not iterable"},
      {"{% for a, b in [[1]] %}{% endfor %}", "cannot take 1 values apart into 2 names"},
      {"{{ 1 < 'a' }}", "'<' is not supported between 'int' and 'str'"},
      {"{% set d.x = 1 %}", "'d' is no namespace"},
      {"{{ {[1]: 2} }}", "cannot be a key"},
      {"{{ [].x.y }}", "has no attribute 'x'"},
      {"{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "takes not more than 1 arguments"},
      {"{% macro m(a) %}{% endmacro %}{{ m(b=2) }}", "has no parameter 'b'"},
      {"{{ x | tojson }}", "cannot be written as JSON"},
      {"{{ 'abc", "the string is not closed"},
      {"{{ 1", "}} is missing"},
      {"{{ 1 2 }}", "'}}' should stand here, not '2'"},
      {"{# x", "the comment is not closed"},
      {"{% raw %}", "{% endraw %} is missing"},
      {"{% if true %}", "{% endif %} is missing"},
      {"{% else %}", "'else' is not a tag that can stand here"},
      {"{% break %}", "outside of a loop"},
      {"{% include 'x' %}", "'include' is not a tag"},
      {"{{ (1 }}", "closes nothing"},
      {"{{ \"\\u12\" }}", "needs 4 hexadecimal digits"},
      {"{{ d[1:] }}", "a 'dict' object cannot be sliced"},
      {"{{ $ }}", "unexpected character '$'"},
      {"{{ '{}'.format() }}", "format has no argument 0"},
      {"{{ '%d' % 'a' }}", "needs a number"},
      {"{{ '%' % 1 }}", "ends inside a placeholder"},
  };
  for (const ErrorCase& item : cases) {
    SCOPED_TRACE(item.source);
    const absl::Status status = StatusOf(item.source);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(ToString(status.message()), HasSubstr(item.message));
  }
}

TEST(JinjaErrorsTest, RaisedMessagesAreGivenAsTheyAre) {
  const absl::Status status = StatusOf("{% if true %}{{ raise_exception('roles must ' ~ 'alternate') }}{% endif %}");
  EXPECT_EQ(status, absl::InvalidArgumentError("roles must alternate"));
}

TEST(JinjaErrorsTest, CostIsBounded) {
  const char* const sources[] = {
      "{{ 'a' * 1000000000 }}",
      "{{ [0] * 1000000000 }}",
      "{{ range(1000000000) }}",
      "{{ range(-9223372036854775807, 9223372036854775807) }}",
      "{{ 'a'.center(9223372036854775807) }}",
      "{{ 'a' | indent(9223372036854775807) }}",
      "{{ '%999999999999d' % 1 }}",
      "{{ '{:>999999999999}'.format('a') }}",
      "{{ ('a' * 10000).replace('', 'b' * 10000) }}",
      "{{ ('a' * 100000) | list | join('b' * 10000) }}",
      "{% set ns = namespace(s='a') %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
      "{% set ns = namespace(l=[1]) %}{% for i in range(1000) %}{% set ns.l = [ns.l] %}{% endfor %}",
      "{% set ns = namespace(l=[1]) %}{% for i in range(90) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
      "{% set ns = namespace(l=[1]) %}{% for i in range(90) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}"
      "{{ ns.l | tojson }}",
      "{% set ns = namespace(l=(1,)) %}{% for i in range(90) %}{% set ns.l = (ns.l, ns.l) %}{% endfor %}{{ {ns.l: 1} "
      "}}",
      "{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(90) %}{% set ns.a = [ns.a, ns.a] %}"
      "{% set ns.b = [ns.b, ns.b] %}{% endfor %}{{ ns.a == ns.b }}",
      "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
      "{% for a in range(100000) %}{{ 'aaaaaaaaaaaaaaaa' * 1000 }}{% endfor %}",
      "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
      "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
      "{% set ns = namespace() %}{% macro a() %}{% macro b() %}{{ a() }}{% endmacro %}{% set ns.f = b %}{% endmacro %}"
      "{{ a() }}{% for i in range(100000) %}{% macro c(f) %}{% macro e() %}{{ f() }}{% endmacro %}{% set ns.f = e %}"
      "{% endmacro %}{{ c(ns.f) }}{% endfor %}{{ ns.f() }}",
  };
  for (const char* source : sources) {
    SCOPED_TRACE(source);
    const absl::Status status = StatusOf(source);
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  }
}

TEST(JinjaErrorsTest, LimitsAreThoseGiven) {
  RenderOptions options;
  options.limits.steps_max = 50;
  EXPECT_TRUE(StatusOf("{% for i in range(5) %}{{ i }}{% endfor %}", options).ok());
  EXPECT_THAT(ToString(StatusOf("{% for i in range(50) %}{{ i }}{% endfor %}", options).message()),
              HasSubstr("50 steps"));
  options = {};
  options.limits.output_bytes_max = 10;
  EXPECT_EQ(StatusOf("{{ 'a' * 100 }}", options).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(StatusOf("a text of more than that", options).code(), absl::StatusCode::kResourceExhausted);
  options = {};
  options.limits.memory_bytes_max = 100'000;
  EXPECT_THAT(ToString(StatusOf("{% set a = 'x' * 200000 %}{{ 1 }}", options).message()),
              HasSubstr("100000 bytes of values"));
  options = {};
  options.limits.template_bytes_max = 10;
  EXPECT_THAT(ToString(StatusOf("a text of more than that", options).message()), HasSubstr("24 bytes"));
}

struct Nesting {
  const char* open;
  const char* close;
};

std::string Repeated(const char* part) {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += part;
  return text;
}

TEST(JinjaErrorsTest, NestingIsBoundedWhereItIsRead) {
  const Nesting kinds[] = {{"(", ")"},  {"[", "]"},  {"{1:", "}"},  {"-", ""},           {"not ", ""},
                           {"a[", "]"}, {"a(", ")"}, {"a|b(", ")"}, {"1 if 1 else ", ""}};
  for (const Nesting& kind : kinds) {
    SCOPED_TRACE(kind.open);
    const std::string source = "{{ " + Repeated(kind.open) + "1" + Repeated(kind.close) + " }}";
    EXPECT_THAT(ToString(StatusOf(source).message()), HasSubstr("too much is nested"));
  }
  for (const char* block : {"{% if 1 %}", "{% for a in b %}", "{% macro m() %}", "{% set a %}"}) {
    SCOPED_TRACE(block);
    EXPECT_THAT(ToString(StatusOf(Repeated(block)).message()), HasSubstr("too much is nested"));
  }
  for (const char* part : {" + 1", ".a", "|abs", "[0]", "()", " or 1", " if 1"}) {
    SCOPED_TRACE(part);
    const absl::Status status = StatusOf("{{ a" + Repeated(part) + " }}");
    EXPECT_THAT(ToString(status.message()), HasSubstr("the expression is too long"));
  }
}

}  // namespace
}  // namespace enigma::engine::jinja
