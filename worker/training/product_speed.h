#pragma once

#include "engine/tensor/thread_pool.h"

namespace enigma::worker {

// Operations per second of the f32 products that training consists of, on this pool. Takes about a tenth of a second.
double MeasureProducts(engine::ThreadPool& pool);

}  // namespace enigma::worker
