#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "coordinator/jobs/job_tokenizer.h"
#include "coordinator/jobs/uploaded_pictures.h"
#include "engine/corpus/captions.h"
#include "engine/spec/training_config.h"

namespace enigma::coordinator {

// What a job that trains an image encoder learns from: one file of captions, and the pictures that it names.
struct PictureCorpus {
  engine::CorpusFile file;
  std::vector<engine::CaptionedPicture> pictures;
};

// INVALID_ARGUMENT, with file and line, for captions that are wrong and pictures that were not sent; and where there is
// not exactly one file. `uploaded` may be null: none was sent.
absl::StatusOr<PictureCorpus> ReadPictureCorpus(const std::vector<engine::CorpusFile>& files,
                                                const UploadedPictures* uploaded);

// The disk that a picture set is to go to.
struct PictureDisk {
  std::string folder;
  uint64_t left_min = 0;  // bytes that stay free
};

// RESOURCE_EXHAUSTED where the pictures, with sides of so many pixels, would fill more memory than is spent on them, or
// the disk. Known before anything is made of them.
absl::Status CheckRoomForPictures(const PictureCorpus& corpus, uint32_t image_size, const PictureDisk& disk);

// Trains a vocabulary on the captions, with a token for the places of pictures, and writes it. `go_on` as of
// TrainTokenizer.
absl::Status TrainCaptionVocabulary(const PictureCorpus& corpus, const TokenizerOrder& order, const std::string& path,
                                    const std::function<bool(double share)>& go_on);

// The token of a vocabulary that holds the places of pictures: "<|image|>", else the first spare one ("<|spare_0|>").
// INVALID_ARGUMENT where it has neither.
absl::StatusOr<engine::TokenId> PictureToken(const engine::Tokenizer& tokenizer);

// Token set and picture set, the pictures decoded on several threads. `config` says size and rows of a picture, and
// what a context has room for. Errors as of PrepareCaptions.
absl::StatusOr<engine::PreparedCaptions> PreparePictureCorpus(
    const PictureCorpus& corpus, const UploadedPictures& uploaded, const engine::Tokenizer& tokenizer,
    const engine::TrainingConfig& config, double validation_share, const std::function<bool(double share)>& go_on);

}  // namespace enigma::coordinator
