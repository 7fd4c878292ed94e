#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/corpus/corpus_report.h"
#include "engine/corpus/document.h"
#include "engine/corpus/picture_set.h"
#include "engine/corpus/token_set.h"
#include "engine/image/image.h"
#include "engine/text/tokenizer.h"

namespace enigma::engine {

// A picture and what is right to say of it.
struct CaptionedPicture {
  std::string image;                  // path below the folder that its file lies in: with '/', none of its parts ".."
  std::string caption;                // what is learned
  std::vector<std::string> captions;  // all that are right; `caption` among them
  uint64_t line = 0;                  // of its file, from 1
};

inline constexpr size_t kCaptionedPicturesMax = 500'000;

// A JSON object per line: "image", and "caption" or "captions" or both (without "caption" the first of "captions" is
// learned). Other fields are of no account, and so are empty lines. InvalidArgument, naming file and line, for anything
// else: a path that leads out of the folder or cannot be shown, an empty text, a line of more than 1 MiB; and for a
// file without pictures. ResourceExhausted, likewise, at the first line that is too many.
absl::StatusOr<std::vector<CaptionedPicture>> ReadCaptions(const CorpusFile& file,
                                                           size_t pictures_max = kCaptionedPicturesMax);

struct CaptionOptions {
  uint32_t side = 64;              // pixels that pictures are kept with
  uint32_t picture_rows = 0;       // of the encoder's prefix, at least 1
  TokenId picture_token = 0;       // that holds their places
  double validation_share = 0.05;  // of the pictures; which ones, image and caption decide. Below 0.5
  uint64_t tokens_max = 0;         // of a document, the picture's rows among them; 0: any
  std::string file = {};           // that the captions are from, for messages
  int threads = 1;                 // that load pictures and fit them into their squares
  // Heard now and then, `done` of pictures; false ends the work with CANCELLED.
  std::function<bool(uint64_t done, uint64_t total)> progress = {};
};

struct PreparedCaptions {
  std::shared_ptr<const TokenSet> tokens;      // shared as TokenSet says
  std::shared_ptr<const PictureSet> pictures;  // likewise; of its documents, in their order
  CorpusReport report;                         // without files
};

// Gives the pixels of an image. Called from several threads where options say so.
using PictureLoader = std::function<absl::StatusOr<Image>(const std::string& image)>;

// A document for each picture: the begin token where the vocabulary asks for one, the picture's rows, the caption and
// the end token, both to be learned. The same input gives the same bytes. Errors of `load` come with the file, line and
// image that they are about, as of AddSquares (caption_squares.h). InvalidArgument, likewise, where a caption holds the
// picture's token or is too long; and where the vocabulary has no end token.
absl::StatusOr<PreparedCaptions> PrepareCaptions(const std::vector<CaptionedPicture>& pictures,
                                                 const PictureLoader& load, const Tokenizer& tokenizer,
                                                 const CaptionOptions& options);

}  // namespace enigma::engine
