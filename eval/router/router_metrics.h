#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace enigma::eval {

// A router's answer to a text whose label is known. Labels are indices into the router's.
struct RouterAnswer {
  std::optional<size_t> truth;  // nothing: the text is out of scope, none of the router's labels is right
  size_t predicted = 0;
  double confidence = 0;
  double truth_probability = 0;  // that it gave the right label; 0 where there is none
};

struct LabelQuality {
  uint64_t texts = 0;  // that have this label
  double precision = 0;
  double recall = 0;
  double f1 = 0;  // each 0 where it is not defined
};

struct ThresholdPoint {
  double threshold = 0;
  double coverage = 0;      // share of the texts in scope that are decided
  double accuracy = 0;      // among these; 0 where there are none
  double oos_coverage = 0;  // share of the texts out of scope that are decided, all of them wrongly; 0 where none are
};

// One kind of mistake: texts of one set of labels that were given one of another set.
struct SetMistakes {
  uint64_t mistakes = 0;
  uint64_t decided = 0;  // of the mistakes: those that the router was sure enough of to act on
  uint64_t texts = 0;    // of the first set
};

// How good a router is. Everything but oos_* is of the texts in scope.
struct RouterMetrics {
  uint64_t texts = 0;
  uint64_t oos_texts = 0;
  double accuracy = 0;
  double nll = 0;  // mean over the right labels, in nats
  double ece = 0;  // expected calibration error, 15 bins of equal width (Naeini et al., 2015)
  // How well 1 - confidence tells texts out of scope from those in scope (area under the ROC curve, ties count half);
  // nothing where one of the two is missing.
  std::optional<double> oos_auroc;
  std::vector<LabelQuality> labels;
  std::vector<std::vector<uint64_t>> confusion;  // [truth][predicted]; a last row for texts out of scope
  std::vector<ThresholdPoint> thresholds;        // 0, 0.05, ..., 0.95
};

RouterMetrics MeasureRouter(const std::vector<RouterAnswer>& answers, size_t labels);

// At one threshold.
ThresholdPoint MeasureThreshold(const std::vector<RouterAnswer>& answers, double threshold);

// Texts whose label is in `from` and that were given one in `to`; both are sets of indices of labels. Below `threshold`
// the router abstains.
SetMistakes CountSetMistakes(const std::vector<RouterAnswer>& answers, const std::vector<size_t>& from,
                             const std::vector<size_t>& to, double threshold);

}  // namespace enigma::eval
