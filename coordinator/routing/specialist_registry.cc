#include "coordinator/routing/specialist_registry.h"

#include <utility>

#include "base/status_macros.h"

namespace enigma::coordinator {

absl::StatusOr<RoutingTablePtr> ReadRoutingTable(std::string_view yaml, std::string_view file,
                                                 const KnownModels& known) {
  ENIGMA_ASSIGN_OR_RETURN(Specialists specialists, ReadSpecialists(yaml, file, known));
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

void SpecialistRegistry::Put(RoutingTablePtr table, std::string text) {
  absl::MutexLock lock(&mutex_);
  table_ = std::move(table);
  text_ = std::move(text);
  fault_ = absl::OkStatus();
}

void SpecialistRegistry::Reject(absl::Status why) {
  absl::MutexLock lock(&mutex_);
  fault_ = std::move(why);
}

}  // namespace enigma::coordinator
