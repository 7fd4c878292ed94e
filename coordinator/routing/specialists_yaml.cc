#include <algorithm>
#include <exception>
#include <initializer_list>
#include <map>
#include <set>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <yaml-cpp/yaml.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/routing/specialists.h"

namespace enigma::coordinator {
namespace {

constexpr size_t kNameBytesMost = 64;
constexpr size_t kTextBytesMost = 256;
constexpr size_t kListMost = 64;  // intents, nodes, fallbacks

// Reads one registry. yaml-cpp throws; ReadSpecialists catches.
class SpecialistsReader {
 public:
  SpecialistsReader(std::string_view file, const KnownModels& known) : file_(file), known_(known) {}

  absl::StatusOr<Specialists> Read(const YAML::Node& root) {
    if (!root.IsMap()) {
      return Wrong(root, "", "the registry is a map with the keys default, threshold, router and tasks");
    }
    ENIGMA_RETURN_IF_ERROR(CheckKeys(root, "", {"default", "threshold", "router", "tasks"}));
    ENIGMA_RETURN_IF_ERROR(ReadTasks(root));
    ENIGMA_RETURN_IF_ERROR(ReadDefault(root["default"]));
    ENIGMA_RETURN_IF_ERROR(ReadThreshold(root["threshold"]));
    ENIGMA_RETURN_IF_ERROR(ReadRouter(root["router"]));
    for (const auto& [model, place] : models_) {
      const absl::Status found = known_.find ? known_.find(model) : absl::OkStatus();
      if (!found.ok()) {
        return absl::Status(found.code(), absl::StrCat(place, ": ", found.message(),
                                                       "; `enigma models import` it, or name another model"));
      }
    }
    ENIGMA_RETURN_IF_ERROR(CheckIntents());
    return std::move(read_);
  }

 private:
  std::string Place(const YAML::Node& at, const std::string& key) const {
    return absl::StrCat(file_, ":", at.Mark().line + 1, ": ", key.empty() ? "specialists" : key);
  }

  template <class... Parts>
  absl::Status Wrong(const YAML::Node& at, const std::string& key, const Parts&... what) const {
    return absl::InvalidArgumentError(absl::StrCat(Place(at, key), ": ", what...));
  }

  absl::Status CheckKeys(const YAML::Node& map, const std::string& path,
                         std::initializer_list<std::string_view> allowed) const {
    std::set<std::string> seen;
    for (const auto& entry : map) {
      const std::string path_of = path.empty() ? "" : path + ".";
      if (!entry.first.IsScalar()) return Wrong(entry.first, path, "a key is a word");
      const std::string& key = entry.first.Scalar();
      if (std::find(allowed.begin(), allowed.end(), key) == allowed.end()) {
        return Wrong(entry.first, path_of + key, "there is no such key; there are ",
                     absl::StrJoin(allowed, ", ", [](std::string* out, std::string_view one) { *out += one; }));
      }
      if (!seen.insert(key).second)
        return Wrong(entry.first, path_of + key, "the key stands here twice; leave one out");
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> ReadText(const YAML::Node& value, const std::string& key) const {
    if (!value.IsScalar() || absl::StripAsciiWhitespace(value.Scalar()).empty()) {
      return Wrong(value, key, "one word or text is wanted");
    }
    const std::string& text = value.Scalar();
    if (text.size() > kTextBytesMost) return Wrong(value, key, "it is longer than ", kTextBytesMost, " bytes");
    const bool has_control = std::any_of(text.begin(), text.end(),
                                         [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); });
    if (has_control) return Wrong(value, key, "it has a control character in it; leave that out");
    return text;
  }

  // Empty where the key is absent. Each entry once.
  absl::StatusOr<std::vector<std::string>> ReadList(const YAML::Node& value, const std::string& key,
                                                    size_t most = kListMost) const {
    std::vector<std::string> list;
    if (!value.IsDefined() || value.IsNull()) return list;
    if (!value.IsSequence()) return Wrong(value, key, "a list is wanted, as [one, two]");
    if (value.size() > most) return Wrong(value, key, "at most ", most, " of them, not ", value.size());
    std::set<std::string> seen;
    for (const YAML::Node& item : value) {
      ENIGMA_ASSIGN_OR_RETURN(std::string text, ReadText(item, key));
      if (!seen.insert(text).second) return Wrong(item, key, "'", text, "' stands in the list twice; leave one out");
      list.push_back(std::move(text));
    }
    return list;
  }

  absl::StatusOr<std::string> ReadModel(const YAML::Node& value, const std::string& key) {
    ENIGMA_ASSIGN_OR_RETURN(std::string model, ReadText(value, key));
    models_.emplace_back(model, Place(value, key));
    return model;
  }

  absl::Status ReadTasks(const YAML::Node& root) {
    const YAML::Node tasks = root["tasks"];
    if (!tasks.IsDefined()) return Wrong(root, "tasks", "it is missing; name at least one task with its model");
    if (!tasks.IsMap() || tasks.size() == 0) {
      return Wrong(tasks, "tasks", "a map of at least one task is wanted, as `chat: {model: NAME}`");
    }
    if (tasks.size() > Specialists::kTasksMax) {
      return Wrong(tasks, "tasks", "at most ", Specialists::kTasksMax, " tasks, not ", tasks.size());
    }
    for (const auto& entry : tasks) {
      if (!entry.first.IsScalar()) return Wrong(entry.first, "tasks", "a task's name is a word");
      ENIGMA_RETURN_IF_ERROR(ReadTask(entry.first, entry.second));
    }
    return absl::OkStatus();
  }

  // A name goes into headers and metrics.
  absl::Status CheckTaskName(const YAML::Node& at, const std::string& name) const {
    const bool good = std::all_of(name.begin(), name.end(), [](char c) {
      return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
    });
    if (!good || name.empty() || name.size() > kNameBytesMost) {
      return Wrong(at, "tasks", "'", name, "' cannot name a task: use 1 to ", kNameBytesMost,
                   " letters, digits, '_', '-' and '.'");
    }
    if (read_.FindTask(name) != nullptr) return Wrong(at, "tasks", "there are two tasks '", name, "'; rename one");
    return absl::OkStatus();
  }

  absl::Status ReadTask(const YAML::Node& name, const YAML::Node& value) {
    Task task;
    task.name = name.Scalar();
    ENIGMA_RETURN_IF_ERROR(CheckTaskName(name, task.name));
    const std::string path = "tasks." + task.name;
    if (!value.IsMap()) return Wrong(name, path, "a map is wanted, as `", task.name, ": {model: NAME}`");
    ENIGMA_RETURN_IF_ERROR(CheckKeys(value, path, {"model", "intents", "keywords", "nodes", "fallback"}));
    const YAML::Node model = value["model"];
    if (!model.IsDefined()) return Wrong(name, path + ".model", "it is missing; name the model that does this task");
    ENIGMA_ASSIGN_OR_RETURN(task.model, ReadModel(model, path + ".model"));
    ENIGMA_ASSIGN_OR_RETURN(task.intents, ReadList(value["intents"], path + ".intents"));
    for (size_t i = 0; i < task.intents.size(); ++i) {
      const YAML::Node at = value["intents"][i];
      if (const Task* other = read_.TaskOfIntent(task.intents[i])) {
        return Wrong(at, path + ".intents", "'", task.intents[i], "' is an intent of the task '", other->name,
                     "' already; give it to one of them");
      }
      intents_.emplace_back(task.intents[i], Place(at, path + ".intents"));
    }
    ENIGMA_ASSIGN_OR_RETURN(task.keywords, ReadList(value["keywords"], path + ".keywords", Specialists::kKeywordsMax));
    ENIGMA_ASSIGN_OR_RETURN(task.nodes, ReadList(value["nodes"], path + ".nodes"));
    ENIGMA_ASSIGN_OR_RETURN(task.fallback, ReadList(value["fallback"], path + ".fallback"));
    for (size_t i = 0; i < task.fallback.size(); ++i) {
      const YAML::Node at = value["fallback"][i];
      if (task.fallback[i] == task.model) {
        return Wrong(at, path + ".fallback", "'", task.model, "' is the task's own model; leave it out");
      }
      models_.emplace_back(task.fallback[i], Place(at, path + ".fallback"));
    }
    read_.tasks.push_back(std::move(task));
    return absl::OkStatus();
  }

  absl::Status ReadDefault(const YAML::Node& value) {
    if (!value.IsDefined()) {
      if (read_.tasks.size() == 1) return absl::OkStatus();
      return absl::InvalidArgumentError(
          absl::StrCat(file_, ":1: default: it is missing; name one of the tasks ", read_.TaskNames()));
    }
    ENIGMA_ASSIGN_OR_RETURN(const std::string name, ReadText(value, "default"));
    const Task* const task = read_.FindTask(name);
    if (task == nullptr) {
      return Wrong(value, "default", "there is no task '", name, "'; name one of ", read_.TaskNames());
    }
    read_.default_task = static_cast<size_t>(task - read_.tasks.data());
    return absl::OkStatus();
  }

  absl::Status ReadThreshold(const YAML::Node& value) {
    if (!value.IsDefined() || value.IsNull()) return absl::OkStatus();
    double threshold = -1;
    if (!value.IsScalar() || !YAML::convert<double>::decode(value, threshold) || !(threshold >= 0 && threshold < 1)) {
      return Wrong(value, "threshold", "a number from 0 to below 1 is wanted");
    }
    read_.threshold = threshold;
    return absl::OkStatus();
  }

  absl::Status ReadRouter(const YAML::Node& value) {
    if (!value.IsDefined() || value.IsNull()) return absl::OkStatus();
    if (!value.IsMap()) return Wrong(value, "router", "a map is wanted, as {model: NAME}");
    ENIGMA_RETURN_IF_ERROR(CheckKeys(value, "router", {"model", "nodes"}));
    const YAML::Node model = value["model"];
    if (!model.IsDefined()) return Wrong(value, "router.model", "it is missing; leave router out where there is none");
    ENIGMA_ASSIGN_OR_RETURN(read_.router, ReadModel(model, "router.model"));
    ENIGMA_ASSIGN_OR_RETURN(read_.router_nodes, ReadList(value["nodes"], "router.nodes"));
    router_place_ = Place(model, "router.model");
    return absl::OkStatus();
  }

  absl::Status CheckIntents() const {
    if (read_.router.empty() || !known_.labels) return absl::OkStatus();
    const absl::StatusOr<std::vector<std::string>> labels = known_.labels(read_.router);
    if (!labels.ok()) {
      return absl::Status(labels.status().code(), absl::StrCat(router_place_, ": ", labels.status().message()));
    }
    for (const auto& [intent, place] : intents_) {
      if (std::find(labels->begin(), labels->end(), intent) != labels->end()) continue;
      return absl::InvalidArgumentError(absl::StrCat(place, ": the router '", read_.router, "' knows no intent '",
                                                     intent, "'; it tells apart ", absl::StrJoin(*labels, ", ")));
    }
    return absl::OkStatus();
  }

  const std::string file_;
  const KnownModels& known_;
  Specialists read_;
  // What is looked up once the rest is known to be right, with where it stands.
  std::vector<std::pair<std::string, std::string>> models_;
  std::vector<std::pair<std::string, std::string>> intents_;
  std::string router_place_;
};

}  // namespace

absl::StatusOr<Specialists> ReadSpecialists(std::string_view yaml, std::string_view file, const KnownModels& known) {
  if (yaml.size() > Specialists::kBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(ToAbsl(file), ":1: specialists: it is larger than ", Specialists::kBytesMax, " bytes"));
  }
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(yaml));
    if (documents.size() > 1) {
      return absl::InvalidArgumentError(absl::StrCat(ToAbsl(file), ":", documents[1].Mark().line + 1,
                                                     ": specialists: a second document begins here; only one is read"));
    }
    return SpecialistsReader(file, known).Read(documents.empty() ? YAML::Node() : documents.front());
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(ToAbsl(file), ":", error.mark.line + 1, ": specialists: this is no YAML: ", error.msg));
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(ToAbsl(file), ":1: specialists: cannot be read: ", error.what()));
  }
}

}  // namespace enigma::coordinator
