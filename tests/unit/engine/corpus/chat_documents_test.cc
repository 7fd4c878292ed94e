#include "engine/corpus/chat_documents.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/test_data.h"

namespace enigma::engine {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kChatMl[] =
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

Json Conversation(const std::vector<std::pair<const char*, const char*>>& turns) {
  Json messages = Json::array();
  for (const auto& [role, content] : turns) messages.push_back({{"role", role}, {"content", content}});
  return messages;
}

ChatTemplate Template(std::string_view source, const std::string& end = "</s>") {
  ChatTemplate::Options options;
  options.bos_text = "<s>";
  options.eos_text = end;
  auto chat = ChatTemplate::Create(source, options);
  EXPECT_TRUE(chat.ok()) << chat.status();
  return std::move(chat).value();
}

std::vector<std::string> Marked(const std::vector<Document>& documents) {
  std::vector<std::string> marked;
  for (const Document& document : documents) {
    EXPECT_EQ(document.kind, DocumentKind::kChat);
    EXPECT_FALSE(document.is_beginning);
    marked.emplace_back();
    for (const Segment& segment : document.segments) {
      marked.back() += segment.trained ? "{" + segment.text + "}" : segment.text;
    }
  }
  return marked;
}

std::vector<std::string> MarkedBy(std::string_view source, const Json& messages) {
  const auto documents = ChatDocuments(Template(source), messages, Json(), "</s>");
  EXPECT_TRUE(documents.ok()) << documents.status();
  return documents.ok() ? Marked(*documents) : std::vector<std::string>();
}

std::string ErrorBy(std::string_view source, const Json& messages) {
  const auto documents = ChatDocuments(Template(source), messages, Json(), "</s>");
  EXPECT_TRUE(absl::IsInvalidArgument(documents.status())) << documents.status();
  return std::string(documents.status().message());
}

TEST(ChatDocumentsTest, EveryAnswerIsLearned) {
  EXPECT_THAT(
      MarkedBy(kChatMl, Conversation({{"system", "Be kind."},
                                      {"user", "Hi"},
                                      {"assistant", "Hello!"},
                                      {"user", "Bye"},
                                      {"assistant", "Farewell"},
                                      {"user", "Still there?"}})),
      ElementsAre("<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
                  "{Hello!<|im_end|>\n}<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n"
                  "{Farewell<|im_end|>\n}"));
}

TEST(ChatDocumentsTest, AnEndTokenBehindTheWholeIsNotTakenForText) {
  constexpr char kSource[] =
      "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}{% endfor %}"
      "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}";
  EXPECT_THAT(MarkedBy(kSource, Conversation({{"user", "a"}, {"assistant", "b"}, {"user", "c"}, {"assistant", "d"}})),
              ElementsAre("<|user|>a<|end|><|assistant|>{b<|end|>}<|user|>c<|end|><|assistant|>{d<|end|></s>}"));
}

TEST(ChatDocumentsTest, AnAnswerThatLaterIsWrittenAnotherWayStandsAlone) {
  // Reasoning is left out of all answers but the last.
  constexpr char kSource[] =
      "{% for m in messages %}{{ '[' + m.role + ']' }}{% if m.role == 'assistant' and not loop.last %}"
      "{{ m.content.split('</think>')[-1] }}{% else %}{{ m.content }}{% endif %}{{ '</s>' }}{% endfor %}"
      "{% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}";
  EXPECT_THAT(MarkedBy(kSource, Conversation({{"user", "a"},
                                              {"assistant", "<think>hm</think>b"},
                                              {"user", "c"},
                                              {"assistant", "<think>so</think>d"}})),
              ElementsAre("[user]a</s>[assistant]{<think>hm</think>b</s>}",
                          "[user]a</s>[assistant]b</s>[user]c</s>[assistant]{<think>so</think>d</s>}"));
}

TEST(ChatDocumentsTest, AMovedSystemMessageMakesDocumentsOfTheirOwn) {
  // The system message stands before the last question.
  constexpr char kSource[] =
      "{% set ns = namespace(last=0, system='') %}{% for m in messages %}{% if m.role == 'user' %}"
      "{% set ns.last = loop.index0 %}{% endif %}{% if m.role == 'system' %}{% set ns.system = m.content + ' ' %}"
      "{% endif %}{% endfor %}{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] "
      "{% if loop.index0 == ns.last %}{{ ns.system }}{% endif %}{{ m.content }}[/INST]{% elif m.role == 'assistant' %}"
      "{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}";
  EXPECT_THAT(
      MarkedBy(kSource,
               Conversation({{"system", "S"}, {"user", "a"}, {"assistant", "b"}, {"user", "c"}, {"assistant", "d"}})),
      ElementsAre("<s>[INST] S a[/INST]{ b</s>}", "<s>[INST] a[/INST] b</s>[INST] S c[/INST]{ d</s>}"));
}

TEST(ChatDocumentsTest, Errors) {
  EXPECT_THAT(ErrorBy(kChatMl, Json("text")), HasSubstr("'messages' must be a list, not string"));
  EXPECT_THAT(ErrorBy(kChatMl, Conversation({{"user", "a"}})), HasSubstr("no message has the role 'assistant'"));
  EXPECT_THAT(ErrorBy(kChatMl, Json::array()), HasSubstr("no message has the role 'assistant'"));
  EXPECT_THAT(ErrorBy(kChatMl, Json::array({Json{{"content", "a"}}})), HasSubstr("messages[0] has no 'role'"));
  EXPECT_THAT(ErrorBy(kChatMl, Json::array({3})), HasSubstr("messages[0] has no 'role'"));
  EXPECT_THAT(ErrorBy(kChatMl, Json::array({Json{{"role", "assistant"}, {"content", 3}}})),
              HasSubstr("the chat template refuses the first 1 messages: messages[0]"));
  EXPECT_THAT(ErrorBy("{% if messages[0].role != 'user' %}{{ raise_exception('users come first') }}{% endif %}"
                      "{% for m in messages %}{{ m.content }}{% endfor %}",
                      Conversation({{"assistant", "a"}})),
              HasSubstr("users come first"));
  // The prompt opens the reasoning, which the template never writes.
  EXPECT_THAT(ErrorBy("{% for m in messages %}{{ '[' + m.role + ']' + m.content }}{% endfor %}"
                      "{% if add_generation_prompt %}{{ '[assistant]<think>' }}{% endif %}",
                      Conversation({{"user", "a"}, {"assistant", "b"}})),
              HasSubstr("messages[1]: the chat template writes other text before this answer"));
  const std::vector<std::pair<const char*, const char*>> many(kMessagesMax + 1, {"assistant", "a"});
  EXPECT_THAT(ErrorBy(kChatMl, Conversation(many)), HasSubstr("at most 512 are read"));
}

TEST(ChatDocumentsTest, TemplatesOfRealModels) {
  struct Case {
    const char* file;
    const char* end;      // of the model
    const char* learned;  // of the second answer
  };
  for (const Case& c : {Case{"Qwen-Qwen2.5-7B-Instruct", "<|im_end|>", "SECOND<|im_end|>\n"},
                        Case{"google-gemma-2-2b-it", "<eos>", "SECOND<end_of_turn>\n"},
                        Case{"meta-llama-Llama-3.2-3B-Instruct", "<|eot_id|>", "SECOND<|eot_id|>"},
                        Case{"microsoft-Phi-3.5-mini-instruct", "<|endoftext|>", "SECOND<|end|>\n<|endoftext|>"},
                        Case{"mistralai-Mistral-Nemo-Instruct-2407", "</s>", "SECOND</s>"}}) {
    ENIGMA_REQUIRE_DATA(path, std::string("chat_templates/templates/") + c.file + ".jinja");
    const ChatTemplate chat = Template(::enigma::testing::ReadFileOrDie(path), c.end);
    const auto documents = ChatDocuments(
        chat, Conversation({{"user", "a"}, {"assistant", "FIRST"}, {"user", "b"}, {"assistant", "SECOND"}}), Json(),
        c.end);
    ASSERT_TRUE(documents.ok()) << c.file << ": " << documents.status();
    ASSERT_EQ(documents->size(), 1u) << c.file;
    const std::vector<Segment>& segments = documents->front().segments;
    ASSERT_EQ(segments.size(), 4u) << c.file;
    EXPECT_THAT(segments[1].text, HasSubstr("FIRST")) << c.file;
    EXPECT_LT(segments[1].text.size(), 25u) << c.file << ": " << segments[1].text;
    EXPECT_THAT(segments[3].text, HasSubstr(c.learned)) << c.file;
    EXPECT_TRUE(segments[1].trained && segments[3].trained && !segments[0].trained && !segments[2].trained);
  }
}

}  // namespace
}  // namespace enigma::engine
