// The main job on one machine: a model cut across workers answers as the whole one does.
#include <thread>

#include <gtest/gtest.h>

#include "tests/cluster/cluster.h"
#include "tests/cluster/reference.h"
#include "tests/support/test_data.h"
#include "tests/unit/engine/sampling/constraint/schema_validator.h"

namespace enigma::testing {
namespace {

using std::chrono::seconds;

std::vector<int> Generate(const Cluster& cluster, const ReferenceCase& reference, std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {"generate",     "--model", "stories",       reference.prompt,
                                        "--max-tokens", "64",      "--temperature", "0"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const auto reply = cluster.Json(arguments);
  if (reply.is_null()) return {};
  EXPECT_EQ(reply.at("prompt_ids").get<std::vector<int>>(), reference.prompt_ids);
  return reply.at("ids").get<std::vector<int>>();
}

TEST(ShardedAnswerTest, EveryNumberOfStagesGivesTheReferenceIds) {
  ENIGMA_REQUIRE_DATA(model, "models/stories260K-f32.gguf");
  ENIGMA_REQUIRE_DATA(outputs, "models/reference_outputs.json");
  const ReferenceCase reference = LoadReference(outputs, "stories260K");
  auto cluster = Cluster::StartWithWorkers(3);
  ASSERT_NE(cluster, nullptr);
  ASSERT_EQ(cluster->Enigma({"models", "import", model, "--name", "stories"}).status, 0) << cluster->Logs();
  for (const std::string stages : {"1", "2", "3"}) {
    SCOPED_TRACE(stages + " stages");
    const RunResult load = cluster->Enigma({"load", "stories", "--stages", stages});
    ASSERT_EQ(load.status, 0) << load.err << cluster->Logs();
    EXPECT_EQ(Generate(*cluster, reference), reference.generated_ids) << cluster->Logs();
    ASSERT_EQ(cluster->Enigma({"unload", "stories"}).status, 0);
  }
}

TEST(ShardedAnswerTest, EightRequestsAtOnceEachAnswerAsAlone) {
  ENIGMA_REQUIRE_DATA(model, "models/stories260K-f32.gguf");
  ENIGMA_REQUIRE_DATA(outputs, "models/reference_outputs.json");
  const ReferenceCase reference = LoadReference(outputs, "stories260K");
  auto cluster = Cluster::StartWithWorkers(2);
  ASSERT_NE(cluster, nullptr);
  ASSERT_EQ(cluster->Enigma({"models", "import", model, "--name", "stories"}).status, 0) << cluster->Logs();
  ASSERT_EQ(cluster->Enigma({"load", "stories", "--stages", "2"}).status, 0) << cluster->Logs();
  std::vector<std::vector<int>> answers(8);
  std::vector<std::thread> clients;
  for (size_t i = 0; i < answers.size(); ++i) {
    clients.emplace_back([&, i] { answers[i] = Generate(*cluster, reference); });
  }
  for (auto& client : clients) client.join();
  for (const auto& answer : answers) EXPECT_EQ(answer, reference.generated_ids);
}

TEST(ShardedAnswerTest, SeededSamplingIsTheSameForAnyCut) {
  ENIGMA_REQUIRE_DATA(model, "models/stories260K-f32.gguf");
  ENIGMA_REQUIRE_DATA(outputs, "models/reference_outputs.json");
  ReferenceCase reference = LoadReference(outputs, "stories260K");
  auto cluster = Cluster::StartWithWorkers(2);
  ASSERT_NE(cluster, nullptr);
  ASSERT_EQ(cluster->Enigma({"models", "import", model, "--name", "stories"}).status, 0) << cluster->Logs();
  std::vector<std::vector<int>> answers;
  for (const std::string stages : {"1", "2"}) {
    ASSERT_EQ(cluster->Enigma({"load", "stories", "--stages", stages}).status, 0) << cluster->Logs();
    const auto reply = cluster->Json({"generate", "--model", "stories", reference.prompt, "--max-tokens", "48",
                                      "--temperature", "0.9", "--top-p", "0.95", "--seed", "7"});
    ASSERT_FALSE(reply.is_null());
    answers.push_back(reply.at("ids").get<std::vector<int>>());
    ASSERT_EQ(cluster->Enigma({"unload", "stories"}).status, 0);
  }
  EXPECT_EQ(answers[0], answers[1]);
  EXPECT_NE(answers[0], reference.generated_ids);
}

TEST(ShardedAnswerTest, AnswersBySchemaValidateAndAreTheSameForAnyCut) {
  ENIGMA_REQUIRE_DATA(model, "models/stories260K-f32.gguf");
  constexpr char kSchema[] =
      R"({"type":"object","properties":{"name":{"type":"string","maxLength":8},"age":{"type":"integer","minimum":0,
          "maximum":150},"tags":{"type":"array","items":{"enum":["red","green","blue"]},"maxItems":3},
          "at":{"type":"string","format":"date"}},"required":["name","age","tags","at"],"additionalProperties":false})";
  const auto schema = nlohmann::json::parse(kSchema);
  auto cluster = Cluster::StartWithWorkers(3);
  ASSERT_NE(cluster, nullptr);
  ASSERT_EQ(cluster->Enigma({"models", "import", model, "--name", "stories"}).status, 0) << cluster->Logs();
  std::vector<std::vector<std::string>> texts;
  for (const std::string stages : {"1", "3"}) {
    SCOPED_TRACE(stages + " stages");
    const RunResult load = cluster->Enigma({"load", "stories", "--stages", stages});
    ASSERT_EQ(load.status, 0) << load.err << cluster->Logs();
    std::vector<std::string>& answers = texts.emplace_back();
    for (int seed = 0; seed < 8; ++seed) {
      const auto reply = cluster->Json({"generate", "--model", "stories", "Once upon a time", "--json-schema", kSchema,
                                        "--temperature", "1", "--seed", std::to_string(seed), "--max-tokens", "200"});
      ASSERT_FALSE(reply.is_null());
      answers.push_back(reply.at("text"));
      EXPECT_EQ(reply.at("finish_reason"), "stop") << answers.back();
      const auto value = nlohmann::json::parse(answers.back(), nullptr, /*allow_exceptions=*/false);
      ASSERT_FALSE(value.is_discarded()) << answers.back();
      EXPECT_EQ(SchemaViolation(schema, schema, value), "") << answers.back();
    }
    if (stages == "3") {
      const RunResult bad =
          cluster->Enigma({"generate", "--model", "stories", "Once", "--json-schema", R"({"not":{}})"});
      EXPECT_EQ(bad.status, 1);
      EXPECT_NE(bad.err.find("'not'"), std::string::npos) << bad.err;
    }
    ASSERT_EQ(cluster->Enigma({"unload", "stories"}).status, 0);
  }
  EXPECT_EQ(texts[0], texts[1]);
}

TEST(ShardedAnswerTest, ASecondLoadMovesNoByte) {
  ENIGMA_REQUIRE_DATA(model, "models/stories260K-f32.gguf");
  auto cluster = Cluster::StartWithWorkers(2);
  ASSERT_NE(cluster, nullptr);
  ASSERT_EQ(cluster->Enigma({"models", "import", model, "--name", "stories"}).status, 0) << cluster->Logs();
  const auto first = cluster->Json({"load", "stories", "--stages", "2"});
  ASSERT_FALSE(first.is_null());
  EXPECT_GT(first.at("bytes_fetched").get<int64_t>(), 0);
  ASSERT_EQ(cluster->Enigma({"unload", "stories"}).status, 0);
  const auto second = cluster->Json({"load", "stories", "--stages", "2"});
  ASSERT_FALSE(second.is_null());
  EXPECT_EQ(second.at("bytes_fetched").get<int64_t>(), 0);
  EXPECT_EQ(second.at("bytes_present"), second.at("bytes_needed"));
}

}  // namespace
}  // namespace enigma::testing
