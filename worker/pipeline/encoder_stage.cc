#include "worker/pipeline/encoder_stage.h"

#include <algorithm>
#include <new>
#include <span>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"

namespace enigma::worker {
namespace {

constexpr char kWhatHelps[] =
    "try again later, send a smaller one, or start the worker with a larger --memory where it has a limit";

constexpr absl::Duration kAskWhetherGoneEvery = absl::Milliseconds(100);

}  // namespace

EncoderStage::EncoderStage(Options options, LoadedEncoder loaded, Turns turns, Metrics& metrics, const Clock& clock)
    : options_(std::move(options)),
      loaded_(std::move(loaded)),
      turns_(turns),
      clock_(clock),
      pictures_(metrics.Counter(Metric::kPicturesEncoded, {{"model_name", options_.model}})),
      seconds_(metrics.Histogram(Metric::kPictureSeconds, {{"model_name", options_.model}})),
      progressed_(clock.Monotonic()),
      thread_([this] { Run(); }) {}

EncoderStage::~EncoderStage() {
  Close();
  thread_.join();
}

void EncoderStage::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  for (const PicturePtr& picture : waiting_) {
    picture->rows = absl::UnavailableError("the image encoder was unloaded");
    picture->done = true;
  }
  waiting_.clear();
  waiting_bytes_ = 0;
}

absl::Status EncoderStage::CheckRoom(uint64_t bytes) const {
  if (closed_) return absl::UnavailableError("the image encoder is not loaded any more");
  if (waiting_.size() >= options_.waiting_max || bytes > options_.waiting_bytes_max - waiting_bytes_) {
    return absl::ResourceExhaustedError(
        absl::StrCat(waiting_.size(), " pictures wait for the image encoder already; try again later"));
  }
  return absl::OkStatus();
}

absl::Status EncoderStage::Enqueue(const PicturePtr& picture) {
  ENIGMA_RETURN_IF_ERROR(CheckRoom(picture->image.size()));
  if (waiting_.empty() && !computing_) progressed_ = clock_.Monotonic();
  waiting_bytes_ += picture->image.size();
  waiting_.push_back(picture);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<float>> EncoderStage::Encode(const std::string& image, const std::function<bool()>& gone) {
  {
    absl::MutexLock lock(&mutex_);
    ENIGMA_RETURN_IF_ERROR(CheckRoom(image.size()));  // before it is copied
  }
  const auto picture = std::make_shared<Picture>();
  picture->image = image;  // who waits may go while it is decoded
  absl::MutexLock lock(&mutex_);
  ENIGMA_RETURN_IF_ERROR(Enqueue(picture));
  while (!mutex_.AwaitWithTimeout(absl::Condition(&picture->done), kAskWhetherGoneEvery)) {
    if (!gone()) continue;
    picture->unwanted = true;
    if (std::erase(waiting_, picture) > 0) waiting_bytes_ -= picture->image.size();
    return absl::CancelledError("the caller went away");
  }
  return std::move(picture->rows);
}

void EncoderStage::Run() {
  while (true) {
    PicturePtr picture;
    {
      absl::MutexLock lock(&mutex_);
      const auto news = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return closed_ || !waiting_.empty(); };
      mutex_.Await(absl::Condition(&news));
      if (waiting_.empty()) return;
      picture = std::move(waiting_.front());
      waiting_.pop_front();
      waiting_bytes_ -= picture->image.size();
      computing_ = true;
    }
    absl::StatusOr<std::vector<float>> rows = Compute(*picture);
    absl::MutexLock lock(&mutex_);
    picture->rows = std::move(rows);
    picture->done = true;
    computing_ = false;
    ++steps_;
    progressed_ = clock_.Monotonic();
  }
}

absl::StatusOr<std::vector<float>> EncoderStage::Compute(const Picture& picture) {
  const absl::Duration start = clock_.Monotonic();
  const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(picture.image.data()), picture.image.size());
  absl::MutexLock pixels_turn(&turns_.pixels);
  if (picture.unwanted) return absl::CancelledError("the caller went away");
  ENIGMA_RETURN_IF_ERROR(CheckMemory(bytes));
  try {
    ENIGMA_ASSIGN_OR_RETURN(const engine::Image pixels, engine::DecodeImage(bytes, options_.limits));
    absl::MutexLock computing_turn(&turns_.computing);
    if (picture.unwanted) return absl::CancelledError("the caller went away");
    absl::StatusOr<std::vector<float>> rows = loaded_.encoder->Encode(pixels);
    pictures_.Increment();
    seconds_.Observe(absl::ToDoubleSeconds(clock_.Monotonic() - start));
    return rows;
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(
        absl::StrCat("node ", options_.node_id, " has no memory for this picture; ", kWhatHelps));
  }
}

absl::Status EncoderStage::CheckMemory(std::span<const uint8_t> file) const {
  if (options_.free_bytes == nullptr) return absl::OkStatus();
  ENIGMA_ASSIGN_OR_RETURN(const engine::ImageHeader header, engine::ReadImageHeader(file, options_.limits));
  const uint64_t needed = engine::DecodingBytesMost(header);
  const uint64_t free = options_.free_bytes();
  if (needed <= free) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("node ", options_.node_id, " has no memory for this picture: its ",
                                                   header.width, " x ", header.height, " pixels take ", needed,
                                                   " bytes, and ", free, " are free; ", kWhatHelps));
}

v1::StageStatus EncoderStage::Status() const {
  absl::MutexLock lock(&mutex_);
  v1::StageStatus status;
  status.set_replica(options_.replica);
  status.set_model(options_.model);
  status.set_encoder(true);
  status.set_sequences(static_cast<uint32_t>(waiting_.size()) + (computing_ ? 1 : 0));
  status.set_steps(steps_);
  status.set_busy(computing_ || !waiting_.empty());
  const bool any = status.busy() || steps_ > 0;
  status.set_last_step_age_ms(any ? std::max<int64_t>(0, absl::ToInt64Milliseconds(clock_.Monotonic() - progressed_))
                                  : -1);
  return status;
}

}  // namespace enigma::worker
