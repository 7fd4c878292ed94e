#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "proto/membership.grpc.pb.h"
#include "proto/worker.grpc.pb.h"
#include "rpc/identity.h"
#include "rpc/server.h"
#include "tests/support/eventually.h"

namespace enigma::coordinator::testing {

// What fake workers share: it stands for the links between stages, and is where tests look. Thread-safe.
class FakePipelines {
 public:
  enum class Manner { kAnswer, kHold, kRefuse, kSilent };

  // The tokens that every sequence is answered with, over and over.
  void SetAnswer(std::vector<int32_t> ids);
  void SetWholeAnswer(std::vector<int32_t> ids);  // once, and then it stops
  void SetManner(Manner manner);                  // kHold: one token, then nothing; kSilent: nothing at all
  // What a text of n tokens is embedded as: 0.6 at first, 0.8 at 1 + n % 63, as wide as the small model.
  static constexpr int kEmbeddingWidth = 64;

  // How a question of labels is answered; more or fewer than it asks about are no answer.
  void SetLabels(std::vector<double> probabilities);
  void HoldLabels(bool hold);  // while true, no such question is answered

  // Of the first stage.
  void Open(uint64_t replica, const enigma::v1::OpenSequence& open);
  void Cancel(uint64_t sequence);  // nothing, where it is not open, as at a worker
  // Gives every sequence that is held its last token.
  void FinishHeld();
  Manner manner() const;
  // Of the last stage: waits a moment for events.
  enigma::v1::TokenEvents Take(uint64_t replica);

  // Of the last stage: what it was asked to hold an output to.
  absl::Status Prepare(const enigma::v1::PrepareConstraintRequest& request);
  void RefuseConstraints(const absl::Status& why);
  void HoldConstraints(bool hold);  // while true, none is answered
  // Gives the sequence's last token in the form of an error.
  void BreakOff(uint64_t replica, uint64_t sequence, const absl::Status& why);

  void ForgetRequests();  // what was prepared and opened
  std::set<uint64_t> cancelled() const;
  std::vector<enigma::v1::PrepareConstraintRequest> prepared() const;
  std::vector<enigma::v1::OpenSequence> opened() const;

 private:
  void WeighLabels(uint64_t replica, const enigma::v1::OpenSequence& open) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Embed(uint64_t replica, const enigma::v1::OpenSequence& open) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  std::vector<int32_t> answer_ ABSL_GUARDED_BY(mutex_) = {5, 6, 7};
  std::vector<double> labels_ ABSL_GUARDED_BY(mutex_);
  bool hold_labels_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::pair<uint64_t, enigma::v1::OpenSequence>> questions_ ABSL_GUARDED_BY(mutex_);  // held, with replicas
  bool once_ ABSL_GUARDED_BY(mutex_) = false;
  Manner manner_ ABSL_GUARDED_BY(mutex_) = Manner::kAnswer;
  std::map<uint64_t, std::deque<enigma::v1::TokenEvent>> events_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, std::deque<enigma::v1::TokenEvent>> held_ ABSL_GUARDED_BY(mutex_);  // by replica
  std::set<uint64_t> cancelled_ ABSL_GUARDED_BY(mutex_);
  std::vector<enigma::v1::PrepareConstraintRequest> prepared_ ABSL_GUARDED_BY(mutex_);
  absl::Status constraint_refusal_ ABSL_GUARDED_BY(mutex_);
  bool hold_constraints_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<enigma::v1::OpenSequence> opened_ ABSL_GUARDED_BY(mutex_);
};

// Speaks enigma.v1.Worker and attends as a worker does, without computing anything.
class FakeWorker final : public enigma::v1::Worker::Service {
 public:
  struct Options {
    std::string node_id;
    std::string host_name;
    uint64_t memory_bytes = uint64_t{1} << 32;
    double bytes_per_second = 1e10;
    size_t stages_max = SIZE_MAX;  // with so many it says that no memory is left
    uint64_t stage_bytes = 0;      // other than 0: what is free is so much for each stage that it may still take
    bool measured = true;          // when it attends; else once Measure is called
    bool encodes_pictures = true;  // false: as a program from before there were image encoders
    uint64_t incarnation = 1;
    const NodeIdentity* identity = nullptr;
    grpc::Service* ranks = nullptr;  // served beside, where it is given
  };
  FakeWorker(FakePipelines& pipelines, Options options);
  ~FakeWorker() override;

  // Attends, again and again, until it is killed.
  void AttendTo(const std::string& coordinator);
  void Kill();  // resets everything at once, as the kernel does for a killed process
  void SetSilent(bool silent) { silent_ = silent; }
  void FailLoads(bool fail) { fail_loads_ = fail; }
  void HoldLoads(bool hold) { hold_loads_ = hold; }  // while true, none ends
  // What a picture is encoded as: so many rows, all of whose values are the length of its file. One that ends with
  // "corrupt" is none.
  static constexpr int kPictureRows = 9;
  void HoldPictures(bool hold) { hold_pictures_ = hold; }  // while true, none is encoded
  void RefusePictures(const absl::Status& why);            // OK: they are encoded
  int encode_calls() const { return encode_calls_; }
  int cancelled_pictures() const { return cancelled_pictures_; }
  void Leave() { leaving_ = true; }  // says so in its heartbeats
  // Its stages have work and have finished no step for so long; negative: they have none.
  void BeBusyFor(absl::Duration age) { busy_ms_ = absl::ToInt64Milliseconds(age); }
  void Measure();
  // Reports that the replica cannot go on; `lost` is the neighbour that it lost, empty: its own failure.
  void ReportFailure(uint64_t replica, const std::string& reason, const std::string& lost);
  // Gives a request up, as a first stage does that has failed.
  void GiveUp(uint64_t sequence, const std::string& why);
  // This worker reaches that node no more.
  void CutFrom(const std::string& node_id);
  std::string told_to_leave() const;

  std::vector<enigma::v1::LoadStageRequest> loaded() const;
  std::set<uint64_t> stages() const;  // replicas that it holds a stage of
  int load_calls() const { return load_calls_; }
  int port() const { return server_->port(); }

  grpc::Status LoadStage(grpc::ServerContext* context, const enigma::v1::LoadStageRequest* request,
                         grpc::ServerWriter<enigma::v1::LoadStageProgress>* writer) override;
  grpc::Status ConnectStage(grpc::ServerContext* context, const enigma::v1::ConnectStageRequest* request,
                            enigma::v1::ConnectStageReply* reply) override;
  grpc::Status UnloadStage(grpc::ServerContext* context, const enigma::v1::UnloadStageRequest* request,
                           enigma::v1::UnloadStageReply* reply) override;
  grpc::Status PrepareConstraint(grpc::ServerContext* context, const enigma::v1::PrepareConstraintRequest* request,
                                 enigma::v1::PrepareConstraintReply* reply) override;
  grpc::Status Encode(grpc::ServerContext* context, const enigma::v1::EncodeRequest* request,
                      enigma::v1::EncodeReply* reply) override;
  grpc::Status Submit(grpc::ServerContext* context,
                      grpc::ServerReaderWriter<enigma::v1::SubmitReply, enigma::v1::SequenceCommand>* stream) override;
  grpc::Status Tokens(grpc::ServerContext* context, const enigma::v1::TokensRequest* request,
                      grpc::ServerWriter<enigma::v1::TokenEvents>* writer) override;
  grpc::Status ProbeLink(grpc::ServerContext* context, const enigma::v1::ProbeLinkRequest* request,
                         enigma::v1::ProbeLinkReply* reply) override;

 private:
  using SubmitStream = grpc::ServerReaderWriter<enigma::v1::SubmitReply, enigma::v1::SequenceCommand>;

  void AttendOnce(const std::string& coordinator);
  enigma::v1::Capability Capability() const;
  uint64_t FreeBytes() const;
  bool IsCutFrom(const std::string& node_id) const;

  FakePipelines& pipelines_;
  const Options options_;
  std::unique_ptr<RpcServer> server_;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> silent_ = false;
  std::atomic<bool> fail_loads_ = false;
  std::atomic<bool> hold_loads_ = false;
  std::atomic<int> load_calls_ = 0;
  std::atomic<bool> hold_pictures_ = false;
  std::atomic<int> encode_calls_ = 0;
  std::atomic<int> cancelled_pictures_ = 0;
  std::atomic<bool> leaving_ = false;
  std::atomic<int64_t> busy_ms_ = -1;
  std::atomic<bool> measured_;
  mutable absl::Mutex mutex_;
  grpc::ClientContext* attending_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::string told_to_leave_ ABSL_GUARDED_BY(mutex_);
  std::deque<enigma::v1::WorkerReport> reports_ ABSL_GUARDED_BY(mutex_);  // to be sent before the next heartbeat
  std::set<std::string> cut_from_ ABSL_GUARDED_BY(mutex_);
  absl::Status picture_refusal_ ABSL_GUARDED_BY(mutex_);
  SubmitStream* submit_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::vector<enigma::v1::LoadStageRequest> loaded_ ABSL_GUARDED_BY(mutex_);
  std::set<uint64_t> stages_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

using enigma::testing::Eventually;

}  // namespace enigma::coordinator::testing
