#include "worker/training/rank_registry.h"

#include <set>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "telemetry/log.h"

namespace enigma::worker {
namespace {

bool IsGone(const RankRunner& rank) { return rank.phase() == RankPhase::kEnded; }

}  // namespace

RankRegistry::RankRegistry(Options options, const Clock& clock)
    : options_(std::move(options)), clock_(clock), watch_([this] { Watch(); }) {}

RankRegistry::~RankRegistry() {
  Close(absl::CancelledError("the worker stops"));
  watch_.join();
}

absl::StatusOr<std::shared_ptr<RankRunner>> RankRegistry::Prepare(const v1::PrepareRank& order) {
  absl::MutexLock one_at_a_time(&preparing_);
  if (const auto found = Find(order.job()); found.ok()) {
    const bool spent = (*found)->phase() == RankPhase::kFailed && (*found)->reporter().FailureDelivered();
    if (!spent && !IsGone(**found)) {
      (*found)->Renew(order);
      return *found;
    }
    Drop(*found);
  }
  return MakeRank(order);
}

absl::StatusOr<std::shared_ptr<RankRunner>> RankRegistry::MakeRank(const v1::PrepareRank& order) {
  ENIGMA_ASSIGN_OR_RETURN(engine::TrainingConfig config, engine::TrainingConfigFromJson(order.config_json()));
  ENIGMA_RETURN_IF_ERROR(engine::CheckTrainingConfig(config));
  const uint64_t needed = options_.tools.memory_bytes(config);
  const uint64_t free = options_.free_bytes();
  if (needed > free) {
    return absl::ResourceExhaustedError(absl::StrCat("a rank of ", order.name(), " needs ", needed, " bytes, node ",
                                                     options_.node_id, " has ", free, " free: ", needed - free,
                                                     " too few"));
  }
  CleanUp(order.job());  // what ranks left that ended while their coordinator was away
  auto rank = std::make_shared<RankRunner>(RankRunner::Options{.order = order,
                                                               .config = std::move(config),
                                                               .memory_bytes = needed,
                                                               .node_id = options_.node_id,
                                                               .threads = options_.threads},
                                           options_.tools, clock_);
  absl::MutexLock lock(&mutex_);
  if (closed_) return absl::UnavailableError("the worker stops");
  ranks_[order.job()] = rank;
  return rank;
}

absl::StatusOr<std::shared_ptr<RankRunner>> RankRegistry::Find(uint64_t job) const {
  absl::MutexLock lock(&mutex_);
  const auto found = ranks_.find(job);
  if (found == ranks_.end()) return absl::NotFoundError(absl::StrCat("job ", job, " has no rank here"));
  return found->second;
}

void RankRegistry::Drop(const std::shared_ptr<RankRunner>& rank) {
  rank->End(absl::CancelledError("the rank goes"));
  rank->AwaitEnd();
  {
    absl::MutexLock lock(&mutex_);
    const auto found = ranks_.find(rank->job());
    if (found == ranks_.end() || found->second != rank) return;
    ranks_.erase(found);
  }
  if (rank->finished()) CleanUp(std::nullopt);
}

void RankRegistry::Close(const absl::Status& reason) {
  std::map<uint64_t, std::shared_ptr<RankRunner>> ending;
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    ending.swap(ranks_);
  }
  for (const auto& [job, rank] : ending) rank->End(reason);
  for (const auto& [job, rank] : ending) rank->AwaitEnd();
}

size_t RankRegistry::size() const {
  absl::MutexLock lock(&mutex_);
  return ranks_.size();
}

RankRegistry::Memory RankRegistry::memory() const {
  absl::MutexLock lock(&mutex_);
  Memory memory;
  for (const auto& [job, rank] : ranks_) {
    const RankPhase phase = rank->phase();
    if (phase == RankPhase::kFailed || phase == RankPhase::kEnded) continue;
    memory.given_bytes += rank->memory_bytes();
    if (phase == RankPhase::kPreparing) memory.pending_bytes += rank->memory_bytes();
  }
  return memory;
}

void RankRegistry::Watch() {
  absl::MutexLock lock(&mutex_);
  while (!closed_) {
    mutex_.AwaitWithTimeout(absl::Condition(&closed_), options_.look_every);
    mutex_.Unlock();
    Look();
    mutex_.Lock();
  }
}

void RankRegistry::Look() {
  std::vector<std::shared_ptr<RankRunner>> gone;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [job, rank] : ranks_) {
      if (IsGone(*rank)) {
        gone.push_back(rank);
      } else if (rank->Orphaned()) {
        rank->End(absl::DeadlineExceededError("the coordinator has been away for longer than the job allows"));
      }
    }
  }
  for (const std::shared_ptr<RankRunner>& rank : gone) Drop(rank);
}

void RankRegistry::CleanUp(std::optional<uint64_t> coming) {
  std::set<uint64_t> here;
  if (coming) here.insert(*coming);
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [job, rank] : ranks_) here.insert(job);
  }
  options_.tools.clean_up(here);
}

}  // namespace enigma::worker
