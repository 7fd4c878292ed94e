#pragma once

#include <cstddef>
#include <vector>

namespace enigma::engine {

// A text whose label is known, as the router saw it.
struct LabelledLogits {
  std::vector<float> logits;  // of the labels, in their order
  size_t label = 0;           // the right one
};

// What makes a router's confidence mean what it says, found on texts that it was not trained on.
struct LabelCalibration {
  double temperature = 1;
  double threshold = 0;
  double nll_before = 0;        // mean negative log-likelihood of the right labels, in nats, at temperature 1
  double nll = 0;               // at `temperature`
  double accuracy = 0;          // of the best label, whatever its confidence
  double decided = 0;           // share of the texts at or above the threshold
  double decided_accuracy = 0;  // among these; 0 where there are none
};

// The temperature with the smallest negative log-likelihood (Guo et al., "On Calibration of Modern Neural Networks",
// 2017), between 1/20 and 20, of targets smoothed by the number of texts (Platt, 1999), so that answers that are all
// right do not make the router sure of everything; and the threshold with the largest gain, where a right answer counts
// 1, a wrong one 0 and an abstention one half: what answers then may be right as well. Thresholds are multiples of 1/20
// below 1; of equally good ones the nearest to one half is taken, which is the right one for a confidence that means
// what it says. The same bits on every machine. Of no texts: temperature 1, threshold one half.
LabelCalibration CalibrateLabels(const std::vector<LabelledLogits>& texts);

}  // namespace enigma::engine
