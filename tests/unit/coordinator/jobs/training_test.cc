// Training as the coordinator sees it, over real gRPC, with ranks that compute nothing.
#include <filesystem>
#include <future>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/jobs/job_folders.h"
#include "coordinator/jobs/job_tokenizer.h"
#include "engine/spec/manifest.h"
#include "engine/spec/training_config.h"
#include "tests/support/synthetic_models.h"
#include "tests/unit/coordinator/jobs/training_fixture.h"

namespace enigma::coordinator::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

TEST_F(TrainingTest, AJobTravelsFromItsDataToARegisteredModel) {
  StartTraining(2);
  const uint64_t job = MustSubmit(Nano("numbers", 30));
  EXPECT_EQ(phases_.front(), "received");
  EXPECT_EQ(phases_.back(), "queued");
  EXPECT_THAT(phases_, ::testing::Contains("tokenizer"));
  EXPECT_THAT(progress_.warnings(), ::testing::Contains(HasSubstr("60 examples")));
  ASSERT_TRUE(Reaches(job, "done")) << Info(job).ShortDebugString();
  const enigma::v1::JobInfo info = Info(job);
  EXPECT_EQ(info.step(), 30u);
  EXPECT_EQ(info.steps(), 30u);
  EXPECT_EQ(info.validation_loss(), 12.0 / 31);
  EXPECT_EQ(info.best_step(), 30u);
  EXPECT_GT(info.parameters(), 100'000u);
  EXPECT_NEAR(info.wire_share(), 0.1, 0.01);
  EXPECT_EQ(info.slots_size(), 2);
  EXPECT_THAT(info.config_json(), HasSubstr("\"steps\":30"));
  EXPECT_GE(points_.size(), 25u);
  EXPECT_EQ(points_.back().step(), 30u);
  EXPECT_EQ(points_.back().validation_loss(), 12.0 / 31);
  EXPECT_TRUE(IsRegistered("numbers"));
  EXPECT_TRUE(Eventually([&] { return fakes_.running().empty(); }));
  const auto begun = fakes_.begun();
  ASSERT_EQ(begun.size(), 1u);
  EXPECT_THAT(MembersOf(begun[0]), UnorderedElementsAre("n0", "n1"));
  EXPECT_EQ(begun[0].owners_size(), 4);
  // What is registered from its files holds them.
  EXPECT_EQ(Remove(job).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Cancel(job).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Resume(job).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(TrainingTest, AJobsModelTakesTheNameOfOneThatCameWithTheProgram) {
  Coordinator::Options options = Options();
  options.models_folder = folder_ + "/shipped";
  std::filesystem::create_directory(options.models_folder);
  std::filesystem::copy_file(enigma::testing::SyntheticModelPath("tiny", "q8_0"),
                             options.models_folder + "/numbers.gguf");
  StartTraining(2, options);
  const auto path = [this] {
    grpc::ClientContext context;
    enigma::v1::ListClusterModelsReply reply;
    EXPECT_TRUE(cluster_->ListModels(&context, {}, &reply).ok());
    return reply.models_size() == 1 ? reply.models(0).path() : "";
  };
  ASSERT_EQ(path(), options.models_folder + "/numbers.gguf");
  const uint64_t job = MustSubmit(Nano("numbers", 30));
  ASSERT_TRUE(Reaches(job, "done")) << Info(job).ShortDebugString();
  EXPECT_THAT(path(), HasSubstr("/data/jobs/")) << "what the job made";
}

TEST_F(TrainingTest, WhatAnOperatorHasLoadedOfAShippedModelIsTheJobsModelFromItsEndOn) {
  Coordinator::Options options = Options();
  options.models_folder = folder_ + "/shipped";
  std::filesystem::create_directory(options.models_folder);
  std::filesystem::copy_file(enigma::testing::SyntheticModelPath("tiny", "q8_0"),
                             options.models_folder + "/numbers.gguf");
  StartTraining(1, options);
  fakes_.HoldSteps(true);
  const uint64_t job = MustSubmit(Nano("numbers", 30));
  ASSERT_TRUE(Load("numbers", 1).ok()) << "meanwhile";
  const uint64_t before = Replicas("numbers").at(0).replica();
  fakes_.HoldSteps(false);
  ASSERT_TRUE(Reaches(job, "done")) << Info(job).ShortDebugString();
  uint64_t after = before;
  ASSERT_TRUE(Eventually([&] {
    const auto replicas = Replicas("numbers");
    if (replicas.size() == 1 && replicas[0].state() == "ready") after = replicas[0].replica();
    return after != before;
  })) << "it is loaded anew";
  std::map<uint64_t, std::string> content;
  for (const auto& request : workers_[0]->loaded()) content[request.replica()] = request.manifest_json();
  EXPECT_FALSE(content[after].empty());
  EXPECT_NE(content[after], content[before]);
  EXPECT_TRUE(Unload("numbers").ok()) << "and stays the operator's to unload";
}

TEST_F(TrainingTest, ALoadUnderWayOfAShippedModelLoadsWhatTheJobMade) {
  Coordinator::Options options = Options();
  options.models_folder = folder_ + "/shipped";
  std::filesystem::create_directory(options.models_folder);
  std::filesystem::copy_file(enigma::testing::SyntheticModelPath("tiny", "q8_0"),
                             options.models_folder + "/numbers.gguf");
  StartTraining(1, options);
  fakes_.HoldSteps(true);
  const uint64_t job = MustSubmit(Nano("numbers", 30));
  workers_[0]->HoldLoads(true);
  auto loading = std::async(std::launch::async, [this] { return Load("numbers", 1); });
  ASSERT_TRUE(Eventually([&] { return workers_[0]->load_calls() == 1; }));
  fakes_.HoldSteps(false);
  EXPECT_TRUE(Reaches(job, "done")) << Info(job).ShortDebugString();
  workers_[0]->HoldLoads(false);
  const grpc::Status loaded = loading.get();
  ASSERT_TRUE(loaded.ok()) << loaded.error_message();
  const uint64_t replica = last_progress_.replica().replica();
  ASSERT_TRUE(Eventually([&] { return workers_[0]->loaded().size() == 2; })) << "the first of them was given up";
  std::map<uint64_t, std::string> content;
  for (const auto& request : workers_[0]->loaded()) content[request.replica()] = request.manifest_json();
  EXPECT_NE(content[replica], content.begin()->second);
  EXPECT_TRUE(Unload("numbers").ok()) << "it stays the operator's to unload";
}

TEST_F(TrainingTest, ARouterLearnsFromLabelledTexts) {
  StartTraining(1);
  enigma::v1::TrainingOptions options = Nano("router", 30);
  options.set_task("router");
  EXPECT_THAT(Submit(options, "chat\thello\nno label\n").error_message(), HasSubstr("questions.txt:2: no tab"));
  EXPECT_THAT(Submit(options, "chat\thello\nchat\tthere\n").error_message(), HasSubstr("hold 1 labels"));
  options.set_format("text");
  EXPECT_THAT(Submit(options, "chat\thello\ncode\tthere\n").error_message(), HasSubstr("has no labels"));
  options.set_format("");
  std::string texts = "math\tone and one\n";
  for (int i = 0; i < 40; ++i) texts += (i % 2 == 0 ? "chat\ttell me of " : "code\twrite ") + std::to_string(i) + "\n";
  const grpc::Status submitted = Submit(options, texts);
  ASSERT_TRUE(submitted.ok()) << submitted.error_message();
  EXPECT_THAT(progress_.warnings(), ::testing::Contains(HasSubstr("1 labels have a single text")));
  EXPECT_THAT(progress_.report_json(), HasSubstr("\"validation\":{\"documents\":4"));
  ASSERT_TRUE(Reaches(progress_.job(), "done"));
  EXPECT_THAT(Info(progress_.job()).config_json(), HasSubstr("\"token_dropout\":0."));
}

TEST_F(TrainingTest, WhatIsWrongWithTheDataReachesTheCallerWithFileAndLine) {
  StartTraining(0);
  enigma::v1::TrainingOptions options = Nano("numbers", 30);
  options.set_format("jsonl");
  const grpc::Status bad = Submit(options, "{\"text\": \"fine\"}\n{\"text\": 7}\n");
  EXPECT_EQ(bad.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(bad.error_message(), HasSubstr("questions.txt:2"));
  options = Nano("numbers", 30);
  options.set_size("gigantic");
  EXPECT_THAT(Submit(options, "a").error_message(), HasSubstr("no size is called \"gigantic\"; there are nano"));
  options = Nano("numbers", 30);
  options.set_epochs(3);
  EXPECT_THAT(Submit(options, "a").error_message(), HasSubstr("steps and epochs"));
  options = Nano("numbers", 30);
  options.set_slots(9);
  EXPECT_THAT(Submit(options, SomeText()).error_message(), HasSubstr("8 sequences cannot be cut into 9 slots"));
  // Nothing is left of them, neither the name nor files.
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/data/jobs") && !std::filesystem::is_empty(folder_ + "/data/jobs"));
  EXPECT_GT(MustSubmit(Nano("numbers", 30)), 0u);
  EXPECT_EQ(Submit(Nano("numbers", 30), SomeText()).error_code(), grpc::StatusCode::ALREADY_EXISTS);
}

TEST_F(TrainingTest, ACancelledJobLeavesACheckpointAndGoesOnFromIt) {
  StartTraining(2);
  fakes_.SetStepMilliseconds(10);
  const uint64_t job = MustSubmit(Nano("numbers", 100));
  ASSERT_TRUE(ReachesStep(20));
  ASSERT_TRUE(Cancel(job).ok());
  ASSERT_TRUE(Reaches(job, "cancelled")) << Info(job).ShortDebugString();
  const uint64_t checkpoint = Info(job).checkpoint_step();
  EXPECT_GE(checkpoint, 20u);
  EXPECT_TRUE(Eventually([&] { return fakes_.running().empty() && fakes_.step() == 0; }));  // ranks are let go
  ASSERT_TRUE(Resume(job).ok());
  ASSERT_TRUE(Reaches(job, "done"));
  EXPECT_EQ(fakes_.begun().back().step(), checkpoint);
  EXPECT_EQ(fakes_.prepared(), (std::map<std::string, int>{{"n0", 2}, {"n1", 2}}));
}

TEST_F(TrainingTest, WhatAJobStartsFromStaysUntilItHasEnded) {
  StartTraining(1);
  model_path_ = folder_ + "/stories.gguf";
  std::filesystem::copy_file(enigma::testing::SyntheticModelPath("tiny", "f32"), model_path_);
  ASSERT_TRUE(Import("stories").ok());
  fakes_.HoldSteps(true);
  enigma::v1::TrainingOptions tuned = Nano("tuned", 10);
  tuned.clear_size();
  tuned.clear_vocab_size();
  tuned.set_base_model("stories");
  const uint64_t job = MustSubmit(tuned);
  ASSERT_TRUE(Reaches(job, "running")) << Info(job).ShortDebugString();
  const grpc::Status base = RemoveModel("stories");
  EXPECT_EQ(base.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(base.error_message(), HasSubstr("job 1 (running), which makes 'tuned', starts from 'stories'"));
  EXPECT_THAT(RemoveModel("tuned").error_message(), HasSubstr("'tuned' is what job 1 (running) makes"));
  EXPECT_EQ(Import("tuned").error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_THAT(RemoveModel("other").error_message(), HasSubstr("known: stories"));

  // Once it has ended nobody minds; but it does not go on from something else.
  fakes_.HoldSteps(false);
  ASSERT_TRUE(Cancel(job).ok());
  ASSERT_TRUE(Reaches(job, "cancelled"));
  ASSERT_TRUE(RemoveModel("stories").ok());
  EXPECT_EQ(Resume(job).error_code(), grpc::StatusCode::NOT_FOUND);
  std::filesystem::copy_file(enigma::testing::SyntheticModelPath("tiny-stretched", "f32"), model_path_,
                             std::filesystem::copy_options::overwrite_existing);
  ASSERT_TRUE(Import("stories").ok());
  EXPECT_THAT(Resume(job).error_message(), HasSubstr("has other content than when the job was submitted"));
}

TEST_F(TrainingTest, WhatStartsFromAModelTurnsPositionsAsItDoes) {
  StartTraining(0);
  model_path_ = enigma::testing::SyntheticModelPath("tiny-stretched", "f32");
  ASSERT_TRUE(Import("stretched").ok());
  enigma::v1::TrainingOptions tuned = Nano("tuned", 10);
  tuned.clear_size();
  tuned.clear_vocab_size();
  tuned.set_base_model("stretched");
  const auto config = engine::TrainingConfigFromJson(Info(MustSubmit(tuned)).config_json());
  ASSERT_TRUE(config.ok()) << config.status();
  const std::vector<float>& factors = config->spec.rope.frequency_factors;
  ASSERT_EQ(factors.size(), 32u);
  EXPECT_EQ(factors[15], 1.0F);
  EXPECT_EQ(factors[31], 15.5F);
}

TEST_F(TrainingTest, ATokenizerOfCharactersIsMadeOnTheWay) {
  StartTraining(0);
  enigma::v1::TrainingOptions options = Nano("letters", 10);
  options.clear_vocab_size();
  options.set_tokenizer_kind("chars");
  // 256 bytes and 20 special tokens, and two characters beyond ASCII.
  const std::string text = SomeText() + "Q: Caf\u00e9?\nA: \u4f60.\n\n";
  ASSERT_TRUE(Submit(options, text).ok());
  EXPECT_THAT(Info(progress_.job()).config_json(), HasSubstr("\"vocab\":279"));
}

TEST_F(TrainingTest, AModelOfQuestionsIsAskedAsItLearned) {
  StartTraining(0);
  const auto rendered = [&](const std::string& text) -> std::string {
    EXPECT_TRUE(Submit(Nano("answers", 10), text).ok());
    const auto opened = OpenJobTokenizer(JobFolders(folder_ + "/data/jobs").TokenizerPath(progress_.job()));
    EXPECT_TRUE(Cancel(progress_.job()).ok());
    if (!opened.ok() || !opened->chat) return "no template";
    engine::ChatRequest request;
    request.messages = {{{"role", "user"}, {"content", "Why?"}}};
    request.without_bos_and_eos = true;
    return opened->chat->Render(request).value_or("");
  };
  EXPECT_EQ(rendered(SomeText()), "Q: Why?\nA:");
  std::string running;
  for (int i = 0; i < 60; ++i) running += "Step " + std::to_string(i) + " leads to the one after it.\n\n";
  EXPECT_EQ(rendered(running), "no template");
}

TEST_F(TrainingTest, TheModelIsOfTheBestStateByValidationWhichIsNeverPruned) {
  StartTraining(2);
  fakes_.SetBestStep(20);
  fakes_.SetCheckpointEvery(7);
  enigma::v1::TrainingOptions options = Nano("numbers", 95);
  options.set_keep_checkpoints(1);
  const uint64_t job = MustSubmit(options);
  ASSERT_TRUE(Reaches(job, "done")) << Info(job).ShortDebugString();
  const enigma::v1::JobInfo info = Info(job);
  EXPECT_EQ(info.best_step(), 20u);
  EXPECT_EQ(info.model_step(), 20u);
  EXPECT_EQ(info.validation_loss(), 12.0) << "of step 95";
  EXPECT_EQ(info.reason(), "the model is that of step 20, the best by validation");
  EXPECT_EQ(fakes_.begun().size(), 1u);
}

TEST_F(TrainingTest, ABestStateThatWasLostIsComputedAgain) {
  StartTraining(1);
  fakes_.SetBestStep(20);
  fakes_.SetStepMilliseconds(20);
  const uint64_t job = MustSubmit(Nano("numbers", 60));
  const std::string file = folder_ + "/data/jobs/1/checkpoints/step-000000020/state.safetensors";
  ASSERT_TRUE(Eventually([&] {
    fakes_.HoldSteps(fakes_.step() >= 30);
    return fakes_.step() >= 30 && std::filesystem::exists(file);
  }));
  std::filesystem::resize_file(file, 3);
  fakes_.HoldSteps(false);
  ASSERT_TRUE(Reaches(job, "done")) << Info(job).ShortDebugString();
  EXPECT_EQ(Info(job).model_step(), 20u);
  EXPECT_GE(fakes_.begun().size(), 2u);
  EXPECT_EQ(fakes_.begun().back().step(), 10u) << "from the one before";
  EXPECT_EQ(fakes_.begun().back().best_validation_step(), 20u);
}

TEST_F(TrainingTest, ACheckpointThatIsNotStoredIsSaidUntilOneIs) {
  StartTraining(1);
  fakes_.SetCheckpointEvery(5);
  fakes_.RefuseCheckpoints("the disk is too full");
  const uint64_t job = MustSubmit(Nano("numbers", 100'000));
  const auto reason = [&] { return Info(job).reason(); };
  ASSERT_TRUE(Eventually([&] { return reason().ends_with(": the disk is too full"); })) << reason();
  EXPECT_EQ(Info(job).state(), "running");
  fakes_.RefuseCheckpoints("");
  EXPECT_TRUE(Eventually([&] { return reason().empty() && Info(job).checkpoint_step() > 0; })) << reason();
  EXPECT_EQ(Info(job).state(), "running");
  ASSERT_TRUE(Cancel(job).ok());
  EXPECT_TRUE(Reaches(job, "cancelled"));
}

TEST_F(TrainingTest, ARefusedExportRegistersNothing) {
  StartTraining(1);
  fakes_.RefuseExports("logits differ by 0.3");
  const uint64_t job = MustSubmit(Nano("numbers", 10));
  ASSERT_TRUE(Reaches(job, "failed"));
  EXPECT_THAT(Info(job).reason(), HasSubstr("logits differ by 0.3"));
  EXPECT_FALSE(IsRegistered("numbers"));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/data/jobs/1/exports/model.gguf"));
  // Its last step is in a checkpoint; what goes on from there exports again.
  fakes_.RefuseExports("");
  ASSERT_TRUE(Resume(job).ok());
  ASSERT_TRUE(Reaches(job, "done")) << Info(job).ShortDebugString();
}

TEST_F(TrainingTest, FilesAreOnlyTakenWholeAndForJobsThatRun) {
  StartTraining(1);
  fakes_.HoldSteps(true);
  const uint64_t job = MustSubmit(Nano("numbers", 10));
  ASSERT_TRUE(Reaches(job, "running"));
  const auto files = enigma::v1::JobFiles::NewStub(MakeChannel(endpoint_, nullptr, ExpectedPeer::AnyNode()));
  const auto store = [&](const std::string& kind, const std::string& data, uint64_t bytes, const std::string& hashed) {
    grpc::ClientContext context;
    enigma::v1::StoreJobFileReply reply;
    const auto writer = files->Store(&context, &reply);
    enigma::v1::StoreJobFileRequest request;
    request.mutable_head()->set_job(job);
    request.mutable_head()->set_kind(kind);
    request.mutable_head()->set_step(5);
    request.mutable_head()->set_total_bytes(bytes);
    const engine::Sha256 hash = engine::Sha256Of(hashed);
    request.mutable_head()->set_sha256(std::string(hash.begin(), hash.end()));
    request.set_data(data);
    writer->Write(request);
    writer->WritesDone();
    return writer->Finish().error_code();
  };
  EXPECT_EQ(store("checkpoint", "state 5", 7, "other 5"), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(store("checkpoint", "state 5", 8, "state 5"), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(store("checkpoint", "state 5", 6, "state 5"), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(store("checkpoint", "x", uint64_t{1} << 40, "x"), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(store("gguf", "x", 1, "x"), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(store("../../evil", "x", 1, "x"), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Info(job).checkpoint_step(), 0u);
  EXPECT_EQ(store("checkpoint", "state 5", 7, "state 5"), grpc::StatusCode::OK);
  EXPECT_EQ(Info(job).checkpoint_step(), 5u);
  EXPECT_EQ(store("checkpoint", "state 5", 7, "state 5"), grpc::StatusCode::OK);

  grpc::ClientContext context;
  enigma::v1::FetchJobFileRequest request;
  request.set_job(job);
  request.set_name("../../../state");
  enigma::v1::FileChunk chunk;
  const auto reader = files->Fetch(&context, request);
  EXPECT_FALSE(reader->Read(&chunk));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
  fakes_.HoldSteps(false);
}

TEST_F(TrainingTest, AnEstimateBeginsNothing) {
  StartTraining(2);
  grpc::ClientContext context;
  enigma::v1::EstimateJobRequest request;
  *request.mutable_options() = Nano("numbers", 1000);
  request.mutable_options()->set_learning_rate(0.5);
  enigma::v1::EstimateJobReply reply;
  const grpc::Status estimated = training_->Estimate(&context, request, &reply);
  ASSERT_TRUE(estimated.ok()) << estimated.error_message();
  EXPECT_THAT(reply.shape(), HasSubstr("4 layers, 128 wide"));
  EXPECT_EQ(reply.nodes_size(), 2);
  EXPECT_GT(reply.seconds(), 0);
  EXPECT_GT(reply.wire_share(), 0);
  EXPECT_GT(reply.memory_bytes(), reply.parameters() * 16);
  EXPECT_THAT(reply.warnings(), ::testing::Contains(HasSubstr("a learning rate of 0.5 is high")));
  grpc::ClientContext listing;
  enigma::v1::ListJobsReply jobs;
  ASSERT_TRUE(training_->List(&listing, {}, &jobs).ok());
  EXPECT_EQ(jobs.jobs_size(), 0);
}

TEST_F(TrainingTest, AnEstimateReckonsWithTheTokenizerThatIsGiven) {
  StartTraining(0);
  model_path_ = enigma::testing::SyntheticModelPath("tiny", "f32");
  ASSERT_TRUE(Import("stories").ok());
  enigma::v1::EstimateJobRequest request;
  enigma::v1::EstimateJobReply reply;
  const auto estimate = [&] {
    grpc::ClientContext context;
    reply.Clear();
    return training_->Estimate(&context, request, &reply);
  };
  enigma::v1::TrainingOptions& options = *request.mutable_options();
  options = Nano("numbers", 1000);
  options.clear_vocab_size();
  options.clear_steps();
  ASSERT_TRUE(estimate().ok());
  EXPECT_THAT(reply.shape(), HasSubstr(" 4096 tokens"));
  EXPECT_EQ(reply.steps(), 0u);
  EXPECT_THAT(reply.warnings(), ::testing::Not(::testing::Contains(HasSubstr("warm-up"))));
  request.set_data_bytes(1'000'000);
  ASSERT_TRUE(estimate().ok());
  const uint64_t steps = reply.steps();
  EXPECT_GT(steps, 10u);
  EXPECT_THAT(reply.warnings(), ::testing::Contains(HasSubstr("reckoned from the size of the data, 1000000 bytes")));
  request.set_data_bytes(2'000'000);
  ASSERT_TRUE(estimate().ok());
  EXPECT_NEAR(static_cast<double>(reply.steps()), 2.0 * static_cast<double>(steps), 2);
  request.clear_data_bytes();
  request.set_tokenizer_model("stories");
  ASSERT_TRUE(estimate().ok());
  EXPECT_THAT(reply.shape(), HasSubstr(" " + std::to_string(Tokenizer()->vocab_size()) + " tokens"));
  request.set_tokenizer_model("nobody");
  EXPECT_EQ(estimate().error_code(), grpc::StatusCode::NOT_FOUND);
  request.clear_tokenizer_model();
  request.set_tokenizer_tokens(279);
  ASSERT_TRUE(estimate().ok());
  EXPECT_THAT(reply.shape(), HasSubstr(" 279 tokens"));
  options.set_tokenizer_kind("chars");
  EXPECT_THAT(estimate().error_message(), HasSubstr("tokenizer_kind: a tokenizer is given"));
  request.clear_tokenizer_tokens();
  ASSERT_TRUE(estimate().ok());
  EXPECT_THAT(reply.shape(), HasSubstr(" 400 tokens"));
  EXPECT_THAT(reply.warnings(), ::testing::Contains(HasSubstr("how many characters there are the data will tell")));
}

TEST_F(TrainingTest, AWatcherSeesEveryChangeUntilTheEnd) {
  StartTraining(1);
  fakes_.HoldSteps(true);
  const uint64_t job = MustSubmit(Nano("numbers", 50));
  grpc::ClientContext context;
  enigma::v1::WatchJobRequest request;
  request.set_job(job);
  request.set_follow(true);
  const auto reader = training_->Watch(&context, request);
  fakes_.HoldSteps(false);
  enigma::v1::JobUpdate update;
  uint64_t step = 0;
  std::set<uint64_t> validated;
  std::string state;
  while (reader->Read(&update)) {
    state = update.info().state();
    for (const auto& point : update.points()) {
      if (point.has_validation_loss()) {
        validated.insert(point.step());
      } else {
        EXPECT_GT(point.step(), step);
      }
      step = std::max(step, point.step());
    }
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(state, "done");
  EXPECT_EQ(step, 50u);
  EXPECT_THAT(validated, ElementsAre(10, 20, 30, 40, 50));
}

}  // namespace
}  // namespace enigma::coordinator::testing
