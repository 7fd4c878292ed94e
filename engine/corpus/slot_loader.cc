#include "engine/corpus/slot_loader.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/text/given_row.h"

namespace enigma::engine {
namespace {

constexpr uint32_t kContextMax = 1u << 24;  // packing keeps a list for every length

absl::Status CheckPictures(const TokenSet& set, const SlotLoader::Options& options, const PictureSet& pictures) {
  if (pictures.pictures() != set.documents()) {
    return absl::InvalidArgumentError(absl::StrCat("there are ", pictures.pictures(), " pictures for ", set.documents(),
                                                   " texts; each text belongs to one"));
  }
  for (uint64_t document = 0; document < set.documents(); ++document) {
    const uint64_t begin = set.begin(document), size = set.size(document);
    uint64_t rows = 0;
    for (uint64_t i = 0; i < size; ++i) {
      if (static_cast<uint32_t>(set.Token(begin + i)) != options.picture_token) continue;
      ++rows;
      if (set.IsTrained(begin + i) || i + 1 == size) {
        return absl::InvalidArgumentError(
            absl::StrCat("text ", document, " is to teach a picture's place; it can only be read"));
      }
    }
    if (rows != options.picture_rows || size > uint64_t{options.context} + 1) {
      return absl::InvalidArgumentError(absl::StrCat("text ", document, " has ", size, " tokens, ", rows,
                                                     " of them a picture's; those must be ", options.picture_rows,
                                                     ", and all but the last fit a context of ", options.context));
    }
  }
  return absl::OkStatus();
}

}  // namespace

SlotLoader::Options SlotOptionsOf(const TrainingConfig& config) {
  SlotLoader::Options options = {.context = config.context,
                                 .sequences_per_step = config.sequences_per_step,
                                 .slots = config.slots,
                                 .seed = config.seed};
  if (config.pictures.used()) {
    options.picture_rows = config.pictures.encoder.prefix();
    options.picture_token = config.pictures.token;
  }
  return options;
}

absl::StatusOr<SlotLoader> SlotLoader::Create(std::shared_ptr<const TokenSet> set, const Options& options,
                                              std::shared_ptr<const PictureSet> pictures) {
  if (options.context == 0 || options.context > kContextMax || options.slots == 0) {
    return absl::InvalidArgumentError(absl::StrCat("context must be from 1 to ", kContextMax,
                                                   ", slots at least 1, not ", options.context, " and ",
                                                   options.slots));
  }
  if (options.sequences_per_step < options.slots) {
    return absl::InvalidArgumentError(absl::StrCat("a step of ", options.sequences_per_step,
                                                   " sequences cannot be cut into ", options.slots,
                                                   " slots: take more sequences per step, or fewer slots"));
  }
  const uint64_t largest = options.sequences_per_step / options.slots + 1;
  if (largest * options.context > std::numeric_limits<uint32_t>::max()) {
    return absl::InvalidArgumentError("a slot would hold more than 2^32 tokens: take more slots, or a shorter context");
  }
  if (pictures != nullptr) ENIGMA_RETURN_IF_ERROR(CheckPictures(*set, options, *pictures));
  Packing training = PackDocuments(*set, TokenSet::Part::kTraining, options.context, options.seed);
  if (training.sequences.empty()) {
    return absl::InvalidArgumentError("the token set has nothing to train on: add documents with text to learn");
  }
  Packing validation = PackDocuments(*set, TokenSet::Part::kValidation, options.context, options.seed);
  return SlotLoader(std::move(set), std::move(pictures), options, std::move(training), std::move(validation));
}

SlotLoader::SlotLoader(std::shared_ptr<const TokenSet> set, std::shared_ptr<const PictureSet> pictures,
                       const Options& options, Packing training, Packing validation)
    : set_(std::move(set)),
      pictures_(std::move(pictures)),
      options_(options),
      training_(std::move(training)),
      validation_(std::move(validation)),
      order_(training_.sequences.size(), options.sequences_per_step, options.slots, options.seed) {}

void SlotLoader::Append(const Packing& packing, const Sequence& sequence, SlotBatch& batch) const {
  for (uint32_t p = 0; p < sequence.pieces; ++p) {
    const Piece& piece = packing.pieces[sequence.first_piece + p];
    const uint64_t first = set_->begin(piece.document) + piece.begin;
    if (pictures_ != nullptr) batch.pictures.push_back(piece.document);
    for (uint32_t i = 0; i < piece.count; ++i) {
      const TokenId token = set_->Token(first + i);
      const bool is_given = pictures_ != nullptr && static_cast<uint32_t>(token) == options_.picture_token;
      batch.tokens.push_back(is_given ? kGivenRow : token);
      batch.targets.push_back(set_->IsTrained(first + i + 1) ? set_->Token(first + i + 1) : -1);
      batch.positions.push_back(i);
    }
    batch.starts.push_back(static_cast<uint32_t>(batch.tokens.size()));
  }
  batch.trained += sequence.trained;
}

SlotBatch SlotLoader::Load(uint64_t step, uint32_t slot) const {
  SlotBatch batch;
  batch.starts.push_back(0);
  for (uint32_t place = 0; place < order_.Size(slot); ++place) {
    Append(training_, training_.sequences[order_.At(step, slot, place)], batch);
  }
  return batch;
}

uint32_t SlotLoader::validation_slots() const {
  const uint64_t size = order_.Size(0);
  return static_cast<uint32_t>((validation_.sequences.size() + size - 1) / size);
}

SlotBatch SlotLoader::LoadValidation(uint32_t index) const {
  SlotBatch batch;
  batch.starts.push_back(0);
  const uint64_t begin = uint64_t{index} * order_.Size(0);
  const uint64_t end = std::min<uint64_t>(begin + order_.Size(0), validation_.sequences.size());
  for (uint64_t i = begin; i < end; ++i) Append(validation_, validation_.sequences[i], batch);
  return batch;
}

}  // namespace enigma::engine
