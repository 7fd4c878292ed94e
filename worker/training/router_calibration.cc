#include "worker/training/router_calibration.h"

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include <absl/status/status.h>
#include <absl/strings/str_format.h>

#include "base/status_macros.h"
#include "engine/corpus/slot_order.h"
#include "engine/sampling/local_router.h"

namespace enigma::worker {
namespace {

// More tell no more of two numbers, and the export waits for them.
constexpr size_t kTextsMax = 4096;
constexpr uint64_t kOrderSeed = 1;

// A piece holds a whole text: its prompt and, as the last token that is read, its label
// (engine/corpus/router_corpus.h).
absl::Status AddTexts(const engine::SlotBatch& batch, engine::LocalRouter& router, const StopSignal& stop,
                      std::vector<engine::LabelledLogits>& texts) {
  const std::vector<int32_t>& labels = router.spec().label_tokens;
  for (size_t piece = 0; piece + 1 < batch.starts.size() && texts.size() < kTextsMax; ++piece) {
    if (stop.stopped()) return stop.reason();
    const size_t begin = batch.starts[piece];
    const size_t label_at = batch.starts[piece + 1] - 1;
    const auto label = std::find(labels.begin(), labels.end(), batch.tokens[label_at]);
    if (label == labels.end() || label_at == begin) {
      return absl::DataLossError("the token set holds a text that does not end with a label of the router");
    }
    const std::span<const int32_t> prompt(batch.tokens.data() + begin, label_at - begin);
    engine::LabelledLogits text;
    ENIGMA_ASSIGN_OR_RETURN(text.logits, router.LabelLogits(prompt));
    text.label = static_cast<size_t>(label - labels.begin());
    texts.push_back(std::move(text));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<engine::LabelCalibration> CalibrateRouter(const std::string& path, const engine::SlotLoader& slots,
                                                         engine::ThreadPool& pool, const StopSignal& stop,
                                                         uint64_t* texts) {
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<engine::LocalRouter> router, engine::LocalRouter::Open(path, pool));
  std::vector<engine::LabelledLogits> seen;
  // In a drawn order: slots come by the length of their texts.
  const uint32_t count = slots.validation_slots();
  for (uint32_t i = 0; i < count && seen.size() < kTextsMax; ++i) {
    const auto slot = static_cast<uint32_t>(engine::PermutedIndex(i, count, kOrderSeed, 0));
    ENIGMA_RETURN_IF_ERROR(AddTexts(slots.LoadValidation(slot), *router, stop, seen));
  }
  *texts = seen.size();
  return engine::CalibrateLabels(seen);
}

std::string RemarkOn(const engine::LabelCalibration& calibration, uint64_t texts) {
  if (texts == 0) return "no text was held out, so its confidence is not calibrated";
  return absl::StrFormat(
      "%.1f %% of %d held out texts right; temperature %.2f; at the threshold of %.2f it decides %.1f %%, %.1f %% of "
      "them right",
      100 * calibration.accuracy, texts, calibration.temperature, calibration.threshold, 100 * calibration.decided,
      100 * calibration.decided_accuracy);
}

}  // namespace enigma::worker
