#include "tests/unit/coordinator/jobs/training_fixture.h"

#include <algorithm>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/synthetic_models.h"

namespace enigma::coordinator::testing {

void TrainingTest::SetUp() {
  folder_ = ::testing::TempDir() + "enigma-training-" + std::to_string(SystemRandom64());
  std::filesystem::create_directories(folder_);
  fakes_.SetExportFile(enigma::testing::SyntheticModelPath("tiny", "f32"));
}

void TrainingTest::TearDown() {
  EXPECT_THAT(fakes_.complaints(), ::testing::IsEmpty());
  CoordinatorTest::TearDown();
}

void TrainingTest::StartTraining(int workers, const Coordinator::Options& options) {
  StartCoordinator(options);
  training_ = enigma::v1::Training::NewStub(MakeChannel(endpoint_, nullptr, ExpectedPeer::AnyNode()));
  for (int i = 0; i < workers; ++i) StartRankWorker("n" + std::to_string(i));
  ASSERT_TRUE(WaitForState("ready", static_cast<size_t>(workers)));
}

FakeWorker& TrainingTest::StartRankWorker(const std::string& id, uint64_t incarnation) {
  services_.push_back(std::make_unique<FakeRanks>(fakes_, id));
  FakeWorker::Options options;
  options.ranks = services_.back().get();
  options.incarnation = incarnation;
  return StartWorker(id, options);
}

void TrainingTest::KillWorker(size_t index) {
  workers_[index]->Kill();
  fakes_.Kill("n" + std::to_string(index));
}

void TrainingTest::RestartCoordinator(const std::function<void()>& meanwhile) {
  Coordinator::Options options = Options();
  options.listen_port = coordinator_->grpc_port();
  coordinator_.reset();
  meanwhile();
  StartCoordinator(options);
  training_ = enigma::v1::Training::NewStub(MakeChannel(endpoint_, nullptr, ExpectedPeer::AnyNode()));
}

enigma::v1::TrainingOptions TrainingTest::Nano(const std::string& model, uint64_t steps) {
  enigma::v1::TrainingOptions options;
  options.set_model(model);
  options.set_size("nano");
  options.set_steps(steps);
  options.set_slots(4);
  options.set_sequences_per_step(8);
  options.set_vocab_size(300);
  options.set_validate_every(10);
  return options;
}

std::string TrainingTest::SomeText() {
  std::string text;
  for (int i = 0; i < 60; ++i) {
    text += "Q: How many steps are " + std::to_string(i) + " and " + std::to_string(i * 7) + "?\nA: They are " +
            std::to_string(i * 8) + ".\n\n";
  }
  return text;
}

grpc::Status TrainingTest::Submit(const enigma::v1::TrainingOptions& options, const std::string& text) {
  grpc::ClientContext context;
  const auto stream = training_->Submit(&context);
  enigma::v1::SubmitJobRequest request;
  *request.mutable_head()->mutable_options() = options;
  stream->Write(request);
  request.mutable_file()->set_name("questions.txt");
  stream->Write(request);
  request.set_data(text.substr(0, text.size() / 2));
  stream->Write(request);
  request.set_data(text.substr(text.size() / 2));
  stream->Write(request);
  stream->WritesDone();
  phases_.clear();
  while (stream->Read(&progress_)) phases_.push_back(progress_.phase());
  return stream->Finish();
}

uint64_t TrainingTest::MustSubmit(const enigma::v1::TrainingOptions& options) {
  const grpc::Status submitted = Submit(options, SomeText());
  EXPECT_TRUE(submitted.ok()) << submitted.error_message();
  return progress_.job();
}

enigma::v1::JobInfo TrainingTest::Info(uint64_t job) {
  grpc::ClientContext context;
  enigma::v1::WatchJobRequest request;
  request.set_job(job);
  request.set_history(1000);
  const auto reader = training_->Watch(&context, request);
  enigma::v1::JobUpdate update;
  if (!reader->Read(&update)) return {};
  points_.assign(update.points().begin(), update.points().end());
  return update.info();
}

bool TrainingTest::Reaches(uint64_t job, const std::string& state) {
  return Eventually([&] { return Info(job).state() == state; });
}

bool TrainingTest::ReachesStep(uint64_t step) {
  return Eventually([&] { return fakes_.step() >= step; });
}

grpc::Status TrainingTest::Cancel(uint64_t job) {
  grpc::ClientContext context;
  enigma::v1::CancelJobRequest request;
  request.set_job(job);
  enigma::v1::CancelJobReply reply;
  return training_->Cancel(&context, request, &reply);
}

grpc::Status TrainingTest::Resume(uint64_t job) {
  grpc::ClientContext context;
  enigma::v1::ResumeJobRequest request;
  request.set_job(job);
  enigma::v1::ResumeJobReply reply;
  return training_->Resume(&context, request, &reply);
}

grpc::Status TrainingTest::Remove(uint64_t job) {
  grpc::ClientContext context;
  enigma::v1::RemoveJobRequest request;
  request.set_job(job);
  enigma::v1::RemoveJobReply reply;
  return training_->Remove(&context, request, &reply);
}

grpc::Status TrainingTest::RemoveModel(const std::string& name) {
  grpc::ClientContext context;
  enigma::v1::RemoveModelRequest request;
  request.set_name(name);
  enigma::v1::RemoveModelReply reply;
  return cluster_->RemoveModel(&context, request, &reply);
}

bool TrainingTest::IsRegistered(const std::string& model) {
  grpc::ClientContext context;
  enigma::v1::ListClusterModelsReply reply;
  EXPECT_TRUE(cluster_->ListModels(&context, {}, &reply).ok());
  return std::any_of(reply.models().begin(), reply.models().end(),
                     [&](const auto& info) { return info.name() == model; });
}

std::vector<std::string> TrainingTest::MembersOf(const enigma::v1::BeginEpoch& begin) {
  std::vector<std::string> nodes;
  for (const auto& rank : begin.ranks()) nodes.push_back(rank.node_id());
  return nodes;
}

}  // namespace enigma::coordinator::testing
