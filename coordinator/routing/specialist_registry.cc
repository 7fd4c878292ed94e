#include "coordinator/routing/specialist_registry.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"

namespace enigma::coordinator {
namespace {

constexpr size_t kPredecessorsMax = 4;

}  // namespace

absl::StatusOr<RoutingTablePtr> ReadRoutingTable(std::string_view yaml, std::string_view file,
                                                 const KnownModels& known) {
  ENIGMA_ASSIGN_OR_RETURN(Specialists specialists, ReadSpecialists(yaml, file, known));
  return MakeRoutingTable(std::move(specialists));
}

absl::StatusOr<RoutingTablePtr> MakeRoutingTable(Specialists specialists) {
  ENIGMA_ASSIGN_OR_RETURN(KeywordRules keywords, KeywordRules::Create(specialists.tasks));
  return std::make_shared<const RoutingTable>(RoutingTable{std::move(specialists), std::move(keywords)});
}

RoutingTablePtr SpecialistRegistry::table() const {
  absl::MutexLock lock(&mutex_);
  return table_;
}

std::string SpecialistRegistry::text() const {
  absl::MutexLock lock(&mutex_);
  return text_;
}

absl::Status SpecialistRegistry::fault() const {
  absl::MutexLock lock(&mutex_);
  return fault_;
}

std::vector<std::string> SpecialistRegistry::PredecessorsOf(const std::string& model) const {
  absl::MutexLock lock(&mutex_);
  const auto found = predecessors_.find(model);
  return found == predecessors_.end() ? std::vector<std::string>() : found->second;
}

SpecialistRegistry::Predecessors SpecialistRegistry::After(const Specialists& next) const {
  Predecessors after;
  const auto succeed = [&](const std::string& model, const std::string& before) {
    if (model.empty() || before.empty()) return;
    std::vector<std::string>& list = after[model];
    list.push_back(before);
    if (const auto earlier = predecessors_.find(before); earlier != predecessors_.end()) {
      list.insert(list.end(), earlier->second.begin(), earlier->second.end());
    }
    std::erase(list, model);
    if (list.size() > kPredecessorsMax) list.resize(kPredecessorsMax);
  };
  const Specialists& last = table_->specialists;
  succeed(next.router, last.router);
  for (const Task& task : next.tasks) {
    if (const Task* before = last.FindTask(task.name); before != nullptr) succeed(task.model, before->model);
  }
  return after;
}

void SpecialistRegistry::Put(RoutingTablePtr table, std::string text) {
  absl::MutexLock lock(&mutex_);
  if (table_ != nullptr && table != nullptr) predecessors_ = After(table->specialists);
  table_ = std::move(table);
  text_ = std::move(text);
  fault_ = absl::OkStatus();
}

void SpecialistRegistry::Reject(absl::Status why) {
  absl::MutexLock lock(&mutex_);
  fault_ = std::move(why);
}

}  // namespace enigma::coordinator
