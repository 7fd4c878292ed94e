#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "base/clock.h"
#include "engine/image/decode_image.h"
#include "engine/tensor/thread_pool.h"
#include "engine/vision/vision_encoder.h"
#include "proto/membership.pb.h"
#include "telemetry/metrics.h"

namespace enigma::worker {

// An image encoder with all it needs, in the order in which it is to be taken down.
struct LoadedEncoder {
  std::unique_ptr<engine::ThreadPool> pool;
  std::unique_ptr<engine::VisionEncoder> encoder;
  uint64_t workspace_bytes = 0;
};

// The image encoder of one replica at work. A thread of its own decodes and encodes one picture after another; gRPC's
// threads only wait for theirs. What a picture takes that is decoded its file says; only a part of that is reserved
// (engine/spec/vision_memory.h). So the encoders of a worker decode one at a time, and only what its memory holds just
// then. Thread-safe.
class EncoderStage {
 public:
  struct Options {
    uint64_t replica = 0;
    std::string model;
    std::string node_id;                               // this node, for messages
    size_t waiting_max = 64;                           // pictures that wait,
    uint64_t waiting_bytes_max = uint64_t{256} << 20;  // and what their files may have together
    engine::ImageLimits limits = {};
    std::function<uint64_t()> free_bytes = nullptr;  // that a picture may take, asked before each; null: any
  };
  // What it takes turns with. `pixels`: held, by the encoders of a worker, while the pixels of a picture are in memory;
  // `computing`: while the encoder computes, as by StepRunner.
  struct Turns {
    absl::Mutex& pixels;
    absl::Mutex& computing;
  };
  // References outlive this.
  EncoderStage(Options options, LoadedEncoder loaded, Turns turns, Metrics& metrics,
               const Clock& clock = Clock::System());
  // Blocks until the picture that is under way is done.
  ~EncoderStage();

  // Those that wait end with Unavailable, and no more are taken.
  void Close();

  // [prefix, width] of a JPEG or PNG file. Blocks until it is done, or `gone` (asked now and then) says that nobody
  // wants it: Cancelled. InvalidArgument says what is wrong with the picture, ResourceExhausted that too many wait, or
  // that there is no memory for this one.
  absl::StatusOr<std::vector<float>> Encode(const std::string& image, const std::function<bool()>& gone);

  const Options& options() const { return options_; }
  v1::StageStatus Status() const;
  uint64_t weight_bytes() const { return loaded_.encoder->weight_bytes(); }
  uint64_t memory_bytes() const { return weight_bytes() + loaded_.workspace_bytes; }

 private:
  struct Picture {
    std::string image;
    absl::StatusOr<std::vector<float>> rows = absl::UnknownError("not encoded");
    bool done = false;
    std::atomic<bool> unwanted = false;
  };
  using PicturePtr = std::shared_ptr<Picture>;  // shared: who waits may go before it is done

  void Run();
  absl::StatusOr<std::vector<float>> Compute(const Picture& picture);
  absl::Status CheckMemory(std::span<const uint8_t> file) const;
  absl::Status CheckRoom(uint64_t bytes) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  absl::Status Enqueue(const PicturePtr& picture) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  LoadedEncoder loaded_;  // compute thread only, but for its sizes
  const Turns turns_;
  const Clock& clock_;
  prometheus::Counter& pictures_;
  prometheus::Histogram& seconds_;

  mutable absl::Mutex mutex_;
  std::deque<PicturePtr> waiting_ ABSL_GUARDED_BY(mutex_);
  uint64_t waiting_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool computing_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t steps_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration progressed_ ABSL_GUARDED_BY(mutex_);  // when a picture was done, or work came after there was none

  std::thread thread_;  // last, so that it starts with everything in place
};

}  // namespace enigma::worker
