#include "worker/pipeline/prompt_check.h"

#include <algorithm>
#include <cmath>

#include <absl/strings/str_cat.h>

#include "engine/text/given_row.h"

namespace enigma::worker {

absl::Status CheckPrompt(const v1::OpenSequence& open, uint32_t vocab, size_t hidden) {
  size_t rows = 0;
  for (const int32_t id : open.prompt()) {
    if (id == engine::kGivenRow) {
      ++rows;
    } else if (id < 0 || static_cast<uint32_t>(id) >= vocab) {
      return absl::InvalidArgumentError(absl::StrCat("prompt token ", id, " is not in the vocabulary of ", vocab));
    }
  }
  const auto values = static_cast<size_t>(open.given_size());
  if (values != rows * hidden) {
    return absl::InvalidArgumentError(absl::StrCat("the prompt has places for ", rows, " rows of ", hidden,
                                                   " values, and ", values, " values are given"));
  }
  if (std::all_of(open.given().begin(), open.given().end(), [](float value) { return std::isfinite(value); })) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("a row that is given for the prompt is not finite");
}

}  // namespace enigma::worker
