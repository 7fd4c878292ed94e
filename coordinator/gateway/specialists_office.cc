#include "coordinator/gateway/specialists_office.h"

namespace enigma::coordinator {

enigma::v1::SpecialistsReply SpecialistsOffice::Describe() const {
  enigma::v1::SpecialistsReply reply;
  const RoutingTablePtr table = registry_.table();
  reply.set_in_force(table != nullptr);
  reply.set_fault(std::string(registry_.fault().message()));
  reply.set_file(path_);
  if (table == nullptr) return reply;
  const Specialists& specialists = table->specialists;
  reply.set_default_task(specialists.DefaultTask().name);
  reply.set_router(specialists.router);
  reply.set_router_ready(!specialists.router.empty() && plane_.replicas.Serves(specialists.router));
  for (const Task& task : specialists.tasks) {
    enigma::v1::SpecialistTask& described = *reply.add_tasks();
    described.set_name(task.name);
    described.set_model(task.model);
    described.set_ready(plane_.replicas.Serves(task.model));
    described.mutable_intents()->Assign(task.intents.begin(), task.intents.end());
    described.set_keywords(static_cast<uint32_t>(task.keywords.size()));
    described.mutable_nodes()->Assign(task.nodes.begin(), task.nodes.end());
    described.mutable_fallback()->Assign(task.fallback.begin(), task.fallback.end());
  }
  reply.set_text(registry_.text());
  return reply;
}

absl::Status SpecialistsOffice::Replace(std::string_view yaml) {
  const absl::Status stored = StoreSpecialists(plane_, registry_, yaml, path_);
  return absl::IsNotFound(stored) ? absl::InvalidArgumentError(stored.message()) : stored;
}

}  // namespace enigma::coordinator
