#pragma once

#include <string>
#include <vector>

#include <absl/status/status.h>

#include "engine/corpus/captions.h"
#include "engine/corpus/picture_set.h"

namespace enigma::engine {

// Loads the pictures of documents into a set, in the order of the documents: on several threads where the options say
// so, and each picture once, however many documents show it. Errors of `load` come with the file, line and image that
// they are about, the first of them in that order; ResourceExhausted where there is no memory for a picture, or for
// all; Cancelled where they are not wanted any more.
absl::Status AddSquares(const std::vector<const CaptionedPicture*>& pictures, const PictureLoader& load,
                        const CaptionOptions& options, PictureSetBuilder& squares);

// "FILE, line N: ", as far as they are known.
std::string PlaceOfCaption(const CaptionedPicture& picture, const CaptionOptions& options);

}  // namespace enigma::engine
