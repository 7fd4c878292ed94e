#include "tests/cluster/http_cluster.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/counter_random.h"
#include "engine/weights/synth.h"
#include "tests/cluster/cluster.h"
#include "tests/support/edited_model.h"

namespace enigma::testing {
namespace {

void AddChatTemplate(EditableModel& model) {
  model.metadata.Set("tokenizer.chat_template",
                     std::string("{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
                                 "{% if add_generation_prompt %}assistant:{% endif %}"));
}

nlohmann::json EndpointOf(const std::string& data_dir) {
  std::ifstream in(data_dir + "/endpoint.json");
  return nlohmann::json::parse(in);
}

}  // namespace

int PortOf(const std::string& data_dir) {
  const std::string where = EndpointOf(data_dir).at("http");
  return std::stoi(where.substr(where.rfind(':') + 1));
}

std::unique_ptr<HttpCluster> HttpCluster::Start(const std::string& stories, std::vector<std::string> environment) {
  std::unique_ptr<HttpCluster> cluster(new HttpCluster);
  const std::string& folder = cluster->directory_.path();
  EditModel(stories, folder + "/chat.gguf", &AddChatTemplate);
  const auto synthetic = engine::SynthesiseModel("27m", "f16", folder + "/synthetic.gguf");
  EXPECT_TRUE(synthetic.ok()) << synthetic.status();
  EditModel(folder + "/synthetic.gguf", folder + "/slow.gguf", &AddChatTemplate);
  cluster->up_ = Process::Start({.argv = {EnigmaBinary(), "up",
                                          "--data-dir",   cluster->data_dir_,
                                          "--listen",     "127.0.0.1:0",
                                          "--http",       "127.0.0.1:0",
                                          "--udp-port",   std::to_string(20000 + SystemRandom64() % 10000),
                                          "--ready-file", folder + "/ready",
                                          "--workers",    "2",
                                          "--stages",     "2",
                                          "--model",      folder + "/chat.gguf",
                                          "--model",      folder + "/slow.gguf"},
                                 .directory = folder,
                                 .label = "up",
                                 .environment = std::move(environment)});
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(120);
  while (!std::filesystem::exists(folder + "/ready")) {
    if (!cluster->up_->Running() || std::chrono::steady_clock::now() > deadline) {
      ADD_FAILURE() << "the cluster does not come up\n" << cluster->Log();
      return nullptr;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  const RunResult later = cluster->Enigma({"models", "import", stories, "--name", "later"});
  EXPECT_EQ(later.status, 0) << later.err;
  return cluster;
}

RunResult HttpCluster::Enigma(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), EnigmaBinary());
  arguments.insert(arguments.end(), {"--data-dir", data_dir_});
  return RunCommand(std::move(arguments));
}

std::string HttpCluster::url() const {
  const nlohmann::json endpoint = EndpointOf(data_dir_);
  return endpoint.at("http_scheme").get<std::string>() + "://" + endpoint.at("http").get<std::string>();
}
int HttpCluster::port() const { return PortOf(data_dir_); }
pid_t HttpCluster::coordinator() const { return EndpointOf(data_dir_).at("pid"); }

}  // namespace enigma::testing
