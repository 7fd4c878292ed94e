#include "coordinator/routing/capability_gate.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

namespace enigma::coordinator {
namespace {

// What a chat template puts around the texts, generously.
constexpr uint64_t kTemplateTokens = 64;

bool TakesImages(const std::string& model, const ModelView& models) {
  const std::optional<ModelAbilities> abilities = models.abilities(model);
  return abilities && abilities->images;
}

bool IsAllowed(const std::string& model, const ModelView& models) {
  const std::optional<ModelAbilities> abilities = models.abilities(model);
  return !abilities || abilities->allowed;
}

// Its model takes images, and who asks may use it, or a fallback that takes them too.
bool AnswersAboutImages(const Task& task, const ModelView& models) {
  if (!TakesImages(task.model, models)) return false;
  return IsAllowed(task.model, models) ||
         std::any_of(task.fallback.begin(), task.fallback.end(),
                     [&](const std::string& model) { return TakesImages(model, models) && IsAllowed(model, models); });
}

}  // namespace

absl::StatusOr<const Task*> TaskForImages(const Specialists& specialists, const ModelView& models) {
  const Task* task = specialists.FindTask(kVisionTask);
  if (task == nullptr) task = specialists.TaskOfIntent(kVisionTask);
  const auto first = [&](const auto& fits) -> const Task* {
    if (task != nullptr && fits(*task)) return task;
    const auto other = std::find_if(specialists.tasks.begin(), specialists.tasks.end(), fits);
    return other == specialists.tasks.end() ? nullptr : &*other;
  };
  if (const Task* one = first([&](const Task& t) { return AnswersAboutImages(t, models); })) return one;
  // What stands against it is told, then.
  if (const Task* one = first([&](const Task& t) { return TakesImages(t.model, models); })) return one;
  if (task != nullptr) return task;
  return absl::InvalidArgumentError(
      absl::StrCat("messages: an image was sent, and no specialist here takes images; there are the tasks ",
                   specialists.TaskNames(), ", and none of them is '", kVisionTask, "'"));
}

std::vector<std::string> ThatTakeImages(std::vector<std::string> names, const ModelView& models) {
  std::erase_if(names, [&](const std::string& name) { return !TakesImages(name, models); });
  return names;
}

std::string ReasonAgainst(const std::string& model, const RequestFeatures& features, const ModelView& models) {
  const std::optional<ModelAbilities> abilities = models.abilities(model);
  if (!abilities) return "is not there";
  if (!abilities->text && !features.has_image) return "answers about pictures alone, and none was sent";
  if (features.wants_tools && !abilities->tools) return "has no place for tools";
  // Counting tokens costs; most prompts are short enough whatever their tokens are.
  if (features.prompt_bytes + kTemplateTokens < abilities->context) return "";
  const uint64_t tokens = models.prompt_tokens(model);
  if (tokens < abilities->context) return "";
  return absl::StrCat("holds ", abilities->context, " tokens, and the prompt has ", tokens);
}

Decision PassGate(const Specialists& specialists, const RequestFeatures& features, const ModelView& models,
                  Decision decision) {
  const auto without_unfit = [&](const std::vector<std::string>& all) {
    std::vector<std::string> fit;
    for (const std::string& model : all) {
      if (ReasonAgainst(model, features, models).empty()) fit.push_back(model);
    }
    return fit;
  };
  decision.fallback = without_unfit(decision.fallback);
  const std::string reason = ReasonAgainst(decision.model, features, models);
  // A model that is gone may have a fallback; what a model says of itself is told to the client as an error.
  if (reason.empty() || !models.abilities(decision.model)) return decision;
  std::vector<const Task*> others = {&specialists.DefaultTask()};
  for (const Task& task : specialists.tasks) others.push_back(&task);
  for (const Task* other : others) {
    if (other->name == decision.task || !ReasonAgainst(other->model, features, models).empty()) continue;
    decision.why = absl::StrCat("'", decision.model, "' ", reason, "; '", other->model, "' can take it");
    decision.task = other->name;
    decision.model = other->model;
    decision.fallback = without_unfit(other->fallback);
    decision.method = RouteMethod::kCapability;
    return decision;
  }
  absl::StrAppend(&decision.why, " ('", decision.model, "' ", reason, ", but no other specialist can take it)");
  return decision;
}

}  // namespace enigma::coordinator
