#pragma once

namespace enigma::engine {

// Prints the speed of training's operators other than products and attention: the bytes that each has to read and write
// over the time it takes. `seconds` of each.
void BenchTrainingKernels(double seconds, int threads);

}  // namespace enigma::engine
