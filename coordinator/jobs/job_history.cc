#include "coordinator/jobs/job_history.h"

#include <algorithm>
#include <cmath>

#include "base/status_macros.h"
#include "coordinator/state/record_json.h"

namespace enigma::coordinator {
namespace {

// JSON has neither infinities nor what is no number.
double Storable(double value) { return std::isfinite(value) ? value : 0; }

}  // namespace

void JobHistory::Add(const JobPoint& point) {
  while (!points_.empty() && points_.back().step >= point.step) points_.pop_back();
  // The newest step is always there: it takes the place of one that is not far enough from the one before.
  if (points_.size() >= 2) {
    const JobPoint& last = points_.back();
    const bool stays = last.validation_loss || last.step - points_[points_.size() - 2].step >= stride_;
    if (!stays) points_.pop_back();
  }
  points_.push_back(point);
  if (points_.size() > points_max_) Thin();
}

void JobHistory::AddValidation(uint64_t step, double loss) {
  auto at = std::lower_bound(points_.begin(), points_.end(), step,
                             [](const JobPoint& point, uint64_t wanted) { return point.step < wanted; });
  if (at == points_.end() || at->step != step) {
    JobPoint point = at != points_.begin() ? *(at - 1) : JobPoint();
    point.step = step;
    at = points_.insert(at, point);
  }
  at->validation_loss = loss;
  if (points_.size() > points_max_) Thin();
}

void JobHistory::Thin() {
  // Points without validations go first; where most have one, every second of them.
  const auto with = static_cast<size_t>(
      std::count_if(points_.begin(), points_.end(), [](const JobPoint& p) { return p.validation_loss.has_value(); }));
  const bool spare_validations = with <= points_max_ / 2;
  std::vector<JobPoint> kept;
  for (size_t i = 0; i < points_.size(); ++i) {
    const bool last = i + 1 == points_.size();
    if (i % 2 == 0 || last || (spare_validations && points_[i].validation_loss)) kept.push_back(points_[i]);
  }
  points_ = std::move(kept);
  stride_ *= 2;
}

std::vector<JobPoint> JobHistory::Sample(size_t count) const {
  if (count >= points_.size()) return points_;
  std::vector<JobPoint> sample;
  for (size_t i = 1; i <= count; ++i) sample.push_back(points_[i * points_.size() / count - 1]);
  return sample;
}

std::string JobHistory::ToRecord() const {
  nlohmann::json rows = nlohmann::json::array();
  for (const JobPoint& p : points_) {
    nlohmann::json row = {p.step, Storable(p.loss), Storable(p.gradient_norm), Storable(p.learning_rate),
                          Storable(p.tokens_per_second)};
    if (p.validation_loss) row.push_back(Storable(*p.validation_loss));
    rows.push_back(std::move(row));
  }
  return nlohmann::json{{"stride", stride_}, {"points", std::move(rows)}}.dump();
}

absl::StatusOr<JobHistory> JobHistory::FromRecord(std::string_view key, std::string_view record) {
  ENIGMA_ASSIGN_OR_RETURN(const nlohmann::json json, JsonFromRecord(key, record));
  JobHistory history;
  try {
    json.at("stride").get_to(history.stride_);
    for (const nlohmann::json& row : json.at("points")) {
      JobPoint point;
      row.at(0).get_to(point.step);
      row.at(1).get_to(point.loss);
      row.at(2).get_to(point.gradient_norm);
      row.at(3).get_to(point.learning_rate);
      row.at(4).get_to(point.tokens_per_second);
      if (row.size() > 5) point.validation_loss = row.at(5).get<double>();
      history.points_.push_back(point);
    }
  } catch (const nlohmann::json::exception& error) {
    return CorruptRecord(key, error.what());
  }
  return history;
}

}  // namespace enigma::coordinator
