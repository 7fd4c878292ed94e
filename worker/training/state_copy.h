#pragma once

#include "engine/training/parameters.h"

namespace enigma::worker {

// Makes `to` equal to `from`; keeps the memory that `to` has where that is of the right size.
void CopyState(const engine::TrainingState& from, engine::TrainingState& to);

}  // namespace enigma::worker
