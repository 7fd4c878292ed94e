#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "coordinator/routing/specialists.h"

namespace enigma::coordinator {
namespace {

// Makes do with the fallbacks; false when no model of the task is there.
bool MakeDo(Task& task, const KnownModels& known, std::vector<std::string>& told) {
  std::erase_if(task.fallback, [&](const std::string& model) { return !known.find(model).ok(); });
  if (known.find(task.model).ok()) return true;
  const std::string missing = task.model;
  if (task.fallback.empty()) {
    told.push_back(absl::StrCat("task '", task.name, "' is left out: there is no model '", missing, "'"));
    return false;
  }
  task.model = task.fallback.front();
  task.fallback.erase(task.fallback.begin());
  told.push_back(absl::StrCat("'", task.model, "' does task '", task.name, "': there is no model '", missing, "'"));
  return true;
}

}  // namespace

absl::StatusOr<Specialists> WithoutMissing(Specialists specialists, const KnownModels& known,
                                           std::vector<std::string>& told) {
  const std::string default_task = specialists.DefaultTask().name;
  std::erase_if(specialists.tasks, [&](Task& task) { return !MakeDo(task, known, told); });
  if (specialists.tasks.empty()) return absl::NotFoundError("none of the models of its tasks is there");
  const Task* const still = specialists.FindTask(default_task);
  specialists.default_task = still == nullptr ? 0 : static_cast<size_t>(still - specialists.tasks.data());
  if (still == nullptr) {
    told.push_back(absl::StrCat("the default is '", specialists.DefaultTask().name, "', not '", default_task, "'"));
  }
  if (specialists.router.empty()) return specialists;
  if (const auto labels = known.labels(specialists.router); !labels.ok()) {
    told.push_back(absl::StrCat("without the router '", specialists.router, "': ", labels.status().message()));
    specialists.router.clear();
    specialists.router_nodes.clear();
  }
  return specialists;
}

}  // namespace enigma::coordinator
