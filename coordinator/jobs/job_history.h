#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

namespace enigma::coordinator {

// One step as it is drawn.
struct JobPoint {
  uint64_t step = 0;
  double loss = 0;
  std::optional<double> validation_loss = {};  // of the weights after this step
  double gradient_norm = 0;
  double learning_rate = 0;
  double tokens_per_second = 0;
};

// The course of a job in at most so many points: when they are as many, every second one goes, and from then on every
// second step is left out. Steps with a validation stay longest. Not thread-safe.
class JobHistory {
 public:
  explicit JobHistory(size_t points_max = 2048) : points_max_(points_max < 4 ? 4 : points_max) {}

  // Steps come in rising order. A job that went on from a checkpoint does steps again: what was noted from that step on
  // is forgotten.
  void Add(const JobPoint& point);
  // Of a step that was just done; the point is there afterwards whatever is left out.
  void AddValidation(uint64_t step, double loss);

  const std::vector<JobPoint>& points() const { return points_; }
  // At most `count`, spread over all of them, the last one included.
  std::vector<JobPoint> Sample(size_t count) const;

  // JSON text; DATA_LOSS names the key.
  std::string ToRecord() const;
  static absl::StatusOr<JobHistory> FromRecord(std::string_view key, std::string_view record);

 private:
  void Thin();

  size_t points_max_;
  uint64_t stride_ = 1;  // steps between two points
  std::vector<JobPoint> points_;
};

}  // namespace enigma::coordinator
