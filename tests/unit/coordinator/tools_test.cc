// Calls of tools over HTTP: what goes to the model, and what is made of its answers.
#include <memory>
#include <vector>

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/text/constraint/grammar.h"
#include "engine/text/constraint/pushdown.h"
#include "tests/support/edited_model.h"
#include "tests/unit/coordinator/coordinator_fixture.h"
#include "tests/unit/coordinator/http_client.h"

namespace enigma::coordinator::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using OrderedJson = nlohmann::ordered_json;

constexpr char kTagged[] =
    "{% if tools %}TOOLS{% for t in tools %}{{ t | tojson }}{% endfor %}\n{% endif %}{% for m in messages %}"
    "[{{ m.role }}]{{ m.content }}{% for c in m.tool_calls or [] %}\n<tool_call>\n{\"name\": \"{{ c.function.name "
    "}}\", "
    "\"arguments\": {{ c.function.arguments | tojson }}}\n</tool_call>{% endfor %}[/]{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}";
constexpr char kPlain[] =
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}[/]{% endfor %}{% if add_generation_prompt %}[assistant]{% "
    "endif "
    "%}";

constexpr char kListed[] =
    "{{ tools }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% if m.tool_calls %}CALLS[{% for c in "
    "m.tool_calls "
    "%}{\"name\": \"{{ c.function.name }}\", \"arguments\": {{ c.function.arguments | tojson }}}{% if not loop.last "
    "%}, "
    "{% endif %}{% endfor %}]{% endif %}[/]{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";

constexpr char kFielded[] =
    "{{ tools }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% for c in m.tool_calls or [] %}\n<tool_call>"
    "\n<function={{ c.function.name }}>\n{% for k, v in c.function.arguments.items() %}<parameter={{ k }}>\n{{ v "
    "}}\n</parameter>\n{% endfor %}</function>\n</tool_call>{% endfor %}[/]{% endfor %}";

class ToolsTest : public CoordinatorTest {
 protected:
  void Serve(const char* chat_template) {
    enigma::testing::EditModel(model_path_, model_path_, [&](enigma::testing::EditableModel& model) {
      model.metadata.Set("tokenizer.chat_template", std::string(chat_template));
      model.metadata.Set("llama.context_length", uint64_t{4096});
    });
    CoordinatorTest::Serve();
    tokenizer_ = Tokenizer();
  }
  // Of a continuation: the tokenizer's own space in front is none.
  void AnswerWith(const std::string& text) {
    std::vector<int32_t> ids = tokenizer_->Encode("\n" + text, {});
    const auto line = tokenizer_->Encode("\n", {});
    ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(line.size()));
    std::string decoded;
    for (const int32_t id : ids) decoded += tokenizer_->TokenBytes(id, false);
    ASSERT_EQ(decoded, text);
    answer_tokens_ = ids.size();
    pipelines_.SetWholeAnswer(ids);
  }
  static OrderedJson Ask(const OrderedJson& more = OrderedJson::object()) {
    OrderedJson body = {{"model", "stories"},
                        {"messages", {{{"role", "user"}, {"content", "What time is it?"}}}},
                        {"max_tokens", 300},
                        {"tools", OrderedJson::parse(R"([
            {"type": "function", "function": {"name": "time_in", "description": "The time.", "parameters":
                {"type": "object", "properties": {"city": {"enum": ["Rome", "Oslo"]}}, "required": ["city"]}}},
            {"type": "function", "function": {"name": "now"}}])")}};
    body.update(more);
    return body;
  }
  HttpAnswer Chat(const OrderedJson& body) {
    return Post(coordinator_->http_port(), "/v1/chat/completions", body.dump());
  }
  OrderedJson Choice(const OrderedJson& body) {
    const HttpAnswer answer = Chat(body);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.status == 200 ? OrderedJson::parse(answer.body)["choices"][0] : OrderedJson();
  }
  std::string PromptSent() {
    const auto opened = pipelines_.opened();
    std::string text;
    for (const int32_t id : opened.back().prompt()) text += tokenizer_->TokenBytes(id, true);
    return text;
  }
  std::string Param(const OrderedJson& body) {
    const HttpAnswer answer = Chat(body);
    EXPECT_EQ(answer.status, 400) << answer.body;
    const OrderedJson param = OrderedJson::parse(answer.body)["error"]["param"];
    return param.is_string() ? param.get<std::string>() : "";
  }

  std::unique_ptr<engine::Tokenizer> tokenizer_;
  size_t answer_tokens_ = 0;
};

constexpr char kCall[] =
    "One moment.\n<tool_call>\n{\"name\": \"time_in\", \"arguments\": {\"city\": \"Rome\"}}\n</tool_call>";

TEST_F(ToolsTest, CallsAreReadOutOfAnswers) {
  ASSERT_NO_FATAL_FAILURE(Serve(kTagged));
  ASSERT_NO_FATAL_FAILURE(AnswerWith(kCall));
  OrderedJson choice = Choice(Ask());
  EXPECT_THAT(PromptSent(), HasSubstr("TOOLS{\"type\": \"function\", \"function\": {\"name\": \"time_in\""));
  EXPECT_EQ(choice["finish_reason"], "tool_calls");
  EXPECT_EQ(choice["message"]["content"], "One moment.");
  ASSERT_EQ(choice["message"]["tool_calls"].size(), 1U);
  OrderedJson call = choice["message"]["tool_calls"][0];
  EXPECT_THAT(call["id"].get<std::string>(), StartsWith("call_"));
  EXPECT_EQ(call["type"], "function");
  EXPECT_EQ(call["function"]["name"], "time_in");
  EXPECT_EQ(OrderedJson::parse(call["function"]["arguments"].get<std::string>()), OrderedJson({{"city", "Rome"}}));

  ASSERT_NO_FATAL_FAILURE(AnswerWith("<tool_call>{\"name\": \"now\", \"arguments\": {}}</tool_call>"));
  choice = Choice(Ask());
  EXPECT_TRUE(choice["message"]["content"].is_null());
  EXPECT_EQ(choice["message"]["tool_calls"][0]["function"]["arguments"], "{}");

  // No call of these tools: text, all of it.
  const std::string wrong = "<tool_call>{\"name\": \"other\", \"arguments\": {}}</tool_call>";
  ASSERT_NO_FATAL_FAILURE(AnswerWith(wrong));
  choice = Choice(Ask());
  EXPECT_EQ(choice["message"]["content"], wrong);
  EXPECT_FALSE(choice["message"].contains("tool_calls"));
  EXPECT_EQ(choice["finish_reason"], "stop");

  // Where none may be called, the model does not hear of tools, and its answer is not looked at.
  ASSERT_NO_FATAL_FAILURE(AnswerWith(kCall));
  choice = Choice(Ask({{"tool_choice", "none"}}));
  EXPECT_EQ(choice["message"]["content"], kCall);
  EXPECT_THAT(PromptSent(), Not(HasSubstr("TOOLS")));
}

TEST_F(ToolsTest, ArgumentsThatAreNoJsonTakeTheKindsOfTheirSchema) {
  ASSERT_NO_FATAL_FAILURE(Serve(kFielded));
  ASSERT_NO_FATAL_FAILURE(
      AnswerWith("<tool_call>\n<function=now>\n<parameter=zone>\n2\n</parameter>\n<parameter=label>\n2\n</"
                 "parameter>\n</function>\n"
                 "</tool_call>"));
  const OrderedJson tools =
      OrderedJson::parse(R"([{"type": "function", "function": {"name": "time_in"}}, {"type": "function",
      "function": {"name": "now", "parameters": {"type": "object", "properties": {"zone": {"type": "integer"}, "label":
      {"type": "string"}}}}}])");
  const OrderedJson message = Choice(Ask({{"tools", tools}}))["message"];
  ASSERT_EQ(message["tool_calls"].size(), 1U) << message;
  EXPECT_EQ(message["tool_calls"][0]["function"]["name"], "now");
  EXPECT_EQ(message["tool_calls"][0]["function"]["arguments"], R"({"zone":2,"label":"2"})");
}

// Models whose marks are tokens of their own write them, and what is no text would be left out of it.
TEST_F(ToolsTest, MarksThatAreControlTokensAreSeen) {
  enigma::testing::EditModel(model_path_, model_path_, [](enigma::testing::EditableModel& model) {
    constexpr size_t kFirst = 500;
    auto tokens = std::make_unique<engine::GgufArray>(*model.metadata.Array("tokenizer.ggml.tokens").value());
    auto types = std::make_unique<engine::GgufArray>(*model.metadata.Array("tokenizer.ggml.token_type").value());
    tokens->strings[kFirst] = "<tool_call>";
    tokens->strings[kFirst + 1] = "</tool_call>";
    for (const size_t id : {kFirst, kFirst + 1}) types->integers[id] = 3;  // control
    model.metadata.Set("tokenizer.ggml.tokens", std::move(tokens));
    model.metadata.Set("tokenizer.ggml.token_type", std::move(types));
  });
  ASSERT_NO_FATAL_FAILURE(Serve(kTagged));
  const std::vector<int32_t> ids = tokenizer_->Encode("<tool_call>{\"name\": \"now\", \"arguments\": {}}</tool_call>",
                                                      {.add_special = false, .parse_special = true});
  ASSERT_EQ(ids.front(), 500);
  ASSERT_EQ(ids.back(), 501);
  pipelines_.SetWholeAnswer(ids);
  const OrderedJson message = Choice(Ask())["message"];
  ASSERT_TRUE(message.contains("tool_calls")) << message;
  ASSERT_EQ(message["tool_calls"].size(), 1U);
  EXPECT_EQ(message["tool_calls"][0]["function"]["name"], "now");
  EXPECT_TRUE(message["content"].is_null());
}

TEST_F(ToolsTest, OneCallIsAllWhereOneIsAskedFor) {
  ASSERT_NO_FATAL_FAILURE(Serve(kListed));
  ASSERT_NO_FATAL_FAILURE(AnswerWith("[{\"name\": \"now\", \"arguments\": {}}]"));
  Choice(Ask({{"tool_choice", "required"}}));
  Choice(Ask({{"tool_choice", "required"}, {"parallel_tool_calls", false}}));
  Choice(Ask({{"tool_choice", {{"type", "function"}, {"function", {{"name", "now"}}}}}}));
  std::vector<int> most;
  for (const auto& prepared : pipelines_.prepared())
    most.push_back(OrderedJson::parse(prepared.json_schema())["maxItems"]);
  EXPECT_THAT(most, ::testing::ElementsAre(8, 1, 1));

  ASSERT_NO_FATAL_FAILURE(
      AnswerWith("CALLS[{\"name\": \"now\", \"arguments\": {}}, {\"name\": \"now\", \"arguments\": {}}]"));
  EXPECT_EQ(Choice(Ask())["message"]["tool_calls"].size(), 2U);
  EXPECT_EQ(Choice(Ask({{"parallel_tool_calls", false}}))["message"]["tool_calls"].size(), 1U);
}

TEST_F(ToolsTest, CallsAreStreamedAsOpenAiDoes) {
  ASSERT_NO_FATAL_FAILURE(Serve(kTagged));
  ASSERT_NO_FATAL_FAILURE(
      AnswerWith(absl::StrCat(kCall, "\n<tool_call>{\"name\": \"now\", \"arguments\": {}}</tool_call>")));
  const std::vector<std::string> events = Chat(Ask({{"stream", true}})).Events();
  ASSERT_GE(events.size(), 6U);
  EXPECT_EQ(events.back(), "[DONE]");
  const OrderedJson first = OrderedJson::parse(events[0])["choices"][0]["delta"];
  EXPECT_EQ(first, OrderedJson::parse(R"({"role": "assistant", "content": null})"));
  std::string content;
  std::vector<OrderedJson> calls;
  for (size_t i = 1; i + 2 < events.size(); ++i) {
    const OrderedJson choice = OrderedJson::parse(events[i])["choices"][0];
    EXPECT_TRUE(choice["finish_reason"].is_null());
    const OrderedJson delta = choice["delta"];
    if (delta.contains("content")) {
      EXPECT_TRUE(calls.empty());
      content += delta["content"].get<std::string>();
      continue;
    }
    ASSERT_EQ(delta["tool_calls"].size(), 1U) << delta;
    const OrderedJson piece = delta["tool_calls"][0];
    if (piece["index"] == calls.size()) {
      EXPECT_TRUE(piece["id"].is_string());
      EXPECT_EQ(piece["type"], "function");
      EXPECT_EQ(piece["function"]["arguments"], "");
      calls.push_back(piece["function"]);
    } else {
      ASSERT_EQ(piece["index"], calls.size() - 1);
      EXPECT_FALSE(piece.contains("id") || piece.contains("type") || piece["function"].contains("name"));
      calls.back()["arguments"] =
          calls.back()["arguments"].get<std::string>() + piece["function"]["arguments"].get<std::string>();
    }
  }
  EXPECT_EQ(content, "One moment.");
  ASSERT_EQ(calls.size(), 2U);
  EXPECT_EQ(calls[0]["name"], "time_in");
  EXPECT_EQ(calls[0]["arguments"], R"({"city":"Rome"})");
  EXPECT_EQ(calls[1], OrderedJson::parse(R"({"name": "now", "arguments": "{}"})"));
  EXPECT_EQ(OrderedJson::parse(events[events.size() - 2])["choices"][0]["finish_reason"], "tool_calls");
}

TEST_F(ToolsTest, WhatMustBeACallIsHeldToItsSchema) {
  ASSERT_NO_FATAL_FAILURE(Serve(kTagged));
  ASSERT_NO_FATAL_FAILURE(AnswerWith("{\"name\": \"time_in\", \"arguments\": {\"city\": \"Oslo\"}}"));
  OrderedJson choice = Choice(Ask({{"tool_choice", "required"}}));
  EXPECT_THAT(PromptSent(), ::testing::EndsWith("[assistant]<tool_call>\n")) << "the model's own mark";
  ASSERT_EQ(pipelines_.prepared().size(), 1U);
  EXPECT_THAT(pipelines_.prepared()[0].json_schema(), HasSubstr(R"("city":{"enum":["Rome","Oslo"]})"));
  EXPECT_THAT(pipelines_.prepared()[0].json_schema(), HasSubstr(R"({"const":"now"})"));
  EXPECT_EQ(choice["finish_reason"], "tool_calls");
  EXPECT_TRUE(choice["message"]["content"].is_null());
  EXPECT_EQ(choice["message"]["tool_calls"][0]["function"],
            OrderedJson::parse(R"({"name": "time_in", "arguments": "{\"city\": \"Oslo\"}"})"));

  choice = Choice(Ask({{"tool_choice", {{"type", "function"}, {"function", {{"name", "time_in"}}}}}}));
  EXPECT_EQ(choice["finish_reason"], "tool_calls");
  EXPECT_THAT(pipelines_.prepared()[1].json_schema(), Not(HasSubstr("now")));
  // Cut off by its budget it is a call that is not whole, and says so.
  choice = Choice(Ask({{"tool_choice", "required"}, {"max_tokens", answer_tokens_ - 6}}));
  EXPECT_EQ(choice["finish_reason"], "length");
  EXPECT_THAT(choice["message"]["tool_calls"][0]["function"]["arguments"].get<std::string>(), StartsWith("{\"city"));

  const std::vector<std::string> events = Chat(Ask({{"tool_choice", "required"}, {"stream", true}})).Events();
  std::string arguments;
  size_t pieces = 0;
  for (size_t i = 1; i + 2 < events.size(); ++i) {
    const OrderedJson piece = OrderedJson::parse(events[i])["choices"][0]["delta"]["tool_calls"][0];
    arguments += piece["function"]["arguments"].get<std::string>();
    ++pieces;
  }
  EXPECT_EQ(arguments, "{\"city\": \"Oslo\"}");
  EXPECT_GT(pieces, 1U);
}

// With tool_choice auto the answer is free, and its calls of strict tools are held to their schemas.
TEST_F(ToolsTest, StrictToolsAreHeldToTheirSchemasWhereCallsAreFree) {
  ASSERT_NO_FATAL_FAILURE(Serve(kTagged));
  ASSERT_NO_FATAL_FAILURE(AnswerWith(kCall));
  OrderedJson body = Ask();
  Choice(body);
  EXPECT_TRUE(pipelines_.prepared().empty()) << "a request that asks for nothing is held to nothing";
  EXPECT_FALSE(pipelines_.opened().back().constrained());

  body["tools"][0]["function"]["strict"] = true;
  const OrderedJson choice = Choice(body);
  EXPECT_EQ(choice["message"]["content"], "One moment.");
  EXPECT_EQ(choice["message"]["tool_calls"][0]["function"]["name"], "time_in");
  EXPECT_EQ(choice["finish_reason"], "tool_calls");
  EXPECT_THAT(PromptSent(), ::testing::EndsWith("[assistant]")) << "no mark is put into the answer's mouth";
  ASSERT_EQ(pipelines_.prepared().size(), 1U);
  EXPECT_TRUE(pipelines_.opened().back().constrained());
  const std::string sent = pipelines_.prepared()[0].json_schema();
  OrderedJson form = OrderedJson::parse(sent)["$calls"];
  EXPECT_EQ(form["marks"][0]["text"], "<tool_call>");
  EXPECT_EQ(form["several"], true);
  EXPECT_THAT(sent, HasSubstr(R"("city":{"enum":["Rome","Oslo"]})"));
  const auto grammar = engine::Grammar::FromJsonSchema(sent);
  ASSERT_TRUE(grammar.ok()) << grammar.status();
  const auto allows = [&](std::string_view text) { return engine::ByteMatcher(**grammar).Accept(text); };
  EXPECT_TRUE(allows(kCall));
  EXPECT_TRUE(allows("No."));
  EXPECT_TRUE(allows("<tool_call>{\"name\": \"now\", \"arguments\": {\"x\": 1}}</tool_call>")) << "it is not strict";
  EXPECT_FALSE(allows("<tool_call>{\"name\": \"time_in\", \"arguments\": {\"city\": \"Paris\"}}</tool_call>"));

  body["parallel_tool_calls"] = false;
  Choice(body);
  EXPECT_EQ(OrderedJson::parse(pipelines_.prepared()[1].json_schema())["$calls"]["several"], false);
  body["tool_choice"] = "none";
  Choice(body);
  EXPECT_EQ(pipelines_.prepared().size(), 2U);

  // What cannot be kept to is said of the tools that are strict, and of no others.
  body = Ask({{"tools", OrderedJson::parse(R"([{"type": "function", "function": {"name": "a", "strict": true}},
      {"type": "function", "function": {"name": "b", "parameters": {"properties": {"x": {"multipleOf": 2}}}}}])")}});
  Choice(body);
  EXPECT_EQ(pipelines_.prepared().size(), 3U);
  body["tools"][1]["function"]["strict"] = true;
  EXPECT_EQ(Param(body), "tools[1].function.parameters");
  EXPECT_THAT(Chat(body).body, HasSubstr("#/properties/x/multipleOf"));
}

TEST_F(ToolsTest, StrictToolsNeedAFormOfCallsThatCanBeHeld) {
  ASSERT_NO_FATAL_FAILURE(Serve(kFielded));
  ASSERT_NO_FATAL_FAILURE(AnswerWith("no"));
  OrderedJson body = Ask();
  Choice(body);
  body["tools"][1]["function"]["strict"] = true;
  EXPECT_EQ(Param(body), "tools[1].function.strict");
  EXPECT_THAT(Chat(body).body, HasSubstr("a form that is no JSON"));
  ASSERT_NO_FATAL_FAILURE(AnswerWith("{\"name\": \"now\", \"arguments\": {}}"));
  body["tool_choice"] = "required";
  EXPECT_EQ(Choice(body)["finish_reason"], "tool_calls") << "where a call is asked for, it is one in JSON";
}

TEST_F(ToolsTest, ATemplateWithoutAPlaceForToolsHasThemInItsPrompt) {
  ASSERT_NO_FATAL_FAILURE(Serve(kPlain));
  ASSERT_NO_FATAL_FAILURE(AnswerWith("{\"name\": \"now\", \"arguments\": {}}"));
  OrderedJson body = Ask();
  body["messages"] = OrderedJson::parse(R"([{"role": "user", "content": "q"},
      {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function":
          {"name": "now", "arguments": "{}"}}]},
      {"role": "tool", "tool_call_id": "c1", "content": "noon"}])");
  OrderedJson choice = Choice(body);
  EXPECT_THAT(PromptSent(), HasSubstr("[system]You can call functions."));
  EXPECT_THAT(PromptSent(),
              HasSubstr("[assistant]{\"name\":\"now\",\"arguments\":{}}[/][user]Result of the function now:"));
  EXPECT_EQ(choice["message"]["tool_calls"][0]["function"]["name"], "now");
  choice = Choice(Ask({{"tool_choice", "required"}}));
  EXPECT_EQ(choice["message"]["tool_calls"][0]["function"]["name"], "now");
  // With a format of answers: one or the other.
  choice = Choice(Ask({{"response_format", {{"type", "json_object"}}}}));
  EXPECT_EQ(choice["message"]["tool_calls"][0]["function"]["name"], "now");
  EXPECT_THAT(pipelines_.prepared().back().json_schema(), HasSubstr(R"({"$ref":"#/$defs/answer"})"));
  ASSERT_NO_FATAL_FAILURE(AnswerWith("{\"a\": 1}"));
  choice = Choice(Ask({{"response_format", {{"type", "json_object"}}}}));
  EXPECT_EQ(choice["message"]["content"], "{\"a\": 1}");
  EXPECT_EQ(choice["finish_reason"], "stop");
}

TEST_F(ToolsTest, WhatIsWrongIsNamed) {
  ASSERT_NO_FATAL_FAILURE(Serve(kTagged));
  const auto tools = [](const char* text) { return Ask({{"tools", OrderedJson::parse(text)}}); };
  EXPECT_EQ(Param(tools("{}")), "tools");
  EXPECT_EQ(Param(tools(R"([{"type": "custom"}])")), "tools[0].type");
  EXPECT_EQ(Param(tools(R"([{"type": "function"}])")), "tools[0].function");
  EXPECT_EQ(Param(tools(R"([{"type": "function", "function": {"name": "a b"}}])")), "tools[0].function.name");
  EXPECT_EQ(Param(tools(R"([{"type": "function", "function": {"name": "a"}},
                            {"type": "function", "function": {"name": "a"}}])")),
            "tools[1].function.name");
  EXPECT_EQ(Param(tools(R"([{"type": "function", "function": {"name": "a", "parameters": []}}])")),
            "tools[0].function.parameters");
  EXPECT_EQ(Param(Ask({{"tool_choice", "perhaps"}})), "tool_choice");
  EXPECT_EQ(Param(Ask({{"tool_choice", {{"type", "function"}, {"function", {{"name", "other"}}}}}})), "tool_choice");
  EXPECT_EQ(Param(Ask({{"parallel_tool_calls", "no"}})), "parallel_tool_calls");
  OrderedJson without = Ask({{"tool_choice", "required"}});
  without.erase("tools");
  EXPECT_EQ(Param(without), "tool_choice");
  // What cannot be held to is said where it must be; where calls are the model's own affair, it is only described.
  OrderedJson unsupported = tools(R"([{"type": "function", "function": {"name": "b"}}, {"type": "function", "function":
      {"name": "a", "parameters": {"properties": {"x": {"multipleOf": 2}}}}}])");
  ASSERT_NO_FATAL_FAILURE(AnswerWith("no"));
  EXPECT_EQ(Choice(unsupported)["message"]["content"], "no");
  unsupported["tool_choice"] = "required";
  EXPECT_EQ(Param(unsupported), "tools[1].function.parameters");
  EXPECT_THAT(Chat(unsupported).body, HasSubstr("#/properties/x/multipleOf"));

  const auto message = [](const char* text) {
    OrderedJson body = Ask();
    body["messages"].push_back(OrderedJson::parse(text));
    return body;
  };
  EXPECT_EQ(Param(message(R"({"role": "tool", "content": "x"})")), "messages[1].tool_call_id");
  EXPECT_EQ(Param(message(R"({"role": "assistant", "tool_calls": [{"type": "function"}]})")), "messages[1].tool_calls");
  EXPECT_EQ(Param(message(R"({"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f"}}]})")),
            "messages[1].tool_calls");
}

}  // namespace
}  // namespace enigma::coordinator::testing
