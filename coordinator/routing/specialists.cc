#include "coordinator/routing/specialists.h"

#include <algorithm>

#include <absl/strings/str_join.h>

namespace enigma::coordinator {
namespace {

bool Has(const std::vector<std::string>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

template <class Condition>
const Task* FirstWhere(const std::vector<Task>& tasks, Condition condition) {
  const auto found = std::find_if(tasks.begin(), tasks.end(), condition);
  return found == tasks.end() ? nullptr : &*found;
}

}  // namespace

const Task* Specialists::FindTask(std::string_view name) const {
  return FirstWhere(tasks, [&](const Task& task) { return task.name == name; });
}

const Task* Specialists::TaskOfIntent(std::string_view intent) const {
  return FirstWhere(tasks, [&](const Task& task) { return Has(task.intents, intent); });
}

const Task* Specialists::FirstTaskOfModel(std::string_view model) const {
  const Task* const own = FirstWhere(tasks, [&](const Task& task) { return task.model == model; });
  return own != nullptr ? own : FirstWhere(tasks, [&](const Task& task) { return Has(task.fallback, model); });
}

std::string Specialists::TaskNames() const {
  return absl::StrJoin(tasks, ", ", [](std::string* out, const Task& task) { *out += task.name; });
}

}  // namespace enigma::coordinator
