#pragma once

#include "engine/spec/product_precision.h"
#include "engine/tensor/thread_pool.h"

namespace enigma::worker {

// Operations per second of the products that training consists of, on this pool. Takes about a tenth of a second.
double MeasureProducts(engine::ProductPrecision precision, engine::ThreadPool& pool);

}  // namespace enigma::worker
