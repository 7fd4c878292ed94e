#pragma once

#include <cstdint>

#include "coordinator/state/model.h"

namespace enigma::coordinator {

// What the rows of a request's pictures may have, in all of its choices together. Those of one travel in one message
// (rpc/server.h).
inline constexpr uint64_t kRowBytesMost = uint64_t{64} << 20;

// Of so many rows beside the tokens of the model.
inline uint64_t RowBytes(const Model& model, uint64_t rows) { return rows * model.hidden * sizeof(float); }

}  // namespace enigma::coordinator
