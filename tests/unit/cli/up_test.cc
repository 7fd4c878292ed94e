// `enigma up` as a person meets it: real processes, found over UDP.
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/counter_random.h"
#include "tests/support/process.h"
#include "tests/support/test_data.h"

namespace enigma::testing {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

class UpTest : public ::testing::Test {
 protected:
  std::unique_ptr<Process> StartUp(std::vector<std::string> more, std::vector<std::string> environment = {}) {
    std::vector<std::string> argv = {ENIGMA_BINARY, "up",          "--data-dir",   data_dir_,
                                     "--listen",    "127.0.0.1:0", "--http",       "127.0.0.1:0",
                                     "--udp-port",  udp_port_,     "--ready-file", ready_};
    argv.insert(argv.end(), more.begin(), more.end());
    return Process::Start({.argv = argv,
                           .directory = directory_.path(),
                           .label = "up" + std::to_string(starts_++),
                           .environment = std::move(environment)});
  }
  bool WaitUntilReady(Process& up) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(90);
    while (!std::filesystem::exists(ready_)) {
      if (!up.Running() || std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
  }
  RunResult Enigma(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), ENIGMA_BINARY);
    arguments.insert(arguments.end(), {"--data-dir", data_dir_});
    return RunCommand(arguments);
  }
  // Processes that name this test's directory.
  std::vector<pid_t> Children(const std::string& command) {
    std::vector<pid_t> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::ifstream in(entry.path() / "cmdline");
      const std::string line(std::istreambuf_iterator<char>(in), {});
      if (line.find(command) == std::string::npos || line.find(data_dir_) == std::string::npos) continue;
      if (const int pid = std::atoi(entry.path().filename().c_str()); pid > 0) found.push_back(pid);
    }
    return found;
  }

  TemporaryDirectory directory_;
  const std::string data_dir_ = directory_.path() + "/data";
  const std::string ready_ = directory_.path() + "/ready";
  const std::string udp_port_ = std::to_string(20000 + SystemRandom64() % 10000);
  int starts_ = 0;
};

// Separators of /proc/PID/cmdline are zero bytes.
const std::string kWorker("enigma\0worker\0", 14);
const std::string kCoordinator("enigma\0coordinator\0", 19);

TEST_F(UpTest, AnswersRestartsAWorkerAndLeavesNothingBehind) {
  ENIGMA_REQUIRE_DATA(model, "models/stories260K-f32.gguf");
  auto up = StartUp({"--workers", "2", "--stages", "2", "--model", model, "--name", "tale"});
  ASSERT_TRUE(WaitUntilReady(*up)) << up->Stderr();
  const RunResult answer = Enigma({"generate", "--model", "tale", "--max-tokens", "4", "--json", "Once upon a time"});
  ASSERT_EQ(answer.status, 0) << answer.err << up->Stderr();
  const auto json = nlohmann::json::parse(answer.out);
  EXPECT_EQ(json.at("nodes").size(), 2U);
  EXPECT_EQ(json.at("ids"), (std::vector<int>{432, 383, 286, 261}));
  ASSERT_EQ(Children(kWorker).size(), 2U);

  ASSERT_EQ(::kill(Children(kWorker)[0], SIGKILL), 0);
  EXPECT_TRUE(up->WaitForOutput("ended: killed by signal 9", seconds(30))) << up->Stderr();
  const auto deadline = std::chrono::steady_clock::now() + seconds(60);
  while (Children(kWorker).size() != 2 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(Children(kWorker).size(), 2U) << up->Stderr();

  up->Signal(SIGTERM);
  EXPECT_EQ(up->Wait(seconds(60)), 0) << up->Stderr();
  EXPECT_TRUE(Children(kWorker).empty());
  EXPECT_TRUE(Children(kCoordinator).empty());
}

TEST_F(UpTest, ARequestThatRunsEndsBeforeTheWorkersDo) {
  ENIGMA_REQUIRE_DATA(model, "models/stories260K-f32.gguf");
  auto up = StartUp({"--workers", "2", "--stages", "2", "--model", model, "--name", "tale"});
  ASSERT_TRUE(WaitUntilReady(*up)) << up->Stderr();
  auto asking = Process::Start({.argv = {ENIGMA_BINARY, "generate", "--model", "tale", "--data-dir", data_dir_,
                                         "--max-tokens", "500", "Once upon a time"},
                                .directory = directory_.path(),
                                .label = "asking"});
  const auto deadline = std::chrono::steady_clock::now() + seconds(60);
  while (asking->Stdout().empty() && asking->Running() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  up->Signal(SIGTERM);
  EXPECT_EQ(asking->Wait(seconds(60)), 0) << asking->Stderr() << up->Stderr();
  EXPECT_EQ(up->Wait(seconds(60)), 0) << up->Stderr();
  EXPECT_THAT(up->Stderr(), HasSubstr("draining: 1 requests are under way"));
  EXPECT_TRUE(Children(kWorker).empty());
}

TEST_F(UpTest, WorkersThatTrainEndWithIt) {
  auto up = StartUp({"--workers", "2"});
  ASSERT_TRUE(WaitUntilReady(*up)) << up->Stderr();
  const std::string text = directory_.path() + "/sums.txt";
  {
    std::ofstream out(text);
    for (int i = 0; i < 60; ++i) out << "Q: What is " << i << " and " << i << "?\nA: It is " << 2 * i << ".\n\n";
  }
  const RunResult queued = Enigma({"train", "--data", text, "--size", "nano", "--name", "sums", "--steps", "100000",
                                   "--tokenizer", "chars", "--detach"});
  ASSERT_EQ(queued.status, 0) << queued.err;
  const auto deadline = std::chrono::steady_clock::now() + seconds(60);
  const auto is_running = [&] {
    const RunResult jobs = Enigma({"jobs", "--json"});
    return jobs.status == 0 && nlohmann::json::parse(jobs.out).at("jobs").at(0).at("state") == "running";
  };
  bool running = false;
  while (!running && std::chrono::steady_clock::now() < deadline) running = is_running();
  ASSERT_TRUE(running) << up->Stderr();
  up->Signal(SIGTERM);
  EXPECT_EQ(up->Wait(seconds(60)), 0) << up->Stderr();
  EXPECT_THAT(up->Stdout() + up->Stderr(), ::testing::Not(HasSubstr("did not end in")));
  EXPECT_TRUE(Children(kWorker).empty());
}

TEST_F(UpTest, ItSaysWhereTheApiIsAndHowItIsReached) {
  const auto told = [this](const char* what) {
    std::ifstream in(data_dir_ + "/endpoint.json");
    return nlohmann::json::parse(in).at(what).get<std::string>();
  };
  auto plain = StartUp({});
  ASSERT_TRUE(plain->WaitForOutput("ready: ", seconds(90))) << plain->Stderr();
  EXPECT_TRUE(plain->WaitForOutput(": http://" + told("http") + "/v1\n", seconds(10))) << plain->Stdout();
  plain->Signal(SIGTERM);
  ASSERT_EQ(plain->Wait(seconds(60)), 0) << plain->Stderr();

  auto tls = StartUp({}, {"ENIGMA_TLS_SELF_SIGNED=true", "ENIGMA_PUBLIC_GRPC=127.0.0.1:0"});
  ASSERT_TRUE(tls->WaitForOutput("ready: ", seconds(90))) << tls->Stderr();
  EXPECT_TRUE(tls->WaitForOutput(
      ": https://" + told("http") + "/v1; clients trust " + data_dir_ + "/pki/cluster-ca.crt\n", seconds(10)))
      << tls->Stdout();
  EXPECT_TRUE(tls->WaitForOutput(told("public_grpc") + ", over TLS\n", seconds(10))) << tls->Stdout();
}

TEST_F(UpTest, AWorkerThatGetsNoTurnForSecondsIsNotCalledDead) {
  auto up = StartUp({});
  ASSERT_TRUE(WaitUntilReady(*up)) << up->Stderr();
  ASSERT_EQ(Children(kWorker).size(), 1U);
  ASSERT_EQ(::kill(Children(kWorker)[0], SIGSTOP), 0);
  std::this_thread::sleep_for(seconds(4));
  const RunResult nodes = Enigma({"nodes", "--json"});
  EXPECT_EQ(::kill(Children(kWorker)[0], SIGCONT), 0);
  ASSERT_EQ(nodes.status, 0) << nodes.err;
  EXPECT_EQ(nlohmann::json::parse(nodes.out).at("nodes").at(0).at("state"), "ready") << up->Stderr();
}

TEST_F(UpTest, ChildrenDieWithTheirParent) {
  auto up = StartUp({});
  ASSERT_TRUE(WaitUntilReady(*up)) << up->Stderr();
  ASSERT_EQ(Children(kWorker).size(), 1U);
  // Killing the process, not its group: nobody can tell the children but the kernel.
  ASSERT_EQ(::kill(up->pid(), SIGKILL), 0);
  const auto deadline = std::chrono::steady_clock::now() + seconds(60);
  while (!(Children(kWorker).empty() && Children(kCoordinator).empty()) &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_TRUE(Children(kWorker).empty());
  EXPECT_TRUE(Children(kCoordinator).empty());
}

TEST_F(UpTest, ASecondOneInTheSameDirectoryIsRefusedAndACoordinatorsDeathEndsIt) {
  auto up = StartUp({});
  ASSERT_TRUE(WaitUntilReady(*up)) << up->Stderr();
  const RunResult second = Enigma({"up"});
  EXPECT_EQ(second.status, 1);
  EXPECT_THAT(second.err, HasSubstr(data_dir_));
  const auto coordinators = Children(kCoordinator);
  ASSERT_EQ(coordinators.size(), 1U);
  ASSERT_EQ(::kill(coordinators[0], SIGKILL), 0);
  EXPECT_EQ(up->Wait(seconds(60)), 1);
  EXPECT_THAT(up->Stderr(), HasSubstr("the coordinator ended"));
  EXPECT_TRUE(Children(kWorker).empty());
}

TEST_F(UpTest, ModelsOfAFolderAnswerBehindAuto) {
  ENIGMA_REQUIRE_DATA(model, "models/stories260K-f32.gguf");
  const std::string folder = directory_.path() + "/models";
  std::filesystem::create_directory(folder);
  for (const char* name : {"coder", "talker"}) std::filesystem::copy_file(model, folder + "/" + name + ".gguf");
  std::ofstream(folder + "/specialists.yaml") << "default: chat\ntasks:\n  code: {model: coder, keywords: [python]}\n"
                                                 "  chat: {model: talker}\n";
  auto up = StartUp({"--workers", "2", "--models-dir", folder});
  ASSERT_TRUE(WaitUntilReady(*up)) << up->Stderr();
  EXPECT_TRUE(up->WaitForOutput("enigma generate --model auto", seconds(10))) << up->Stdout();
  const auto answered_by = [this](const char* prompt) {
    const RunResult answer = Enigma({"generate", "--raw", "--max-tokens", "2", "--json", prompt});
    EXPECT_EQ(answer.status, 0) << answer.err;
    return answer.status == 0 ? nlohmann::json::parse(answer.out) : nlohmann::json();
  };
  const auto code = answered_by("write python");
  const auto chat = answered_by("Once upon a time");
  EXPECT_EQ(code.at("model"), "coder") << code;
  EXPECT_EQ(chat.at("model"), "talker") << chat;
  EXPECT_EQ(code.at("method"), "keyword") << code;
  EXPECT_TRUE(code.at("intent").is_null()) << "there is no router";
  EXPECT_THAT(Enigma({"generate", "--raw", "--max-tokens", "2", "write python"}).err,
              HasSubstr("Answered by coder, by keyword."));
  EXPECT_THAT(Enigma({"generate", "--model", "coder", "--raw", "--max-tokens", "2", "write python"}).err,
              ::testing::Not(HasSubstr("Answered by")));
  const std::string own = directory_.path() + "/own.yaml";
  std::ofstream(own) << "tasks:\n  chat: {model: talkr}\n";
  EXPECT_THAT(Enigma({"specialists", "--set", own}).err, HasSubstr(own + ":2: tasks.chat.model"));
  std::ofstream(own) << "tasks:\n  chat: {model: talker, nodes: [mars]}\n";
  const RunResult set = Enigma({"specialists", "--set", own});
  EXPECT_EQ(set.status, 0) << set.err;
  EXPECT_THAT(set.err, HasSubstr("warning: tasks.chat.nodes: no node is called 'mars'"));
}

TEST_F(UpTest, WhatIsSaidNearerDecidesAboutTheModelsThatAreThereFromTheStart) {
  const std::string folder = directory_.path() + "/models";
  std::filesystem::create_directory(folder);
  std::filesystem::copy_file(ENIGMA_SOURCE_DIR "/models/math.gguf", folder + "/summer.gguf");
  const auto models = [this](const std::vector<std::string>& flags, const std::string& variable) {
    auto up = StartUp(flags, {variable});
    EXPECT_TRUE(WaitUntilReady(*up)) << up->Stderr();
    const RunResult listed = Enigma({"models", "--json"});
    EXPECT_EQ(listed.status, 0) << listed.err;
    std::vector<std::string> names;
    const auto json = nlohmann::json::parse(listed.out);
    for (const auto& model : json.at("models")) names.push_back(model.at("name"));
    up->Signal(SIGTERM);
    EXPECT_EQ(up->Wait(seconds(60)), 0) << up->Stderr();
    std::filesystem::remove(ready_);
    return names;
  };
  EXPECT_THAT(models({"--no-default-models"}, "ENIGMA_MODELS_DIR=" + folder), ::testing::IsEmpty());
  EXPECT_THAT(models({"--models-dir", folder}, "ENIGMA_NO_DEFAULT_MODELS=true"), ::testing::ElementsAre("summer"));
}

TEST_F(UpTest, AModelWithItsImageEncoderSaysWhatAPictureShows) {
  const std::string shipped = ENIGMA_SOURCE_DIR "/models/vision";
  auto up = StartUp({"--no-default-models", "--workers", "2", "--model", shipped + ".gguf", "--encoder",
                     shipped + ".encoder.gguf", "--name", "seer"});
  ASSERT_TRUE(WaitUntilReady(*up)) << up->Stderr();
  const std::string scenes = directory_.path() + "/scenes";
  ASSERT_EQ(RunCommand({ENIGMA_BINARY, "data", "scenes", "--out", scenes, "--count", "1"}).status, 0);
  const RunResult said =
      Enigma({"describe", "--model", "seer", "--max-tokens", "4", "--json", scenes + "/images/000000.png"});
  ASSERT_EQ(said.status, 0) << said.err << up->Stderr();
  EXPECT_NE(nlohmann::json::parse(said.out).at("text"), "") << said.out;
}

TEST_F(UpTest, AModelThatIsNotThereIsNamedAtOnce) {
  auto up = StartUp({"--model", "/nonexistent/model.gguf"});
  EXPECT_EQ(up->Wait(seconds(30)), 1);
  EXPECT_THAT(up->Stderr(), HasSubstr("/nonexistent/model.gguf"));
  auto without = StartUp({"--model", ENIGMA_SOURCE_DIR "/models/vision.gguf", "--encoder", "/nonexistent/eye.gguf"});
  EXPECT_EQ(without->Wait(seconds(30)), 1);
  EXPECT_THAT(without->Stderr(), HasSubstr("/nonexistent/eye.gguf"));
}

}  // namespace
}  // namespace enigma::testing
