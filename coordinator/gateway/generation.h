#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "coordinator/gateway/generation_metrics.h"
#include "coordinator/gateway/request_admission.h"
#include "coordinator/gateway/request_pictures.h"
#include "coordinator/gateway/token_text.h"
#include "coordinator/operations/control_plane.h"
#include "engine/text/tool_calls/call_reader.h"
#include "proto/inference.pb.h"

namespace enigma::coordinator {

// One request for text between whoever asked (a gRPC stream, an HTTP connection: its front) and the dispatcher. What
// comes while the front is busy waits and is merged into the next chunk; a front that lets too many tokens wait is told
// so and its sequence is cancelled. Thread-safe.
class Generation final : public TokenSink, public std::enable_shared_from_this<Generation> {
 public:
  struct Options {
    int pending_tokens_max = 4096;  // that wait for a slow client
    // There is nothing to take before its first token, so that one whose replica breaks before that has said nothing.
    bool starts_with_token = false;
    // Of the request; they are shared by its choices. Null: there are none. Those in a request's own fields are not
    // read.
    std::shared_ptr<RequestPictures> pictures = nullptr;
    size_t choices = 1;  // of the request
  };
  // Tells the front that there is something to take. Called on any thread, without a lock; must not block. May come
  // more often than there is something.
  using Ready = std::function<void()>;

  static std::shared_ptr<Generation> Make(ControlPlane& plane, const Options& options,
                                          enigma::v1::GenerateRequest request, Ready ready);

  // Tokenises, checks (a schema that is new by compiling it), and submits once it is admitted, which may be later on
  // another thread; may take milliseconds, so not for threads that serve sockets. Once. `repeats_prompt`: its prompt is
  // that of an earlier choice, and its tokens are charged with that.
  void Begin(std::shared_ptr<RequestAdmission> admission, bool repeats_prompt = false);
  // Ends it with an error, unless it has ended.
  void Fail(const absl::Status& why);
  // The front is gone: nothing more is wanted, and the sequence is freed within one step.
  void Cancel();

  enum class Taken { kNothing, kChunk, kEnd };
  // kChunk: `chunk` has what came since the last call. kEnd, after the last chunk: `end` says how it went.
  Taken Take(enigma::v1::GenerateChunk& chunk, absl::Status& end);

  // What it has taken so far; of a request that ends early, what was worked on until then.
  struct Used {
    uint64_t prompt_tokens = 0;  // once it is submitted
    uint64_t answer_tokens = 0;
  };
  Used used();

  // TokenSink.
  void OnStart(const Replica& replica) override;
  void OnTokens(std::span<const enigma::v1::TokenEvent* const> events) override;
  void OnEnd(const absl::Status& status) override;

 private:
  Generation(ControlPlane& plane, const Options& options, enigma::v1::GenerateRequest request, Ready ready);

  // Once it is admitted: with the rows of its pictures, which are encoded first.
  void SubmitWithPictures(enigma::v1::OpenSequence open);
  absl::Status Submit(enigma::v1::OpenSequence open, PictureRows rows = nullptr);
  absl::StatusOr<enigma::v1::OpenSequence> Prepare();
  // Counts the refusal of a full queue, once for all choices of the request; passes on what the dispatcher said.
  absl::Status Counted(const absl::Status& of_dispatcher) const;
  // Tells the chunk's text from the calls of tools in it.
  void ReadCalls(enigma::v1::GenerateChunk& chunk) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // True when the event ends the request.
  bool AddEvent(const enigma::v1::TokenEvent& event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Conclude(std::string_view finish_reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndLocked(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Measure(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CancelSequence();
  void LeavePictures();
  double SecondsSinceArrival() const { return absl::ToDoubleSeconds(plane_.clock.Monotonic() - arrived_); }

  ControlPlane& plane_;
  const Options options_;
  const enigma::v1::GenerateRequest request_;
  const Ready ready_;
  const absl::Duration arrived_;
  std::shared_ptr<RequestAdmission> admission_;  // since Begin, which is before whatever reads it

  absl::Mutex mutex_;
  ModelPtr model_ ABSL_GUARDED_BY(mutex_);
  std::optional<GenerationMetrics> metrics_ ABSL_GUARDED_BY(mutex_);  // with model_
  std::optional<TokenText> text_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<engine::CallReader> reader_ ABSL_GUARDED_BY(mutex_);  // of a chat with tools
  bool has_calls_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t ticket_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t pictures_asked_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: not asked for
  enigma::v1::GenerateChunk pending_ ABSL_GUARDED_BY(mutex_);
  bool has_pending_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);  // set once nothing more will be produced
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;           // the front went away
  bool unwanted_ ABSL_GUARDED_BY(mutex_) = false;            // the sequence is to be cancelled once its ticket is known
  std::string contract_ ABSL_GUARDED_BY(mutex_);
  double queue_seconds_ ABSL_GUARDED_BY(mutex_) = -1;        // until a replica had it; -1: none yet
  std::string finish_reason_ ABSL_GUARDED_BY(mutex_);        // empty: it has not finished by itself
  double first_token_seconds_ ABSL_GUARDED_BY(mutex_) = -1;  // -1: none yet
  double last_token_seconds_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t tokens_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t prompt_tokens_ ABSL_GUARDED_BY(mutex_) = 0;  // 0 until it is submitted
};

}  // namespace enigma::coordinator
