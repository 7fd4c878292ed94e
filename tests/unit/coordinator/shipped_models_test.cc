// Models that come with the program, as a coordinator takes them at its start.
#include <filesystem>
#include <fstream>
#include <future>
#include <set>

#include <gmock/gmock.h>

#include "tests/unit/coordinator/routing_fixture.h"

namespace enigma::coordinator::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr char kShippedRegistry[] = R"(default: talker
tasks:
  code: {model: coder, keywords: [python]}
  math: {model: summer, keywords: [plus]}
  talker: {model: talker}
)";

class ShippedModelsTest : public RoutingTest {
 protected:
  void SetUp() override {
    RoutingTest::SetUp();
    if (IsSkipped()) return;
    std::filesystem::create_directories(shipped());
  }
  std::string shipped() const { return folder_ + "/shipped"; }
  void Ship(const std::string& name) const {
    std::filesystem::copy_file(model_path_, shipped() + "/" + name + ".gguf",
                               std::filesystem::copy_options::overwrite_existing);
  }
  void ShipRegistry(const std::string& text = kShippedRegistry) const {
    std::ofstream(shipped() + "/specialists.yaml") << text;
  }
  Coordinator::Options WithShipped() const {
    Coordinator::Options options = Options();
    options.models_folder = shipped();
    return options;
  }
  // What is registered, as NAME at FILE.
  std::set<std::string> Registered() {
    grpc::ClientContext context;
    enigma::v1::ListClusterModelsReply reply;
    EXPECT_TRUE(cluster_->ListModels(&context, {}, &reply).ok());
    std::set<std::string> names;
    for (const auto& model : reply.models()) {
      names.insert(model.name() + " at " + std::filesystem::path(model.path()).filename().string());
    }
    return names;
  }
  // Content of its own, as the program does not bring it.
  std::string MakeOther(const std::string& name) const {
    const std::string path = folder_ + "/" + name + ".gguf";
    enigma::testing::EditModel(
        model_path_, path, [&](enigma::testing::EditableModel& model) { model.metadata.Set("general.name", name); });
    return path;
  }
  void MakeRouter(const std::string& path, double temperature) const {
    enigma::testing::EditModel(model_path_, path, [&](enigma::testing::EditableModel& model) {
      engine::RouterSpec router;
      router.labels = {"code", "math", "chat"};
      router.label_tokens = {300, 301, 302};
      router.temperature = temperature;
      router.threshold = 0.5;
      engine::SetRouterKeys(router, model.metadata);
    });
  }
  void Restart(const Coordinator::Options& options) {
    coordinator_.reset();
    StartCoordinator(options);
  }
};

TEST_F(ShippedModelsTest, AnswerBehindAutoWithoutAnyCommand) {
  for (const char* name : {"coder", "summer", "talker"}) Ship(name);
  ShipRegistry();
  StartCoordinator(WithShipped());
  StartWorkers(1);
  EXPECT_THAT(Registered(),
              UnorderedElementsAre("coder at coder.gguf", "summer at summer.gguf", "talker at talker.gguf"));
  EXPECT_EQ(Chosen(Complete("write python")), "200 coder by keyword");
  EXPECT_EQ(Chosen(Complete("3 plus 4")), "200 summer by keyword");
  EXPECT_EQ(Chosen(Complete("hello")), "200 talker by default");
}

TEST_F(ShippedModelsTest, AFileThatIsBrokenIsLeftOutAndTheRestWorks) {
  for (const char* name : {"coder", "talker"}) Ship(name);
  std::ofstream(shipped() + "/summer.gguf") << "GGUF, but no more than that";
  std::ofstream(shipped() + "/notes.txt") << "no model";
  ShipRegistry();
  ::testing::internal::CaptureStderr();
  StartCoordinator(WithShipped());
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("model summer is left out: " + shipped() + "/summer.gguf"));
  EXPECT_THAT(log, HasSubstr("task 'math' is left out: there is no model 'summer'"));
  StartWorkers(1);
  EXPECT_THAT(Registered(), UnorderedElementsAre("coder at coder.gguf", "talker at talker.gguf"));
  EXPECT_EQ(Chosen(Complete("write python")), "200 coder by keyword");
  EXPECT_EQ(Chosen(Complete("3 plus 4")), "200 talker by default");
}

TEST_F(ShippedModelsTest, ANameThatAnOperatorTookStaysTheirs) {
  Ship("coder");
  Ship("talker");
  StartCoordinator(Options());
  ASSERT_TRUE(ImportFile(model_path_, "talker").ok());
  Restart(WithShipped());
  EXPECT_THAT(Registered(), UnorderedElementsAre("coder at coder.gguf", "talker at stories.gguf"));
  // The other one is in no store: it goes with its folder.
  Restart(Options());
  EXPECT_THAT(Registered(), UnorderedElementsAre("talker at stories.gguf"));
}

TEST_F(ShippedModelsTest, WhatHasChangedSinceIsTakenAsItIs) {
  for (const char* name : {"coder", "summer", "talker"}) Ship(name);
  ShipRegistry();
  StartCoordinator(WithShipped());
  StartWorkers(1);
  ASSERT_EQ(Chosen(Complete("hello")), "200 talker by default");
  workers_.clear();
  coordinator_.reset();
  enigma::testing::EditModel(model_path_, shipped() + "/talker.gguf", [](enigma::testing::EditableModel& model) {
    model.metadata.Set("general.name", std::string("another one"));
  });
  std::filesystem::remove(shipped() + "/summer.gguf");
  StartCoordinator(WithShipped());
  StartWorkers(1);
  EXPECT_EQ(Chosen(Complete("hello")), "200 talker by default");
  EXPECT_THAT(Registered(), UnorderedElementsAre("coder at coder.gguf", "talker at talker.gguf"));
}

TEST_F(ShippedModelsTest, AnOperatorsRegistryTakesThePlaceOfTheShippedOne) {
  for (const char* name : {"coder", "talker"}) Ship(name);
  ShipRegistry();
  Write("tasks: {chat: {model: coder}}\n");
  Coordinator::Options options = WithShipped();
  options.specialists_file = file_;
  StartCoordinator(options);
  StartWorkers(1);
  EXPECT_EQ(Chosen(Complete("hello")), "200 coder by default") << "one that names a shipped model";
}

TEST_F(ShippedModelsTest, ARegistryThatIsWrongIsToldAndStopsNothing) {
  Ship("talker");
  ShipRegistry("default: nobody\ntasks: {chat: {model: talker}}\n");
  StartCoordinator(WithShipped());
  EXPECT_THAT(Registry().at("fault").get<std::string>(), HasSubstr("specialists.yaml:1: default: there is no task"));
  EXPECT_THAT(Registered(), UnorderedElementsAre("talker at talker.gguf"));
}

TEST_F(ShippedModelsTest, AFolderThatIsNotThereIsAnError) {
  Coordinator::Options options = Options();
  options.models_folder = folder_ + "/nowhere";
  const auto created = Coordinator::Create(options);
  EXPECT_EQ(created.status().code(), absl::StatusCode::kNotFound) << created.status();
  EXPECT_THAT(std::string(created.status().message()), HasSubstr("nowhere"));
}

TEST_F(ShippedModelsTest, AnImportTakesANameThatOnlyRequestsHadLoaded) {
  for (const char* name : {"coder", "talker"}) Ship(name);
  ShipRegistry();
  StartCoordinator(WithShipped());
  StartWorkers(1);
  ASSERT_EQ(Chosen(Complete("hello")), "200 talker by default");
  const std::string other = MakeOther("other");
  const grpc::Status taken = ImportFile(other, "talker");
  EXPECT_TRUE(taken.ok()) << taken.error_message();
  EXPECT_THAT(Registered(), UnorderedElementsAre("coder at coder.gguf", "talker at other.gguf"));
  EXPECT_EQ(Chosen(Complete("hello")), "200 talker by default");

  ASSERT_TRUE(Load("coder", 0).ok());
  const grpc::Status refused = ImportFile(other, "coder");
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(refused.error_message(), HasSubstr("`enigma unload coder` first"));
  ASSERT_TRUE(Unload("coder").ok());
  EXPECT_TRUE(ImportFile(other, "coder").ok());
  workers_.clear();
  Restart(WithShipped());
  EXPECT_THAT(Registered(), UnorderedElementsAre("coder at other.gguf", "talker at other.gguf"));
}

TEST_F(ShippedModelsTest, AnImportEndsNoLoadOfAnOperator) {
  Ship("talker");
  StartCoordinator(WithShipped());
  StartWorkers(1);
  const std::string other = MakeOther("other");
  workers_[0]->HoldLoads(true);
  auto loading = std::async(std::launch::async, [this] { return Load("talker", 0); });
  ASSERT_TRUE(Eventually([&] { return workers_[0]->load_calls() == 1; }));
  EXPECT_THAT(ImportFile(other, "talker").error_message(), HasSubstr("`enigma unload talker` first"));
  workers_[0]->HoldLoads(false);
  const grpc::Status loaded = loading.get();
  EXPECT_TRUE(loaded.ok()) << loaded.error_message();
}

TEST_F(ShippedModelsTest, AnImportTakesTheRoutersNameThoughThatIsLoadedAgainAndAgain) {
  Ship("talker");
  MakeRouter(shipped() + "/router.gguf", 2);
  ShipRegistry("default: talker\nrouter: {model: router}\ntasks: {talker: {model: talker, intents: [chat]}}\n");
  StartCoordinator(WithShipped());
  StartWorkers(1);
  ASSERT_TRUE(ServedAgain("router"));
  const std::string other = folder_ + "/own.gguf";
  MakeRouter(other, 3);
  const grpc::Status taken = ImportFile(other, "router");
  EXPECT_TRUE(taken.ok()) << taken.error_message();
  EXPECT_THAT(Registered(), UnorderedElementsAre("router at own.gguf", "talker at talker.gguf"));
  EXPECT_TRUE(ServedAgain("router"));
}

TEST_F(ShippedModelsTest, AFileOfTheFolderThatWasImportedIsTakenAnewOnceItHasChanged) {
  Ship("talker");
  const std::string path = shipped() + "/talker.gguf";
  StartCoordinator(Options());
  ASSERT_TRUE(ImportFile(path, "talker").ok());
  Restart(WithShipped());
  Restart(Options());
  EXPECT_THAT(Registered(), UnorderedElementsAre("talker at talker.gguf")) << "unchanged it stays the operator's";
  coordinator_.reset();
  std::filesystem::copy_file(MakeOther("newer"), path, std::filesystem::copy_options::overwrite_existing);
  StartCoordinator(WithShipped());
  StartWorkers(1);
  ASSERT_TRUE(Load("talker", 0).ok());
  EXPECT_EQ(Complete("hello", {}, "talker").status, 200);
  workers_.clear();
  Restart(Options());
  EXPECT_THAT(Registered(), ::testing::IsEmpty()) << "it is the folder's again";
}

TEST_F(ShippedModelsTest, AFolderIsTheSameByAnyPathToIt) {
  Ship("talker");
  const std::string path = shipped() + "/talker.gguf";
  StartCoordinator(Options());
  ASSERT_TRUE(ImportFile(path, "talker").ok());
  coordinator_.reset();
  std::filesystem::copy_file(MakeOther("newer"), path, std::filesystem::copy_options::overwrite_existing);
  Coordinator::Options options = Options();
  options.models_folder = folder_ + "/./shipped";
  StartCoordinator(options);
  Restart(Options());
  EXPECT_THAT(Registered(), ::testing::IsEmpty()) << "it became the folder's when it had changed";
}

// Reading so many takes longer than the first look of whoever places what is wanted.
TEST_F(ShippedModelsTest, AreThereBeforeAnybodyLooksForThem) {
  Ship("wanted");
  StartCoordinator(WithShipped());
  StartWorkers(1);
  ASSERT_TRUE(Load("wanted", 0).ok());
  workers_.clear();
  coordinator_.reset();
  for (int i = 0; i < 150; ++i) {
    std::filesystem::create_hard_link(model_path_, shipped() + "/first-" + std::to_string(i) + ".gguf");
  }
  Coordinator::Options options = WithShipped();
  options.return_grace = absl::ZeroDuration();
  ::testing::internal::CaptureStderr();
  StartCoordinator(options);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), ::testing::Not(HasSubstr("no model is called")));
  EXPECT_EQ(Registered().size(), 151u);
}

TEST_F(ShippedModelsTest, TheProgramsOwnFolderMayBeUnreadable) {
  Coordinator::Options options = Options();
  options.models_folder = folder_ + "/nowhere";
  options.models_folder_optional = true;
  ::testing::internal::CaptureStderr();
  StartCoordinator(options);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("are left out: "));
  EXPECT_THAT(Registered(), ::testing::IsEmpty());
}

TEST_F(ShippedModelsTest, AFolderWithoutModelsHasNoFault) {
  ShipRegistry();
  ::testing::internal::CaptureStderr();
  StartCoordinator(WithShipped());
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), ::testing::Not(HasSubstr("specialists")));
  EXPECT_TRUE(Registry()["fault"].is_null()) << Registry();
}

TEST_F(ShippedModelsTest, WithoutTheFolderOnlyWhatAnOperatorLoadedIsWantedAndCanBeUnloaded) {
  for (const char* name : {"coder", "talker"}) Ship(name);
  ShipRegistry();
  StartCoordinator(WithShipped());
  StartWorkers(1);
  ASSERT_EQ(Chosen(Complete("write python")), "200 coder by keyword");
  ASSERT_TRUE(Load("talker", 0).ok());
  workers_.clear();
  Restart(Options());
  EXPECT_EQ(Unload("coder").error_code(), grpc::StatusCode::NOT_FOUND) << "it was loaded on demand";
  EXPECT_TRUE(Unload("talker").ok());
  EXPECT_EQ(Unload("talker").error_code(), grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace enigma::coordinator::testing
