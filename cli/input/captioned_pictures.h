#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "cli/input/training_text.h"
#include "coordinator/jobs/submission.h"

namespace enigma::cli {

// A picture to be sent.
struct PictureFile {
  std::string name;  // as the captions name it
  std::string path;
  uint64_t bytes = 0;
};

// A file of captions, and the pictures that it names.
struct CaptionedPictures {
  TrainingFile captions;
  std::vector<PictureFile> pictures;  // each once, in the order of the lines
};

// The file with captions at `data`, or in the folder of that name.
std::string CaptionsFileOf(const std::string& data);

// Reads the captions and looks for their pictures. Errors name file and line: NotFound for a picture that is not there,
// InvalidArgument for one that is no file, or lies outside of the captions' folder, also by way of a link, and for what
// engine::ReadCaptions refuses; ResourceExhausted for the first that is more than a coordinator takes, before anything
// is sent to one.
absl::StatusOr<CaptionedPictures> FindCaptionedPictures(const std::string& data,
                                                        const coordinator::Submission::Limits& limits = {});

}  // namespace enigma::cli
