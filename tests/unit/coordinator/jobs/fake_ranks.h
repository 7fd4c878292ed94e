#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "proto/rank.grpc.pb.h"

namespace enigma::coordinator::testing {

// Training without arithmetic: ranks of several fake workers that do steps together, as docs/training.md says they do,
// and move files by the real calls. A state of step N is the text "state N". It stands for the links between ranks, and
// is where tests look. Thread-safe.
class FakeTraining {
 public:
  FakeTraining();
  ~FakeTraining();

  // --- what tests arrange
  void SetStepMilliseconds(int milliseconds);
  void HoldSteps(bool hold);  // while true, none is done
  void SetCheckpointEvery(uint64_t steps);
  void SetBestStep(uint64_t step);          // validation gets worse after it; 0: it never does
  void SetExportFile(std::string path);     // the GGUF that is "exported"
  void SetEncoderFile(std::string path);    // the image encoder that is exported with it; empty: none
  void RefuseExports(std::string why);      // empty: they go well
  void RefuseCheckpoints(std::string why);  // of those that a job makes by itself; empty: they are stored
  void CutBetween(const std::string& a, const std::string& b);
  void HealCuts();
  // The next step fails on that node.
  void FailRank(const std::string& node, const absl::Status& why);
  // From now on the node makes no rank, as a worker to which the configuration says nothing.
  void RefuseRanks(const std::string& node, const absl::Status& why);
  // The process of the node died, with its ranks.
  void Kill(const std::string& node);

  // --- what tests look at
  std::vector<enigma::v1::BeginEpoch> begun() const;  // as the first rank of each epoch was told
  std::map<std::string, int> prepared() const;        // how often ranks were made, by node
  uint64_t step() const;                              // the newest of any rank
  std::set<std::string> running() const;              // nodes
  std::vector<std::string> complaints() const;        // what the coordinator did wrong

  // --- of the services
  using Stream = grpc::ServerReaderWriter<enigma::v1::RankEvent, enigma::v1::RankOrder>;
  void Run(const std::string& node, Stream& stream);

 private:
  struct Rank {
    enigma::v1::PrepareRank preparation;
    enigma::v1::RankStanding standing;
    enigma::v1::BeginEpoch begin;
    enigma::v1::LeaderControl control;
    enigma::v1::ValidationRecord validations;
    std::vector<enigma::v1::RankEvent> to_repeat;  // on every new stream
    Stream* stream = nullptr;
    bool exports = false;
  };
  void Work();
  void Do(const std::string& node, const enigma::v1::RankOrder& order);
  void Begin(const std::string& node, Rank& rank, const enigma::v1::BeginEpoch& begin)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status FetchAll(const std::string& node, const enigma::v1::PrepareRank& preparation, uint64_t* step);
  // What ranks of one epoch validate alike.
  void Validate(uint64_t step, std::vector<Rank*>& group) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StepOf(const std::string& leader) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void HaltBroken() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Halt(Rank& rank, const std::string& lost, const std::string& reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Files go out without the mutex.
  struct Upload {
    std::string node;
    enigma::v1::StoreJobFileRequest::Head head;
    std::string data;
    enigma::v1::NodeAddress to;
    enigma::v1::JobFile state;   // of an export that is not of the rank's own state
    enigma::v1::RankEvent then;  // told when it is stored, or why it was not; empty: nothing is told
  };
  void Store(const Upload& upload);
  void QueueCheckpoint(const std::string& node, const Rank& rank) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void QueueExport(const std::string& node, const Rank& rank, const enigma::v1::JobFile& state)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tell(Rank& rank, const enigma::v1::RankEvent& event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TellStanding(Rank& rank) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsCut(const std::string& a, const std::string& b) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void Complain(const std::string& what) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { complaints_.push_back(what); }

  mutable absl::Mutex mutex_;
  std::map<std::string, Rank> ranks_ ABSL_GUARDED_BY(mutex_);
  std::vector<Upload> uploads_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> prepared_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, absl::Status> to_fail_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, absl::Status> refusals_ ABSL_GUARDED_BY(mutex_);
  std::set<std::pair<std::string, std::string>> cuts_ ABSL_GUARDED_BY(mutex_);
  std::vector<enigma::v1::BeginEpoch> begun_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> complaints_ ABSL_GUARDED_BY(mutex_);
  int step_ms_ ABSL_GUARDED_BY(mutex_) = 2;
  bool hold_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t checkpoint_every_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t best_step_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string export_path_ ABSL_GUARDED_BY(mutex_);
  std::string encoder_path_ ABSL_GUARDED_BY(mutex_);
  std::string export_refusal_ ABSL_GUARDED_BY(mutex_);
  std::string checkpoint_refusal_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

// enigma.v1.Ranks of one fake worker.
class FakeRanks final : public enigma::v1::Ranks::Service {
 public:
  FakeRanks(FakeTraining& training, std::string node) : training_(training), node_(std::move(node)) {}
  grpc::Status Run(grpc::ServerContext*, FakeTraining::Stream* stream) override {
    training_.Run(node_, *stream);
    return grpc::Status::OK;
  }

 private:
  FakeTraining& training_;
  const std::string node_;
};

}  // namespace enigma::coordinator::testing
