// The shared data: chat templates of real models with the prompts they give, and unit cases of a Jinja engine.

#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/text/chat_template.h"
#include "engine/text/jinja/template.h"
#include "tests/support/test_data.h"

namespace enigma::engine {
namespace {

using Json = nlohmann::ordered_json;

// Each case asks for the prompt of an engine that leaves BOS and EOS to the tokenizer, and gives system messages to the
// user where a template has no role for them. `expected_output_jinja` is the template's own rendering where that of a
// hand-written formatter (`expected_output`) differs.
TEST(ChatTemplatesTest, RenderedCases) {
  ENIGMA_REQUIRE_DATA(path, "chat_templates/rendered_cases.json");
  const Json data = Json::parse(testing::ReadFileOrDie(path));
  size_t rendered = 0;
  for (const Json& item : data["cases"]) {
    SCOPED_TRACE(item["name"].get<std::string>());
    if (!item["supported_with_jinja"].get<bool>()) continue;
    const auto chat = ChatTemplate::Create(
        item["template_str"].get<std::string>(),
        {.bos_text = item.value("bos_token", ""), .eos_text = item.value("eos_token", ""), .limits = {}});
    ASSERT_TRUE(chat.ok()) << chat.status();
    ChatRequest request;
    request.messages = data["messages"];
    request.add_generation_prompt = data["add_generation_prompt"].get<bool>();
    request.without_bos_and_eos = true;
    const auto prompt = chat->Render(request);
    ASSERT_TRUE(prompt.ok()) << prompt.status();
    const std::string expected = item.value("expected_output_jinja", "");
    EXPECT_EQ(*prompt, expected.empty() ? item["expected_output"].get<std::string>() : expected);
    ++rendered;
  }
  EXPECT_EQ(rendered, 15);
}

// Two cases call functions of the host language, which JSON cannot hold: macros stand for them.
std::string Prelude(const std::string& name) {
  if (name == "NUMBERS") return "{% set a = 0 %}{% macro add(x, y) %}{{ x + y }}{% endmacro %}";
  if (name == "OBJ_METHODS") {
    return "{% macro join() %}{{ varargs | join }}{% endmacro %}{% macro line(x, y) %}{{ x ~ '_' ~ y }}{% endmacro %}"
           "{% set x = 'A' %}{% set y = 'B' %}{% set obj = {'x': join, 'z': {'A': line}} %}";
  }
  return "";
}

TEST(ChatTemplatesTest, UnitCases) {
  ENIGMA_REQUIRE_DATA(path, "chat_templates/jinja_unit.json");
  const Json data = Json::parse(testing::ReadFileOrDie(path));
  jinja::RenderOptions options;
  options.dialect = jinja::Dialect::kJavaScript;  // the cases are of the engine in JavaScript
  size_t rendered = 0;
  for (const auto& [name, source] : data["TEST_STRINGS"].items()) {
    SCOPED_TRACE(name);
    const auto parsed = jinja::Template::Parse(Prelude(name) + source.get<std::string>());
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    const auto text = parsed->Render(data["TEST_CONTEXT"].value(name, Json::object()), options);
    ASSERT_TRUE(text.ok()) << text.status();
    EXPECT_EQ(*text, data["EXPECTED_OUTPUTS"][name].get<std::string>());
    ++rendered;
  }
  EXPECT_EQ(rendered, 81);
}

struct Model {
  const char* file;
  bool system_role, tools;
};

TEST(ChatTemplatesTest, ModelsCanWhatTheirTemplatesSay) {
  ENIGMA_REQUIRE_DATA(folder, "chat_templates/templates");
  for (const Model& model :
       {Model{"Qwen-Qwen2.5-7B-Instruct", true, true}, Model{"google-gemma-2-2b-it", false, false},
        Model{"meta-llama-Llama-3.2-3B-Instruct", true, true}, Model{"microsoft-Phi-3.5-mini-instruct", true, false},
        Model{"mistralai-Mistral-Nemo-Instruct-2407", true, true}}) {
    SCOPED_TRACE(model.file);
    const std::string source = testing::ReadFileOrDie(folder + "/" + model.file + ".jinja");
    const auto chat = ChatTemplate::Create(source, {.bos_text = "<s>", .eos_text = "</s>", .limits = {}});
    ASSERT_TRUE(chat.ok()) << chat.status();
    EXPECT_TRUE(chat->abilities().text_content);
    EXPECT_FALSE(chat->abilities().typed_content);
    EXPECT_EQ(chat->abilities().system_role, model.system_role);
    EXPECT_EQ(chat->abilities().tools, model.tools);
    EXPECT_EQ(chat->abilities().tool_calls, model.tools);
  }
}

}  // namespace
}  // namespace enigma::engine
