#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "coordinator/scheduling/intake.h"
#include "coordinator/scheduling/picture_encoders.h"
#include "coordinator/state/model.h"

namespace enigma::coordinator {

inline constexpr size_t kPicturesMost = 8;  // in one request

// The pictures of one request, in their order, on their way to rows for the model that answers. Shared by its choices,
// which want the same rows: each picture is encoded once. Thread-safe.
class RequestPictures : public std::enable_shared_from_this<RequestPictures> {
 public:
  // Null where there are none. `files`: JPEG or PNG.
  static std::shared_ptr<RequestPictures> Make(std::vector<std::string> files);

  size_t size() const { return files_.size(); }

  // Before the model answers about them in so many choices. INVALID_ARGUMENT for a model without an image encoder, for
  // more pictures than kPicturesMost, for rows beyond kRowBytesMost in all choices, and for a file that is no picture
  // by its header, or one beyond the limits (engine/image/decode_image.h); no pixel is decoded. RESOURCE_EXHAUSTED
  // where the rows are too much beside what other requests hold; from then on they count there, as long as this lives.
  // Asked again, it counts them once.
  absl::Status Admit(Intake& intake, const Model& model, size_t choices);
  // What tells them from others (picture_parts.h), in their order.
  std::vector<std::string> Marks() const;

  // Gets those of all pictures, one after another.
  using Done = std::function<void(const absl::StatusOr<PictureRows>& rows)>;
  // `done` is called once, here or on another thread, unless Leave comes before. The number returned is for Leave.
  uint64_t Encode(PictureEncoders& encoders, const std::string& model, Done done);
  // One who asked wants no rows any more. When nobody does, encoding ends.
  void Leave(uint64_t asked);

 private:
  // For one model: another comes only after a model that failed.
  struct Run {
    std::string model;
    std::vector<PictureEncoders::CallPtr> calls;
    std::vector<std::vector<float>> parts;
    size_t left = 0;  // pictures without an answer
    absl::Status failure;
    PictureRows rows;  // once all are there
    std::map<uint64_t, Done> waiting;
    bool ended() const { return left == 0; }
  };
  using RunPtr = std::shared_ptr<Run>;  // shared with answers on their way

  explicit RequestPictures(std::vector<std::string> files);
  absl::Status Check(const Model& model, size_t choices) const;
  void Begin(PictureEncoders& encoders, const RunPtr& run);
  void Take(PictureEncoders& encoders, const RunPtr& run, size_t picture, absl::StatusOr<std::vector<float>> rows);

  std::vector<std::shared_ptr<const std::string>> files_;  // shared with encoders

  absl::Mutex mutex_;
  Intake::Pass rows_pass_ ABSL_GUARDED_BY(mutex_);
  PictureEncoders* encoders_ ABSL_GUARDED_BY(mutex_) = nullptr;  // of run_
  RunPtr run_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 1;
};

}  // namespace enigma::coordinator
