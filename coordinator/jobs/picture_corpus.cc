#include "coordinator/jobs/picture_corpus.h"

#include <algorithm>
#include <thread>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/checkpoint/durable_file.h"
#include "engine/image/decode_image.h"
#include "engine/text/tokenizer_trainer.h"

namespace enigma::coordinator {
namespace {

constexpr char kPictureTokenText[] = "<|image|>";
constexpr char kFirstSpareText[] = "<|spare_0|>";
constexpr uint32_t kSpareTokens = 16;
// Each may hold a large picture in memory while it decodes it.
constexpr unsigned kDecodingThreadsMax = 4;
constexpr uint64_t kSquaresBytesMax = uint64_t{2} << 30;

double ShareOf(uint64_t done, uint64_t total) {
  return total == 0 ? 1 : static_cast<double>(done) / static_cast<double>(total);
}

}  // namespace

absl::StatusOr<PictureCorpus> ReadPictureCorpus(const std::vector<engine::CorpusFile>& files,
                                                const UploadedPictures* uploaded) {
  if (files.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("data: pictures come with one file of captions, captions.jsonl, not ", files.size()));
  }
  PictureCorpus corpus;
  corpus.file = files.front();
  ENIGMA_ASSIGN_OR_RETURN(corpus.pictures, engine::ReadCaptions(corpus.file));
  for (const engine::CaptionedPicture& picture : corpus.pictures) {
    if (uploaded != nullptr && uploaded->Has(picture.image)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(corpus.file.name, ", line ", picture.line, ": ", picture.image, " was not sent with it"));
  }
  return corpus;
}

absl::Status CheckRoomForPictures(const PictureCorpus& corpus, uint32_t image_size, const PictureDisk& disk) {
  const uint64_t bytes = uint64_t{3} * image_size * image_size * corpus.pictures.size();
  const std::string what = absl::StrCat(corpus.file.name, ": ", corpus.pictures.size(), " pictures of ", image_size,
                                        " x ", image_size, " pixels take ", bytes >> 20, " MiB, and ");
  if (bytes > kSquaresBytesMax) {
    return absl::ResourceExhaustedError(absl::StrCat(what, "at most ", kSquaresBytesMax >> 20,
                                                     " MiB are spent on them: train on a part of them, or on smaller "
                                                     "ones"));
  }
  ENIGMA_ASSIGN_OR_RETURN(const uint64_t free, engine::FreeDiskBytes(disk.folder));
  if (free >= disk.left_min && free - disk.left_min >= bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(what, "the coordinator's disk has ", free >> 20,
                                                   " MiB left, of which it keeps ", disk.left_min >> 20,
                                                   " MiB; remove old jobs (`enigma jobs rm`) or models"));
}

absl::Status TrainCaptionVocabulary(const PictureCorpus& corpus, const TokenizerOrder& order, const std::string& path,
                                    const std::function<bool(double share)>& go_on) {
  engine::TokenizerTrainerOptions options;
  options.kind = order.kind;
  options.vocab_size = order.vocabulary;
  if (order.kind == engine::TokenizerKind::kCharacter) options.words = 0;
  options.special_tokens = engine::SpecialTokens::Standard({kPictureTokenText}, kSpareTokens);
  options.progress = [&](uint64_t made, uint64_t wanted) { go_on(ShareOf(made, wanted)); };
  auto trainer = engine::TokenizerTrainer::Create(std::move(options));
  if (!trainer.ok()) return absl::InvalidArgumentError(absl::StrCat("vocab_size: ", trainer.status().message()));
  for (const engine::CaptionedPicture& picture : corpus.pictures) (*trainer)->Add(picture.caption);
  if (!go_on(0)) return absl::CancelledError("the caller went away");
  ENIGMA_ASSIGN_OR_RETURN(const engine::TokenizerFile file, (*trainer)->Train());
  ENIGMA_ASSIGN_OR_RETURN(const engine::GgufMetadata metadata, engine::VocabularyMetadata(file, order.name));
  return WriteVocabulary(metadata, path);
}

absl::StatusOr<engine::TokenId> PictureToken(const engine::Tokenizer& tokenizer) {
  for (const char* text : {kPictureTokenText, kFirstSpareText}) {
    if (const auto token = FindSpecialToken(tokenizer, text)) return *token;
  }
  return absl::InvalidArgumentError(absl::StrCat("tokenizer: it has no token for the places of pictures, ",
                                                 kPictureTokenText, " or ", kFirstSpareText,
                                                 "; leave it out, and one is trained that has"));
}

absl::StatusOr<engine::PreparedCaptions> PreparePictureCorpus(
    const PictureCorpus& corpus, const UploadedPictures& uploaded, const engine::Tokenizer& tokenizer,
    const engine::TrainingConfig& config, double validation_share, const std::function<bool(double share)>& go_on) {
  const engine::VisionSpec& encoder = config.pictures.encoder;
  engine::CaptionOptions options;
  options.side = encoder.image_size;
  options.picture_rows = encoder.prefix();
  ENIGMA_ASSIGN_OR_RETURN(options.picture_token, PictureToken(tokenizer));
  options.validation_share = validation_share;
  options.tokens_max = uint64_t{config.context} + 1;  // the last one is only learned
  options.file = corpus.file.name;
  options.threads = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, kDecodingThreadsMax));
  options.progress = [&go_on](uint64_t done, uint64_t total) { return go_on(ShareOf(done, total)); };
  const auto load = [&uploaded](const std::string& image) -> absl::StatusOr<engine::Image> {
    ENIGMA_ASSIGN_OR_RETURN(const std::string_view file, uploaded.Bytes(image));
    return engine::DecodeImage({reinterpret_cast<const uint8_t*>(file.data()), file.size()});
  };
  ENIGMA_ASSIGN_OR_RETURN(engine::PreparedCaptions prepared,
                          engine::PrepareCaptions(corpus.pictures, load, tokenizer, options));
  engine::ReaderCounts counts;
  counts.format = engine::CorpusFormat::kJsonLines;
  counts.documents = counts.lines = corpus.pictures.size();
  prepared.report.files.push_back({corpus.file.name, corpus.file.bytes.size(), counts});
  return prepared;
}

}  // namespace enigma::coordinator
