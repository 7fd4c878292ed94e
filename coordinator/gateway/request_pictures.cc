#include "coordinator/gateway/request_pictures.h"

#include <span>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "coordinator/gateway/picture_parts.h"
#include "coordinator/state/picture_rows.h"
#include "engine/image/decode_image.h"

namespace enigma::coordinator {
namespace {

// Each choice takes the rows as its own.
absl::Status CheckRows(const Model& model, size_t pictures, size_t choices) {
  const uint64_t rows = uint64_t{model.encoder->rows} * pictures;
  const uint64_t bytes = RowBytes(model, rows * choices);
  if (bytes <= kRowBytesMost) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("messages: the images come to ", rows, " rows of '", model.name, "', ", bytes, " bytes",
                   choices > 1 ? absl::StrCat(" in ", choices, " choices") : "", "; at most ", kRowBytesMost,
                   " are taken: send fewer images", choices > 1 ? ", or ask for fewer choices" : ""));
}

absl::Status OfPicture(size_t picture, const absl::Status& status) {
  if (!absl::IsInvalidArgument(status)) return status;
  return absl::InvalidArgumentError(absl::StrCat("image ", picture + 1, ": ", status.message()));
}

}  // namespace

std::shared_ptr<RequestPictures> RequestPictures::Make(std::vector<std::string> files) {
  if (files.empty()) return nullptr;
  return std::shared_ptr<RequestPictures>(new RequestPictures(std::move(files)));
}

RequestPictures::RequestPictures(std::vector<std::string> files) {
  for (std::string& file : files) files_.push_back(std::make_shared<const std::string>(std::move(file)));
}

absl::Status RequestPictures::Check(const Model& model, size_t choices) const {
  if (!model.encoder) {
    return absl::InvalidArgumentError(absl::StrCat(
        "messages: an image was sent, and the model '", model.name, "' takes none; send text alone, or ",
        "name a model with an image encoder (`enigma models import DECODER.gguf --encoder ENCODER.gguf`)"));
  }
  if (files_.size() > kPicturesMost) {
    return absl::InvalidArgumentError(
        absl::StrCat("messages: ", files_.size(), " images were sent; at most ", kPicturesMost, " are taken"));
  }
  ENIGMA_RETURN_IF_ERROR(CheckRows(model, files_.size(), choices));
  for (size_t i = 0; i < files_.size(); ++i) {
    const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(files_[i]->data()), files_[i]->size());
    ENIGMA_RETURN_IF_ERROR(OfPicture(i, engine::ReadImageHeader(bytes, {}).status()));
  }
  return absl::OkStatus();
}

absl::Status RequestPictures::Admit(Intake& intake, const Model& model, size_t choices) {
  ENIGMA_RETURN_IF_ERROR(Check(model, choices));
  const uint64_t bytes = RowBytes(model, uint64_t{model.encoder->rows} * files_.size() * choices);
  absl::MutexLock lock(&mutex_);
  if (rows_pass_.bytes() == bytes) return absl::OkStatus();
  rows_pass_.Leave();  // of a model that failed
  ENIGMA_ASSIGN_OR_RETURN(rows_pass_, intake.EnterMore(bytes));
  return absl::OkStatus();
}

std::vector<std::string> RequestPictures::Marks() const {
  std::vector<std::string> marks;
  for (const auto& file : files_) marks.push_back(PictureMark(*file));
  return marks;
}

uint64_t RequestPictures::Encode(PictureEncoders& encoders, const std::string& model, Done done) {
  RunPtr begun;
  absl::StatusOr<PictureRows> known = absl::UnknownError("not known");
  uint64_t asked = 0;
  {
    absl::MutexLock lock(&mutex_);
    asked = next_++;
    if (run_ == nullptr || run_->model != model) {
      begun = std::make_shared<Run>();
      begun->model = model;
      begun->left = files_.size();
      begun->parts.resize(files_.size());
      run_ = begun;
      encoders_ = &encoders;
    }
    if (!run_->ended()) {
      run_->waiting.emplace(asked, std::move(done));
      done = nullptr;
    } else if (run_->failure.ok()) {
      known = run_->rows;
    } else {
      known = run_->failure;
    }
  }
  if (done != nullptr) done(known);
  if (begun != nullptr) {
    encoders.BeginRequest(model);
    Begin(encoders, begun);
  }
  return asked;
}

void RequestPictures::Begin(PictureEncoders& encoders, const RunPtr& run) {
  for (size_t i = 0; i < files_.size(); ++i) {
    const auto take = [self = shared_from_this(), &encoders, run, i](absl::StatusOr<std::vector<float>> rows) {
      self->Take(encoders, run, i, std::move(rows));
    };
    PictureEncoders::CallPtr call = encoders.Encode(run->model, files_[i], take);
    bool unwanted = false;
    {
      absl::MutexLock lock(&mutex_);
      if (!run->ended()) run->calls.push_back(call);
      unwanted = run->waiting.empty() || !run->failure.ok();
    }
    if (unwanted) encoders.Cancel(call);
  }
}

void RequestPictures::Take(PictureEncoders& encoders, const RunPtr& run, size_t picture,
                           absl::StatusOr<std::vector<float>> rows) {
  std::map<uint64_t, Done> waiting;
  std::vector<PictureEncoders::CallPtr> unwanted;
  absl::StatusOr<PictureRows> result = absl::UnknownError("not known");
  bool last = false;
  {
    absl::MutexLock lock(&mutex_);
    last = --run->left == 0;
    if (rows.ok()) {
      run->parts[picture] = *std::move(rows);
    } else if (run->failure.ok()) {
      run->failure = OfPicture(picture, rows.status());
      unwanted = run->calls;  // a request is answered about all of its pictures or not at all
    }
    if (last && run->failure.ok()) {
      auto all = std::make_shared<std::vector<float>>();
      for (const std::vector<float>& part : run->parts) all->insert(all->end(), part.begin(), part.end());
      run->parts.clear();
      run->rows = std::move(all);
    }
    if (last) {
      waiting.swap(run->waiting);
      run->calls.clear();
    }
    if (run->failure.ok()) {
      result = run->rows;
    } else {
      result = run->failure;
    }
  }
  for (const PictureEncoders::CallPtr& call : unwanted) encoders.Cancel(call);
  for (const auto& [asked, done] : waiting) done(result);
  if (last) encoders.EndRequest(run->model);  // those that asked have been submitted
}

void RequestPictures::Leave(uint64_t asked) {
  std::vector<PictureEncoders::CallPtr> unwanted;
  PictureEncoders* encoders = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    if (run_ == nullptr || run_->waiting.erase(asked) == 0 || !run_->waiting.empty()) return;
    unwanted = run_->calls;
    encoders = encoders_;
  }
  for (const PictureEncoders::CallPtr& call : unwanted) encoders->Cancel(call);
}

}  // namespace enigma::coordinator
