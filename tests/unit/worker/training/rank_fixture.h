#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <gtest/gtest.h>

#include "engine/collective/in_process_links.h"
#include "tests/unit/worker/training/counting_trainer.h"
#include "tests/unit/worker/training/turned_clock.h"
#include "worker/training/rank_runner.h"

namespace enigma::worker {

// Ranks of one job in one process, with links inside it, trainers that count, and the test in the coordinator's place.
class RankFixture : public ::testing::Test {
 protected:
  static constexpr uint64_t kJob = 7;
  static constexpr uint32_t kSlots = 8;

  RankFixture();
  ~RankFixture() override;

  // What the test reads of a rank: every event since it began.
  struct Seen {
    std::vector<v1::RankStanding> standings;
    std::vector<v1::StepDone> steps;
    std::vector<v1::ValidationDone> validations;
    std::vector<v1::CheckpointStored> checkpoints;
    std::optional<v1::RankFailed> failed;
    std::optional<v1::ExportDone> exported;
  };
  // The rank of a node ("a", "b", ...), made when first named.
  RankRunner& Rank(const std::string& node);
  void Drop(const std::string& node);
  Seen See(const std::string& node);
  // Until the rank's last standing is this.
  bool Await(const std::string& node, v1::RankPhase phase, uint64_t epoch, uint64_t step);
  // Until its phase and epoch are these, at whatever step; where it stands then.
  v1::RankStanding AwaitPhase(const std::string& node, v1::RankPhase phase, uint64_t epoch);
  bool AwaitSteps(const std::string& leader, uint64_t step);

  v1::BeginEpoch BeginOf(uint64_t epoch, uint64_t step, const std::vector<std::string>& nodes,
                         const std::vector<uint32_t>& owners = {});
  // To all of them; those named in `behind` are to fetch the state from `source`.
  void Begin(uint64_t epoch, uint64_t step, const std::vector<std::string>& nodes,
             const std::vector<uint32_t>& owners = {}, const std::string& source = "",
             const std::vector<std::string>& behind = {});
  void Halt(const std::string& node, uint64_t epoch, const std::string& reason = "somebody died");
  void Control(const std::string& node, const v1::LeaderControl& control);
  void Finish(const std::string& node, bool export_model);
  // As if the node's process had died: its links of the epoch break.
  void Kill(uint64_t epoch, uint32_t rank);
  v1::RankStanding Standing(const std::string& node) { return Rank(node).reporter().standing(); }
  std::vector<float> WeightsOf(const std::string& node, uint64_t step);

  struct Stored {
    StoredFile file;
    std::vector<float> weights;
  };
  std::vector<Stored> stored();

  engine::TrainingConfig config_;
  v1::PrepareRank order_;
  RankTools tools_;
  TurnedClock clock_;
  // Ranks ask on their own threads, so looking adds nothing.
  CountingTrainer::Hooks HooksOf(const std::string& node) const {
    (void)asked_.load(std::memory_order_acquire);
    const auto found = hooks_.find(node);
    return found == hooks_.end() ? CountingTrainer::Hooks() : found->second;
  }

  std::map<std::string, CountingTrainer::Hooks> hooks_;  // by node; before it is named first
  // Counted up by who asks for a rank through gRPC, which the thread sanitizer does not see through: what stands in
  // hooks_ then is there for the rank's thread.
  std::atomic<int> asked_ = 0;
  std::function<absl::Status(const StoredFile& file, const StopSignal& stop)> on_store_;
  std::function<void()> on_send_state_;  // between two parts of it

 private:
  struct Member {
    std::unique_ptr<RankRunner> runner;
    uint64_t reader = 0;
    Seen seen;
  };
  Member& Get(const std::string& node);
  void SetTools();
  static v1::NodeAddress AddressOf(const std::string& node);

  absl::Mutex mutex_;
  std::map<std::string, std::unique_ptr<Member>> members_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, std::unique_ptr<engine::InProcessNetwork>> networks_ ABSL_GUARDED_BY(mutex_);  // by epoch
  std::vector<Stored> stored_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace enigma::worker
