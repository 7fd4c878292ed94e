#pragma once

#include <cstdint>
#include <string>

#include <absl/status/statusor.h>

#include "engine/corpus/slot_loader.h"
#include "engine/sampling/label_calibration.h"
#include "engine/tensor/thread_pool.h"
#include "worker/training/stop_signal.h"

namespace enigma::worker {

// Lets the exported file of a router classify the texts that are kept for validation, and finds temperature and
// threshold for them; `texts` gets their number. Where nothing is kept, the calibration is that of no texts.
absl::StatusOr<engine::LabelCalibration> CalibrateRouter(const std::string& path, const engine::SlotLoader& slots,
                                                         engine::ThreadPool& pool, const StopSignal& stop,
                                                         uint64_t* texts);

// "97.1 % of 640 held out texts right; ...", for people.
std::string RemarkOn(const engine::LabelCalibration& calibration, uint64_t texts);

}  // namespace enigma::worker
