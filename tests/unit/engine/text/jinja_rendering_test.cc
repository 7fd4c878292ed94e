// What the authors' engine gives: the outputs were produced by Jinja2 3.1.6 with the settings of transformers
// (trim_blocks, lstrip_blocks, loopcontrols, ImmutableSandboxedEnvironment, its tojson).

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/text/jinja/template.h"

namespace enigma::engine::jinja {
namespace {

struct Case {
  const char* source;
  const char* expected;
};

constexpr char kContext[] =
    R"j({"n": 3, "s": "héllo wörld", "l": [3, 1, 2], "d": {"b": 1, "a": {"c": [1, 2]}}, "msgs": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo", "tool_calls": [{"id": "x"}]}], "t": true, "z": null, "f": 1.5, "items": [{"name": "a", "v": 2}, {"name": "B", "v": 1}]})j";

// clang-format off
constexpr Case kCases[] = {
    {R"j({{ -2**2 }} {{ 2**3**2 }} {{ 7 // -2 }} {{ 7 % -2 }} {{ -7 % 2 }} {{ 7.5 // 2 }} {{ 1/2 }})j",
     R"j(4 64 -4 -1 1 3.0 0.5)j"},
    {R"j({{ 1e20 }} {{ 1.5e-7 }} {{ 1e15 }} {{ 1e16 }} {{ 0.1 + 0.2 }} {{ 100.0 }} {{ 1_000 }} {{ 0x1f }})j",
     R"j(1e+20 1.5e-07 1000000000000000.0 1e+16 0.30000000000000004 100.0 1000 31)j"},
    {R"j({{ [1, 'a', none, true, 1.5, {'k': (1,)}, "it's", 'q"\'', 'tab\t\n\\'] }})j",
     R"j([1, 'a', None, True, 1.5, {'k': (1,)}, "it's", 'q"\'', 'tab\t\n\\'])j"},
    {R"j({{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ 1 == 1.0 == true }} {{ 'a' in 'abc' }} {{ 2 not in l }} {{ 'b' in d }})j",
     R"j(True False True True False True)j"},
    {R"j({{ s[1] }} {{ s[-1] }} {{ s[1:4] }} {{ s[::-1] }} {{ s[::3] }} {{ s | length }} {{ s.upper() }} {{ s | title }} {{ s.title() }} {{ s | capitalize }})j",
     R"j(é d éll dlröw olléh hlwl 11 HÉLLO WÖRLD Héllo Wörld Héllo Wörld Héllo wörld)j"},
    {R"j({{ l[1:] }} {{ l[-2:] }} {{ l[::-1] }} {{ l[5:] }} {{ l[:-1] }} {{ l[10] }}|{{ l[-10] is defined }})j",
     R"j([1, 2] [1, 2] [2, 1, 3] [] [3, 1] |False)j"},
    {R"j({{ 'a' ~ 1 ~ none ~ true ~ 1.0 ~ undefinedvar ~ [1] }})j",
     R"j(a1NoneTrue1.0[1])j"},
    {R"j({{ '%s-%05d-%.2f-%x-%r-%%' % ('a', 42, 3.14159, 255, 'q') }} {{ '%s' % 'x' }} {{ '%(a)s' % {'a': 1} }} {{ '%-5s|%5s' % ('a', 'b') }})j",
     R"j(a-00042-3.14-ff-'q'-% x 1 a    |    b)j"},
    {R"j({{ '{} {0} {x:>5} {y!r:^6} {z:.2f} {w:05d} {{}}'.replace('{} ', '').format(1, x='a', y='b', z=2.5, w=42) }})j",
     R"j(1     a  'b'   2.50 00042 {})j"},
    {R"j({{ '{}-{}'.format('a', 'b') }} {{ '{:,}'.format(1234567) }} {{ '{:<4}|{:>4}|{:^4}|{:*^7}'.format('a', 'b', 'c', 'd') }})j",
     R"j(a-b 1,234,567 a   |   b| c  |***d***)j"},
    {R"j({{ '  x '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'abc'.lstrip('ab') }}|{{ 'abc'.rstrip('bc') }}|{{ 'aXbX'.replace('X', '-', 1) }})j",
     R"j(x|a|c|a|a-bX)j"},
    {R"j({{ 'abc'.startswith('a') }} {{ 'abc'.endswith(('x', 'c')) }} {{ 'abcb'.find('b') }} {{ 'abcb'.rfind('b') }} {{ 'abcb'.count('b') }} {{ 'abc'.index('c') }})j",
     R"j(True True 1 3 2 2)j"},
    {R"j({{ 'a-b'.partition('-') }} {{ 'a-b-c'.rpartition('-') }} {{ 'a\nb\r\nc'.splitlines() }} {{ '-'.join(['a', 'b']) }} {{ 'abc'.isalpha() }} {{ '12'.isdigit() }} {{ ' '.isspace() }})j",
     R"j(('a', '-', 'b') ('a-b', '-', 'c') ['a', 'b', 'c'] a-b True True True)j"},
    {R"j({{ 'a'.center(4, '*') }} {{ 'ab'.center(5, '*') }} {{ 'a'.ljust(3) }}| {{ 'a'.rjust(3, '.') }} {{ '-5'.zfill(4) }} {{ 'aB'.swapcase() }} {{ 'ab'.removeprefix('a') }} {{ 'ab'.removesuffix('b') }})j",
     R"j(*a** **ab* a  | ..a -005 Ab b a)j"},
    {R"j({{ d.items() | list }} {{ d.keys() | list }} {{ d.values() | list }} {{ d.get('b') }} {{ d.get('q', 7) }} {{ d.a.c[0] }} {{ d['a']['c'] }})j",
     R"j([('b', 1), ('a', {'c': [1, 2]})] ['b', 'a'] [1, {'c': [1, 2]}] 1 7 1 [1, 2])j"},
    {R"j({{ {'items': 5}['items'] }} {{ {'x': 1}.x }} {{ {1: 'a'}[1] }} {{ {'a': 1, 'a': 2} }} {{ dict(a=1, b=2) }} {{ dict({'x': 1}, y=2) }})j",
     R"j(5 1 a {'a': 2} {'a': 1, 'b': 2} {'x': 1, 'y': 2})j"},
    {R"j({{ l | sort }} {{ l | sort(reverse=true) }} {{ l | reverse | list }} {{ l | first }} {{ l | last }} {{ l | max }} {{ l | min }} {{ l | sum }} {{ l | join('-') }} {{ [] | first }}|)j",
     R"j([1, 2, 3] [3, 2, 1] [2, 1, 3] 3 2 3 1 6 3-1-2 |)j"},
    {R"j({{ items | map(attribute='name') | list }} {{ items | map(attribute='q', default='z') | list }} {{ items | sort(attribute='v') | map(attribute='name') | join }} {{ ['a', 'B'] | map('upper') | list }})j",
     R"j(['a', 'B'] ['z', 'z'] Ba ['A', 'B'])j"},
    {R"j({{ items | selectattr('v', 'gt', 1) | list }} {{ items | rejectattr('v', 'equalto', 1) | map(attribute='v') | list }} {{ [0, 1, 2] | select | list }} {{ [1, 2, 3] | select('odd') | list }} {{ [1, 2, 3] | reject('in', [1]) | list }})j",
     R"j([{'name': 'a', 'v': 2}] [2] [1, 2] [1, 3] [2, 3])j"},
    {R"j({{ items | groupby('v') | list | length }} {% for k, g in items | groupby('v') %}{{ k }}:{{ g | length }};{% endfor %}{{ [1, 2, 3, 4, 5] | batch(2) | list }} {{ [1, 2, 3] | batch(2, 'x') | list }} {{ [1, 2, 3, 4, 5] | slice(2) | list }})j",
     R"j(2 1:1;2:1;[[1, 2], [3, 4], [5]] [[1, 2], [3, 'x']] [[1, 2, 3], [4, 5]])j"},
    {R"j({{ {'b': 1, 'A': 2} | dictsort }} {{ d | items | list | length }} {{ ['b', 'a', 'B'] | unique | list }} {{ 'abc' | list }} {{ 'abc' | reverse }})j",
     R"j([('A', 2), ('b', 1)] 2 ['b', 'a'] ['a', 'b', 'c'] cba)j"},
    {R"j({{ '3' | int }} {{ '3.7' | int }} {{ 'x' | int }} {{ 'x' | int(5) }} {{ 'ff' | int(base=16) }} {{ '1.5' | float }} {{ 3.14159 | round(2) }} {{ 2.5 | round }} {{ 2.1 | round(method='ceil') }} {{ 5 | round }} {{ -3 | abs }})j",
     R"j(3 3 0 5 255 1.5 3.14 2.0 3.0 5 3)j"},
    {R"j({{ undefinedvar | default('x') }} {{ '' | default('x') }}| {{ '' | default('x', true) }} {{ none | d('q') }} {{ 5 | string }} {{ z is none }} {{ undefinedvar is undefined }})j",
     R"j(x | x None 5 True True)j"},
    {R"j({{ 'a\nb\n\nc' | indent }}|{{ 'a\nb' | indent(2, true) }}|{{ 'a\nb' | indent('> ') }} {{ '<a&"\'>' | e }} {{ 'a b/c?' | urlencode }} {{ 'one two three' | wordcount }} {{ 'one two three four five' | truncate(12) }} {{ 'abc def ghi jkl' | truncate(9, true) }})j",
     "a\n    b\n\n    c|  a\n  b|a\n> b &lt;a&amp;&#34;&#39;&gt; a%20b/c%3F 3 one two... abc de..."},
    {R"j({{ 'x y-z (a)' | title }} {{ 'foo bar' | center(11) }}| {{ 'aaa' | replace('a', 'b', 2) }} {{ '  x ' | trim }}| {{ 'xxaxx' | trim('x') }} {{ '%s %s' | format('a', 1) }})j",
     R"j(X Y-Z (A)   foo bar  | bba x| a a 1)j"},
    {R"j({{ d | tojson }} {{ s | tojson }} {{ [1.0, none, true, 'é"\u2028\x7f\x01'] | tojson }} {{ {} | tojson }} {{ [] | tojson(indent=2) }} {{ {1: 2, none: 3, true: 4} | tojson }})j",
     "{\"b\": 1, \"a\": {\"c\": [1, 2]}} \"héllo wörld\" [1.0, null, true, \"é\\\"\u2028\x7f" "\\u0001\"] {} [] {\"1\": 4, \"null\": 3}"},
    {R"j({{ d | tojson(indent=2) }} {{ [1, [2, {'a': []}]] | tojson(indent=1) }} {{ d | tojson(sort_keys=true) }} {{ 'é🎉' | tojson(ensure_ascii=true) }} {{ d | tojson(separators=(',', ':')) }})j",
     R"j({
  "b": 1,
  "a": {
    "c": [
      1,
      2
    ]
  }
} [
 1,
 [
  2,
  {
   "a": []
  }
 ]
] {"a": {"c": [1, 2]}, "b": 1} "\u00e9\ud83c\udf89" {"b":1,"a":{"c":[1,2]}})j"},
    {R"j({{ 1 is number }} {{ true is number }} {{ true is integer }} {{ 1.0 is float }} {{ 'a' is string }} {{ d is mapping }} {{ l is iterable }} {{ 'a' is iterable }} {{ 1 is iterable }} {{ l is sequence }} {{ d is sequence }} {{ true is boolean }} {{ 1 is boolean }} {{ true is true }} {{ 1 is true }} {{ false is false }})j",
     R"j(True True False True True True True True False True True True False True False True)j"},
    {R"j({{ 4 is divisibleby 2 }} {{ 4 is divisibleby(3) }} {{ 1 is eq 1 }} {{ 1 is ne(2) }} {{ 2 is gt 1 }} {{ 'a' is in ['a'] }} {{ 'A' is upper }} {{ 'a1' is lower }} {{ range is callable }} {{ 1 is callable }} {{ 3 is not even }} {{ 'upper' is filter }} {{ 'odd' is test }} {{ 1 is sameas 1 }})j",
     R"j(True False True True True True True True True False True True True True)j"},
    {R"j({% for i in range(3) %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a', 'b') }}{{ loop.changed(i // 2) }} {% endfor %})j",
     "1032TrueFalse31aTrue 2121FalseFalse302bFalse 3210FalseTrue31aTrue "},
    {R"j({% for x in [] %}a{% else %}empty{% endfor %}{% for x in l if x > 1 %}{{ x }}{{ loop.length }}{% else %}none{% endfor %}{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for c in 'héy' %}{{ c }}.{% endfor %}{% for k in d %}{{ k }}{% endfor %})j",
     R"j(empty3222b=1;a={'c': [1, 2]};h.é.y.ba)j"},
    {R"j({% for x in [1, 2, 3, 4, 5] %}{% if x == 2 %}{% continue %}{% elif x == 4 %}{% break %}{% endif %}{{ x }}{% endfor %}{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %})j",
     R"j(13123)j"},
    {R"j({% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = x + i %}{{ x }};{% endfor %}{{ x }}{% if true %}{% set x = 9 %}{% endif %}{{ x }})j",
     R"j(12;13;19)j"},
    {R"j({% set ns = namespace(a=1, b=[]) %}{% for i in l %}{% set ns.a = ns.a + i %}{% set ns.b = ns.b + [i] %}{% endfor %}{{ ns.a }} {{ ns.b }} {{ ns.c is defined }})j",
     R"j(7 [3, 1, 2] False)j"},
    {R"j({% for n in [{'v': 1, 'k': [{'v': 2, 'k': [{'v': 3}]}]}] recursive %}{{ n.v }}@{{ loop.depth }}{% if n.k %}({{ loop(n.k) }}){% endif %}{% endfor %})j",
     R"j(1@1(2@2(3@3)))j"},
    {R"j({% macro m(a, b=2, c=a) %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, c=5) }}{{ m(b=3, a=0) }}{% macro v(x) %}{{ x }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ v(1, 2, 3, q=4) }}{{ m.name }}{{ m.arguments }})j",
     R"j([121][125][030]1(2, 3){'q': 4}m('a', 'b', 'c'))j"},
    {R"j({% macro outer() %}<{{ caller(1, k=2) }}>{% endmacro %}{% call(x, k) outer() %}{{ x }}-{{ k }}{% endcall %}{% macro r(n) %}{{ n }}{% if n > 0 %}{{ r(n - 1) }}{% endif %}{% endmacro %}{{ r(3) }})j",
     R"j(<1-2>3210)j"},
    {R"j({% set a, b = 1, 2 %}{{ a }}{{ b }}{% set c %}x{{ a }}y{% endset %}{{ c }}{% set e | upper | replace('X', '-') %}x{{ b }}{% endset %}{{ e }}{% filter upper | trim %}  ab {% endfilter %}{% with q = 5, w = a %}{{ q }}{{ w }}{% endwith %}{{ q is defined }})j",
     R"j(12x1y-2AB51False)j"},
    {R"j({% generation %}gen{{ n }}{% endgeneration %}{% raw %}{{ raw }}{% x %}{% endraw %}{# comment {{ x }} #}|{{ '{{' }}{{ "%}" }})j",
     R"j(gen3{{ raw }}{% x %}|{{%})j"},
    {R"j({{ 'a' if t else 'b' }}{{ 'a' if z }}{{ ('x' if z else 'y') ~ 'q' }}{{ z or 'alt' }}{{ t and 'yes' }}{{ not t }}{{ not z and t }}{{ z.foo }}|{{ d.zzz }}|)j",
     R"j(ayqaltyesFalseTrue||)j"},
    {R"j({% set j = joiner('; ') %}{{ j() }}a{{ j() }}b{{ j() }}c {% set cy = cycler('o', 'e') %}{{ cy.next() }}{{ cy.next() }}{{ cy.next() }}{{ cy.current }})j",
     R"j(a; b; c oeoe)j"},
    {R"j({{ [1, 2] + [3] }} {{ (1, 2) + (3,) }} {{ 'ab' * 2 }} {{ 2 * [0] }} {{ () }} {{ (1,) }} {{ 1, 2 }} {{ [[1, 2], [3]] | sum(start=[]) }} {{ true + true }} {{ +n }} {{ -f }})j",
     R"j([1, 2, 3] (1, 2, 3) abab [0, 0] () (1,) (1, 2) [1, 2, 3] 2 3 -1.5)j"},
    {R"j({{ "a" "b" 'c' }}{{ '\x41\u00e9\U0001F389\101\q' }}{{ 'ß'.upper() }}{{ 'ÀÉ'.lower() }}{{ 'straße' | capitalize }}{{ 'ПРИВЕТ' | lower }})j",
     R"j(abcAé🎉A\qSSàéStraßeпривет)j"},
    {R"j({{ msgs[1].tool_calls[0].id }} {{ msgs[-1]['content'] }} {{ msgs | map(attribute='role') | join(',') }} {{ msgs | selectattr('tool_calls', 'defined') | list | length }} {{ msgs | length > 1 }} {{ msgs[0] == msgs[1] }} {{ msgs | last | attr('x') is defined }})j",
     R"j(x Yo user,assistant 1 True False False)j"},
    {R"j({{ n is defined and n > 2 }} {{ (n + 1) | string + 'x' }} {{ n | string | length }} {{ l | length == 3 and 'ok' }} {{ 3 in l and 4 not in l }} {{ not 1 in l }} {{ d.a.c | length * 2 }} {{ l is not none }})j",
     R"j(True 4x 1 ok True False 4 True)j"},
    {R"j(    x)j",
     R"j(    x)j"},
    {R"j(    y)j",
     R"j(    y)j"},
    {R"j( {#- c -#}  z)j",
     R"j(z)j"},
    {"\t{% set q = 1 +%}",
     R"j()j"},
    {R"j(w {%+ if t %}v{% endif %}  u)j",
     R"j(w v  u)j"},
    {R"j({{ 1 -}}   2   {{- 3 }})j",
     R"j(123)j"},
    {R"j({% raw -%}  a  {%- endraw %}  b)j",
     R"j(a  b)j"},
    {R"j({%- for i in l -%}  {{ i }}  {%- endfor -%}  end)j",
     R"j(312end)j"},
    {R"j(a {# x #})j",
     "a "},
    {R"j(  {# y #})j",
     R"j()j"},
    {R"j(b {{ '' }})j",
     "b "},
    {R"j(   {{ 'k' }})j",
     R"j(   k)j"},
    {R"j(  {{ x }})j",
     "  "},
    {R"j(x)j",
     R"j(x)j"},
    {R"j({{ [undefinedvar] }} {{ undefinedvar == undefinedvar2 }} {{ undefinedvar in [1] }} {{ undefinedvar | length }} {{ undefinedvar ~ 'a' }} {{ undefinedvar | upper }} {% for x in undefinedvar %}q{% endfor %} {{ undefinedvar | list }} {{ undefinedvar is iterable }})j",
     R"j([Undefined] True False 0 a   [] True)j"},
    {R"j({{ 'abc'[1:2] ~ 'abc'[-2:] ~ 'abc'[:0] ~ 'abc'[2:1] ~ 'abc'[::2] ~ 'abc'[100:] ~ 'abc'[-100:2] }} {{ [1,2,3,4][3:0:-1] }} {{ [1,2,3,4][-1:-3:-1] }} {{ (1,2,3)[1:] }})j",
     R"j(bbcacab [4, 3, 2] [4, 3] (2, 3))j"},
    {R"j({{ namespace(a=1).a }} {{ 'x' is sameas 'x' }} {{ l | tojson | length }} {{ 'abc' | first }} {{ d | first }} {{ d | length }} {{ d | list }} {{ d | join('+') }})j",
     R"j(1 True 9 a b 2 ['b', 'a'] b+a)j"},
    {R"j({{ (l | sort)[0] }}{{ l | sort | first }}{{ ('a' ~ 'b') | upper }}{{ 'a' ~ 'b' | upper }}{{ -1 | abs }}{{ 1 + 2 | string | length }}{{ not 'a' == 'b' }})j",
     R"j(11ABaB12True)j"},
    {R"j({{ 5 | float }} {{ '' | int }} {{ 1.9 | int }} {{ true | int }} {{ none | int }} {{ 1e3 | int }} {{ 3 | round(1) }} {{ 1234.567 | round(-2) }} {{ 0.5 | round }} {{ 1.5 | round }} {{ 2.675 | round(2) }})j",
     R"j(5.0 0 1 1 0 1000 3 1200.0 0.0 2.0 2.67)j"},
    {R"j(  {% if t %}
    x
  {%- else %}
    y
  {% endif %}
 {#- c -#}  z
)j",
     R"j(    xz)j"},
    {"\t{% set q = 1 +%}\nw {%+ if t %}v{% endif %}  u\n{{ 1 -}}   2   {{- 3 }}\n{% raw -%}  a  {%- endraw %}  b\n",
     "\nw v  u\n123\na  b"},
    {"A{% if t %}   \n  B{% endif %}{% if t %}\nC{% endif %}\n\n{%- for i in l -%}  {{ i }}  {%- endfor -%}  end\n",
     "A   \n  BC312end"},
    {"a {# x #}\n  {# y #}\nb {{ '' }}\n   {{ 'k' }}\n\n",
     "a b \n   k\n"},
    {R"j({%- macro h(x) -%}
  {{ x }}
{%- endmacro -%}
{{ h(1) }}  {{ h(2) -}}
x)j",
     R"j(1  2x)j"},
    {"a\r\n{% if t %}\r\nb\r{% endif %}\r\nc\n",
     R"j(a
b
c)j"},
    {R"j({% raw %}
 {{ x }}
  {% endraw %}
 y)j",
     "\n {{ x }}\n y"},
    {R"j({%- raw -%}  q{% endraw +%}
z)j",
     R"j(q
z)j"},
    {R"j({{ "a}}b" }}{{ {"a": {"b": 1}} }})j",
     R"j(a}}b{'a': {'b': 1}})j"},
    {R"j({#- -#} x {#+ #}
 y {#--#})j",
     R"j(x  y)j"},
    {"{% if t -%} \n a \n {%- endif %} \n b",
     "a \n b"},
    {R"j({{- n -}}
{%- if t %} {{ n }} {% endif -%}
)j",
     "3 3 "},
    {R"j(x
  {%- set a = 1 %}
  {% set b = 2 -%}
  {{ a }})j",
     R"j(x1)j"},
    {"\n\n{{ n }}\n\n",
     "\n\n3\n"},
    {R"j({% for m in msgs %}
{{ m.role }}
{% endfor %}
)j",
     R"j(user
assistant
)j"},
    {"{% for m in msgs %}  \n  {% if loop.first %}  \n  F\n  {% endif %}  \n{% endfor %}",
     "  \n  \n  F\n  \n  \n  \n"},
    {R"j({{ n }} {%- if t %} a {% endif %} {#- x #} b)j",
     R"j(3 a  b)j"},
    {R"j(   {{ n }}
   {% if t %}q{% endif %}
)j",
     R"j(   3
q)j"},
    {R"j({{ ' a b  c '.rsplit(none, 1) }})j",
     R"j([' a b', 'c'])j"},
};
// clang-format on

TEST(JinjaRenderingTest, GivesWhatJinjaGives) {
  const Json context = Json::parse(kContext);
  for (const Case& item : kCases) {
    SCOPED_TRACE(item.source);
    const auto parsed = Template::Parse(item.source);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    const auto text = parsed->Render(context);
    ASSERT_TRUE(text.ok()) << text.status();
    EXPECT_EQ(*text, item.expected);
  }
}

TEST(JinjaRenderingTest, TheOtherDialectPrintsAsJavaScript) {
  const auto parsed = Template::Parse("{{ true }} {{ ['a', none, x] }} {{ 1 + 'a' }} {{ 1 == true }} {{ x | tojson }}");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  RenderOptions options;
  options.dialect = Dialect::kJavaScript;
  const auto text = parsed->Render(Json::object(), options);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(*text, "true [\"a\", null, undefined] 1a false null");
}

TEST(JinjaRenderingTest, PrintsTheTimeGiven) {
  const auto parsed = Template::Parse("{{ strftime_now('%Y') }}|{{ strftime_now('') }}|");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  RenderOptions options;
  options.now = 1'750'000'000;  // June 2025 everywhere
  const auto text = parsed->Render(Json::object(), options);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(*text, "2025||");
}

}  // namespace
}  // namespace enigma::engine::jinja
