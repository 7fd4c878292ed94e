#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

namespace enigma::coordinator {

// What a specialist is for, and which model answers for it.
struct Task {
  std::string name = {};
  std::string model = {};
  std::vector<std::string> intents = {};   // labels of the router that mean this task
  std::vector<std::string> keywords = {};  // words and phrases that do, where no router decides
  std::vector<std::string> nodes = {};     // where it may be: ids, their beginnings or host names; empty: anywhere
  std::vector<std::string> fallback = {};  // models that are tried in its place, in this order
};

// The specialists behind the model "auto", as specialists.yaml names them (docs/routing.md).
struct Specialists {
  static constexpr size_t kTasksMax = 64;
  static constexpr size_t kKeywordsMax = 2000;  // of one task
  static constexpr size_t kBytesMax = size_t{1} << 20;

  std::vector<Task> tasks;  // in the order of the file; at least one
  size_t default_task = 0;  // that answers where nothing decides
  std::string router;       // a model; empty: none
  std::vector<std::string> router_nodes;
  std::optional<double> threshold;  // of confidence, in place of the router's own

  const Task& DefaultTask() const { return tasks[default_task]; }
  const Task* FindTask(std::string_view name) const;           // null: there is none
  const Task* TaskOfIntent(std::string_view intent) const;     // likewise
  const Task* FirstTaskOfModel(std::string_view model) const;  // likewise; also where it is a fallback
  std::string TaskNames() const;                               // "code, math, chat"
};

// What is known of the models that a registry may name. Null: nothing is checked.
struct KnownModels {
  // OK for a model that there is; NOT_FOUND names those there are.
  std::function<absl::Status(const std::string& model)> find;
  // What a router tells apart; an error for a model that is no router.
  std::function<absl::StatusOr<std::vector<std::string>>(const std::string& model)> labels;
};

// Reads a registry in YAML, of which JSON is a part. INVALID_ARGUMENT, "FILE:LINE: KEY: what is wrong and what to do",
// for the first thing that is wrong; models are looked up last, so that NOT_FOUND, in the same form, means that a model
// is all that is missing. `file` is the name in messages.
absl::StatusOr<Specialists> ReadSpecialists(std::string_view yaml, std::string_view file, const KnownModels& known);

// The registry without the models that there are not, and without a router that is none. A task whose model is missing
// goes to the first of its fallbacks that is there, or is left out; where that is the default, the first task that
// stays takes its place. `told` gets a sentence for each change. NOT_FOUND when no task is left.
absl::StatusOr<Specialists> WithoutMissing(Specialists specialists, const KnownModels& known,
                                           std::vector<std::string>& told);

}  // namespace enigma::coordinator
