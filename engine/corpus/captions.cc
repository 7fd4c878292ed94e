#include "engine/corpus/captions.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "base/text.h"
#include "base/utf8.h"
#include "engine/corpus/caption_squares.h"
#include "engine/corpus/document_encoder.h"
#include "engine/spec/manifest.h"

namespace enigma::engine {
namespace {

using Json = nlohmann::json;

constexpr size_t kCaptionLineBytesMax = size_t{1} << 20;
constexpr size_t kImagePathBytesMax = 4096;
constexpr size_t kCaptionsAtOnce = 1024;  // encoded between two looks at who wants them
constexpr uint64_t kFewPictures = 1000;

// Paths come from whoever wrote the file; they must not reach what lies beside its folder.
bool StaysBelow(std::string_view path) {
  if (path.empty() || path.front() == '/' || path.find('\0') != std::string_view::npos) return false;
  const std::vector<absl::string_view> parts = absl::StrSplit(ToAbsl(path), '/');
  return std::none_of(parts.begin(), parts.end(), [](absl::string_view part) { return part == ".."; });
}

// It stands in messages, where terminals obey control characters, also those of two bytes (U+0080 to U+009F). `path`:
// UTF-8.
bool IsLegible(std::string_view path) {
  if (path.size() > kImagePathBytesMax) return false;
  for (size_t i = 0; i < path.size(); ++i) {
    const auto byte = static_cast<unsigned char>(path[i]);
    if (byte < 0x20 || byte == 0x7F) return false;
    if (byte == 0xC2 && i + 1 < path.size() && static_cast<unsigned char>(path[i + 1]) < 0xA0) return false;
  }
  return true;
}

// A text that is not empty, or nothing.
std::string TextOf(const Json& value) { return value.is_string() ? value.get<std::string>() : ""; }

// What is wrong with a line, or nothing.
const char* ReadCaptionLine(std::string_view line, CaptionedPicture& picture) {
  if (line.size() > kCaptionLineBytesMax) return "it has more than 1 MiB";
  if (ValidUtf8Prefix(line) != line.size()) return "it is not UTF-8";
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return "it is no JSON object";
  picture.image = TextOf(json.value("image", Json()));
  if (!StaysBelow(picture.image)) return "\"image\" is no path below the file's folder";
  if (!IsLegible(picture.image)) return "\"image\" has control characters, or more than 4096 bytes";
  picture.caption = TextOf(json.value("caption", Json()));
  const Json all = json.value("captions", Json::array());
  if (!all.is_array()) return "\"captions\" is no list";
  for (const Json& caption : all) {
    picture.captions.push_back(TextOf(caption));
    if (picture.captions.back().empty()) return "\"captions\" holds something else than texts";
  }
  if (json.contains("caption") && picture.caption.empty()) return "\"caption\" is no text";
  if (picture.caption.empty()) {
    if (picture.captions.empty()) return "it has neither \"caption\" nor \"captions\"";
    picture.caption = picture.captions.front();
  }
  if (std::find(picture.captions.begin(), picture.captions.end(), picture.caption) == picture.captions.end()) {
    picture.captions.insert(picture.captions.begin(), picture.caption);
  }
  return nullptr;
}

// Whether a picture is kept for validation.
bool IsForValidation(const CaptionedPicture& picture, double share) {
  const Sha256 hash = Sha256Of(picture.image + '\0' + picture.caption);
  uint64_t key;
  std::memcpy(&key, hash.data(), sizeof key);
  return key < static_cast<uint64_t>(std::ldexp(share, 64));
}

absl::StatusOr<EncodedDocument> EncodeCaption(const CaptionedPicture& picture, const DocumentEncoder& encoder,
                                              const Tokenizer& tokenizer, const CaptionOptions& options) {
  Document document;
  document.segments = {{.text = picture.caption, .trained = true}};
  document.kind = DocumentKind::kPair;
  EncodedDocument encoded = encoder.Encode(document);
  if (std::find(encoded.ids.begin(), encoded.ids.end(), options.picture_token) != encoded.ids.end()) {
    return absl::InvalidArgumentError(absl::StrCat(PlaceOfCaption(picture, options), "the caption of ", picture.image,
                                                   " holds the token that stands for a picture"));
  }
  const std::ptrdiff_t at = !encoded.ids.empty() && tokenizer.bos() == encoded.ids.front() ? 1 : 0;
  // Behind a picture even a text's first token follows from something.
  if (at == 0 && !encoded.trained.empty()) encoded.trained.front() = 1;
  encoded.ids.insert(encoded.ids.begin() + at, options.picture_rows, options.picture_token);
  encoded.trained.insert(encoded.trained.begin() + at, options.picture_rows, 0);
  if (options.tokens_max > 0 && encoded.ids.size() > options.tokens_max) {
    return absl::InvalidArgumentError(absl::StrCat(PlaceOfCaption(picture, options), "with the ", options.picture_rows,
                                                   " rows of its picture the caption takes ", encoded.ids.size(),
                                                   " tokens, and the context has room for ", options.tokens_max));
  }
  return encoded;
}

CorpusReport ReportOn(const TokenSet& set) {
  CorpusReport report;
  report.training = CorpusPartOf(set, TokenSet::Part::kTraining);
  report.validation = CorpusPartOf(set, TokenSet::Part::kValidation);
  if (set.documents() < kFewPictures) {
    report.warnings.push_back(
        {"few_examples", absl::StrCat("there are only ", set.documents(),
                                      " pictures: a model will learn them by heart rather than learn to see; gather "
                                      "at least ",
                                      kFewPictures)});
  }
  if (report.validation.documents == 0) {
    report.warnings.push_back({"no_validation",
                               "no picture is kept for validation, so nothing will show when a model begins to learn "
                               "by heart"});
  }
  return report;
}

}  // namespace

absl::StatusOr<std::vector<CaptionedPicture>> ReadCaptions(const CorpusFile& file, size_t pictures_max) {
  std::vector<CaptionedPicture> pictures;
  uint64_t number = 0;
  for (size_t begin = 0; begin < file.bytes.size();) {
    const size_t end = std::min(file.bytes.find('\n', begin), file.bytes.size());
    std::string_view line = file.bytes.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    if (pictures.size() == pictures_max) {
      return absl::ResourceExhaustedError(absl::StrCat(file.name, ", line ", number, ": at most ", pictures_max,
                                                       " lines with pictures are taken; use a part of them"));
    }
    CaptionedPicture picture;
    picture.line = number;
    if (const char* complaint = ReadCaptionLine(line, picture); complaint != nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(file.name, ", line ", number, ": ", complaint));
    }
    pictures.push_back(std::move(picture));
  }
  if (pictures.empty()) return absl::InvalidArgumentError(absl::StrCat(file.name, ": it names no pictures"));
  return pictures;
}

absl::StatusOr<PreparedCaptions> PrepareCaptions(const std::vector<CaptionedPicture>& pictures,
                                                 const PictureLoader& load, const Tokenizer& tokenizer,
                                                 const CaptionOptions& options) {
  if (!(options.validation_share >= 0 && options.validation_share < 0.5) || options.picture_rows == 0 ||
      options.side == 0 || options.side > kPictureSideMax) {
    return absl::InvalidArgumentError(absl::StrCat("captions: a share for validation of ", options.validation_share,
                                                   ", ", options.picture_rows, " rows and a side of ", options.side,
                                                   ": these must be from 0 to below 0.5, above 0, and from 1 to ",
                                                   kPictureSideMax));
  }
  ENIGMA_ASSIGN_OR_RETURN(const DocumentEncoder encoder, DocumentEncoder::Create(tokenizer, false));
  TokenSetBuilder texts(tokenizer);
  PictureSetBuilder squares(options.side);
  // Documents to train on come first in a token set, and so do their pictures.
  std::vector<const CaptionedPicture*> ordered;
  for (const auto part : {TokenSet::Part::kTraining, TokenSet::Part::kValidation}) {
    for (const CaptionedPicture& picture : pictures) {
      if (IsForValidation(picture, options.validation_share) != (part == TokenSet::Part::kValidation)) continue;
      if (ordered.size() % kCaptionsAtOnce == kCaptionsAtOnce - 1 && options.progress &&
          !options.progress(0, pictures.size())) {
        return absl::CancelledError("the captions are not wanted any more");
      }
      ENIGMA_ASSIGN_OR_RETURN(const EncodedDocument document, EncodeCaption(picture, encoder, tokenizer, options));
      ENIGMA_RETURN_IF_ERROR(texts.Add(part, document.ids, document.trained));
      ordered.push_back(&picture);
    }
  }
  PreparedCaptions prepared;
  ENIGMA_ASSIGN_OR_RETURN(prepared.tokens, texts.Finish());
  ENIGMA_RETURN_IF_ERROR(AddSquares(ordered, load, options, squares));
  ENIGMA_ASSIGN_OR_RETURN(prepared.pictures, squares.Finish());
  prepared.report = ReportOn(*prepared.tokens);
  return prepared;
}

}  // namespace enigma::engine
