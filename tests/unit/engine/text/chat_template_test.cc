#include "engine/text/chat_template.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "engine/text/tokenizer_file.h"

namespace enigma::engine {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::HasSubstr;

// Knows strings and nothing else; its messages alternate.
constexpr char kPlain[] =
    "{{ bos_token }}{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}[{{ m.role + ': ' + m.content }}]{% endfor %}"
    "{% if add_generation_prompt %}[assistant: {% endif %}";

// Knows parts, the system role, tools and calls.
constexpr char kRich[] =
    "{% if tools %}<tools>{% for t in tools %}{{ t | tojson }}{% endfor %}</tools>{% endif %}"
    "{% for m in messages %}<{{ m.role }}>{% if m.content is string %}{{ m.content }}{% elif m.content %}"
    "{% for p in m.content %}{% if p.type == 'text' %}{{ p.text }}{% else %}<{{ p.type }}>{% endif %}{% endfor %}{% "
    "endif %}"
    "{% for c in m.tool_calls or [] %}{{ c.function.name }}={{ c.function.arguments | tojson }}{% endfor %}{% endfor %}"
    "{{ eos_token }}";

// Writes arguments as the text that OpenAI gives.
constexpr char kTextArguments[] =
    "{% for m in messages %}{% if m.tool_calls %}{{ m.tool_calls[0].function.name + m.tool_calls[0].function.arguments "
    "}}"
    "{% else %}{{ m.content }}{% endif %}{% endfor %}";

ChatTemplate Make(const char* source) {
  auto made = ChatTemplate::Create(source, {.bos_text = "<s>", .eos_text = "</s>", .limits = {}});
  EXPECT_TRUE(made.ok()) << made.status();
  return *std::move(made);
}

absl::StatusOr<std::string> Prompt(const ChatTemplate& chat, const char* messages, const char* tools = "null") {
  ChatRequest request;
  request.messages = Json::parse(messages);
  request.tools = Json::parse(tools);
  return chat.Render(request);
}

TEST(ChatTemplateTest, FindsOutWhatATemplateCanDo) {
  const ChatTemplate plain = Make(kPlain), rich = Make(kRich), text_arguments = Make(kTextArguments);
  EXPECT_TRUE(plain.abilities().text_content);
  EXPECT_FALSE(plain.abilities().typed_content);
  EXPECT_FALSE(plain.abilities().system_role);
  EXPECT_FALSE(plain.abilities().tools);
  EXPECT_FALSE(plain.abilities().tool_calls);

  EXPECT_TRUE(rich.abilities().text_content);
  EXPECT_TRUE(rich.abilities().typed_content);
  EXPECT_TRUE(rich.abilities().empty_content);
  EXPECT_TRUE(rich.abilities().system_role);
  EXPECT_TRUE(rich.abilities().tools);
  EXPECT_TRUE(rich.abilities().tool_calls);
  EXPECT_TRUE(rich.abilities().object_arguments);

  EXPECT_TRUE(text_arguments.abilities().tool_calls);
  EXPECT_FALSE(text_arguments.abilities().object_arguments);
}

TEST(ChatTemplateTest, SystemMessagesGoToTheUserWhereTheyHaveNoRole) {
  const auto prompt =
      Prompt(Make(kPlain), R"([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}])");
  ASSERT_TRUE(prompt.ok()) << prompt.status();
  EXPECT_EQ(*prompt, "<s>[user: Be brief.\nHi][assistant: ");
}

TEST(ChatTemplateTest, ContentTakesTheFormThatTheTemplateKnows) {
  constexpr char kTyped[] =
      R"([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}])";
  EXPECT_EQ(Prompt(Make(kPlain), kTyped).value(), "<s>[user: a\nb][assistant: ");
  EXPECT_EQ(Prompt(Make(kRich), kTyped).value(), "<user>ab</s>");
  constexpr char kImage[] = R"([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}])";
  EXPECT_EQ(Prompt(Make(kRich), kImage).value(), "<user><image_url></s>");
  const absl::Status refused = Prompt(Make(kPlain), kImage).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(ToString(refused.message()), HasSubstr("messages[0].content[0] is of type 'image_url'"));

  const ChatTemplate only_parts =
      Make("{% for m in messages %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endfor %}");
  EXPECT_FALSE(only_parts.abilities().text_content);
  EXPECT_EQ(Prompt(only_parts, R"([{"role": "user", "content": "Hi"}])").value(), "Hi");
}

TEST(ChatTemplateTest, ArgumentsOfCallsTakeTheFormThatTheTemplateKnows) {
  constexpr char kCalls[] = R"([{"role": "user", "content": "q"}, {"role": "assistant", "content": null, "tool_calls":
      [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"b\":1, \"a\": [2]}"}}]}])";
  EXPECT_EQ(Prompt(Make(kRich), kCalls).value(), R"(<user>q<assistant>f={"b": 1, "a": [2]}</s>)");
  EXPECT_EQ(Prompt(Make(kTextArguments), kCalls).value(), R"(qf{"b":1, "a": [2]})");
}

TEST(ChatTemplateTest, ToolsKeepTheOrderOfTheirKeysAndAreNeverDropped) {
  constexpr char kHi[] = R"([{"role": "user", "content": "Hi"}])";
  constexpr char kTools[] = R"([{"type": "function", "function": {"name": "z", "a": "ü<"}}])";
  EXPECT_EQ(Prompt(Make(kRich), kHi, kTools).value(),
            R"(<tools>{"type": "function", "function": {"name": "z", "a": "ü<"}}</tools><user>Hi</s>)");
  EXPECT_THAT(Prompt(Make(kPlain), kHi, kTools).value(), HasSubstr(R"({"name":"z","a":"ü<"})"));
}

TEST(ChatTemplateTest, LeavesOutBosAndEosWhereAsked) {
  ChatRequest request;
  request.messages = Json::parse(R"([{"role": "user", "content": "Hi"}])");
  request.without_bos_and_eos = true;
  request.add_generation_prompt = false;
  EXPECT_EQ(Make(kPlain).Render(request).value(), "[user: Hi]");
  EXPECT_EQ(Make(kRich).Render(request).value(), "<user>Hi");
}

TEST(ChatTemplateTest, PassesMoreVariables) {
  ChatRequest request;
  request.messages = Json::parse(R"([{"role": "user", "content": "Hi"}])");
  request.variables = {{"enable_thinking", false}};
  const ChatTemplate chat =
      Make("{{ messages[0].content }}{% if enable_thinking is defined and not enable_thinking %}!{% endif %}");
  EXPECT_EQ(chat.Render(request).value(), "Hi!");
  request.variables = {{"messages", "x"}};
  EXPECT_EQ(chat.Render(request).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ChatTemplateTest, QuestionsArePutAsTheyAreLearned) {
  const ChatTemplate questions = Make(kQuestionTemplate);
  EXPECT_EQ(*Prompt(questions, R"([{"role": "user", "content": " What is 2 + 2? "}])"), "<s>Q: What is 2 + 2?\nA:");
  // One at a time: the last one. What has been said of its answer goes on.
  const char* talk = R"([{"role": "user", "content": "one"}, {"role": "assistant", "content": "1"},
                         {"role": "user", "content": "two"}])";
  EXPECT_EQ(*Prompt(questions, talk), "<s>Q: two\nA:");
  EXPECT_EQ(*Prompt(questions, R"([{"role": "user", "content": "two"}, {"role": "assistant", "content": "2"}])"),
            "<s>Q: two\nA: 2");
  EXPECT_FALSE(questions.abilities().typed_content);
  EXPECT_FALSE(questions.abilities().tools);
  // A system message of a single question is not lost.
  EXPECT_THAT(*Prompt(questions, R"([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "two"}])"),
              HasSubstr("Be brief."));
}

TEST(ChatTemplateTest, WordsBesidePicturesAreLeftOutWhereNoneWereLearned) {
  EXPECT_EQ(*Prompt(Make(kCaptionTemplate), R"([{"role": "user", "content": "What is this?"}])"), "<s>");
  EXPECT_FALSE(Make(kCaptionTemplate).abilities().user_text);
  EXPECT_TRUE(Make(kQuestionTemplate).abilities().user_text);
  EXPECT_TRUE(Make("{{ raise_exception('no') }}").abilities().user_text) << "nobody knows";
}

TEST(ChatTemplateTest, RefusesWhatAreNoMessages) {
  const ChatTemplate chat = Make(kRich);
  for (const char* messages :
       {"{}", "null", "[1]", R"([{"content": "x"}])", R"([{"role": 1}])", R"([{"role": "user", "content": 1}])"}) {
    EXPECT_EQ(Prompt(chat, messages).status().code(), absl::StatusCode::kInvalidArgument) << messages;
  }
  const char* const twice = R"([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}])";
  EXPECT_EQ(Prompt(Make(kPlain), twice).status(), absl::InvalidArgumentError("roles must alternate"));
}

}  // namespace
}  // namespace enigma::engine
