#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proto/training.grpc.pb.h"
#include "tests/unit/coordinator/coordinator_fixture.h"
#include "tests/unit/coordinator/jobs/fake_ranks.h"

namespace enigma::coordinator::testing {

// A coordinator and workers whose ranks compute nothing ("n0", "n1", ...). What the coordinator told them wrongly fails
// the test at its end.
class TrainingTest : public CoordinatorTest {
 protected:
  void SetUp() override;
  void TearDown() override;

  void StartTraining(int workers) { StartTraining(workers, Options()); }
  void StartTraining(int workers, const Coordinator::Options& options);
  FakeWorker& StartRankWorker(const std::string& id, uint64_t incarnation = 1);
  void KillWorker(size_t index);
  // Nobody is there to be asked while `meanwhile` runs; then it is back at its address.
  void RestartCoordinator(const std::function<void()>& meanwhile);

  static enigma::v1::TrainingOptions Nano(const std::string& model, uint64_t steps);
  static std::string SomeText();
  grpc::Status Submit(const enigma::v1::TrainingOptions& options, const std::string& text);
  uint64_t MustSubmit(const enigma::v1::TrainingOptions& options);

  enigma::v1::JobInfo Info(uint64_t job);
  bool Reaches(uint64_t job, const std::string& state);
  bool ReachesStep(uint64_t step);
  grpc::Status Cancel(uint64_t job);
  grpc::Status Resume(uint64_t job);
  grpc::Status Remove(uint64_t job);
  grpc::Status RemoveModel(const std::string& name);
  bool IsRegistered(const std::string& model);
  static std::vector<std::string> MembersOf(const enigma::v1::BeginEpoch& begin);

  FakeTraining fakes_;
  std::vector<std::unique_ptr<FakeRanks>> services_;
  std::unique_ptr<enigma::v1::Training::Stub> training_;
  enigma::v1::SubmitJobProgress progress_;  // the last one
  std::vector<std::string> phases_;
  std::vector<enigma::v1::JobPoint> points_;  // of the last Info
};

}  // namespace enigma::coordinator::testing
