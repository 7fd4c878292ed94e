#include "coordinator/routing/decide.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>

#include "base/text.h"
#include "coordinator/routing/capability_gate.h"

namespace enigma::coordinator {
namespace {

Decision ForTask(const Task& task, RouteMethod method, std::string why) {
  Decision decision;
  decision.task = task.name;
  decision.model = task.model;
  decision.fallback = task.fallback;
  decision.method = method;
  decision.why = std::move(why);
  return decision;
}

// The task that the conversation began with, while its model is still one of those that answer for it.
const Task* EarlierTask(const Specialists& specialists, const RequestFeatures& features) {
  if (!features.earlier) return nullptr;
  const Task* const task = specialists.FindTask(features.earlier->task);
  if (task == nullptr) return nullptr;
  const bool fits =
      task->model == features.earlier->model ||
      std::find(task->fallback.begin(), task->fallback.end(), features.earlier->model) != task->fallback.end();
  return fits ? task : nullptr;
}

// The model that answered before, and the task's others behind it.
Decision StayWith(const Task& task, const std::string& model) {
  Decision decision =
      ForTask(task, RouteMethod::kSticky, absl::StrCat("'", model, "' answered this conversation before"));
  if (model == task.model) return decision;
  std::erase(decision.fallback, model);
  decision.fallback.insert(decision.fallback.begin(), task.model);
  decision.model = model;
  return decision;
}

Decision ByText(const Specialists& specialists, const KeywordRules& keywords, const std::string& text,
                const std::optional<RouterVerdict>& verdict, std::string_view no_verdict) {
  std::string unsure(no_verdict);
  if (verdict) {
    const double threshold = specialists.threshold.value_or(verdict->threshold);
    const bool sure = verdict->confidence >= threshold;
    const std::string said =
        absl::StrFormat("the router says %s with confidence %.2f", verdict->intent, verdict->confidence);
    if (sure) {
      if (const Task* task = specialists.TaskOfIntent(verdict->intent))
        return ForTask(*task, RouteMethod::kModel, said);
      return ForTask(specialists.DefaultTask(), RouteMethod::kModel,
                     absl::StrCat(said, ", which no task has: the default answers"));
    }
    unsure = absl::StrFormat("%s, below %.2f", said, threshold);
  }
  if (!unsure.empty()) unsure += "; ";
  if (const std::optional<KeywordRules::Match> match = keywords.Find(text)) {
    return ForTask(specialists.tasks[match->task], RouteMethod::kKeyword,
                   absl::StrCat(unsure, "the text has the keywords ", absl::StrJoin(match->words, ", ")));
  }
  return ForTask(specialists.DefaultTask(), RouteMethod::kDefault,
                 absl::StrCat(unsure, "no keyword stands in the text"));
}

}  // namespace

std::string_view RouteMethodName(RouteMethod method) {
  switch (method) {
    case RouteMethod::kModel:
      return "model";
    case RouteMethod::kKeyword:
      return "keyword";
    case RouteMethod::kExplicit:
      return "explicit";
    case RouteMethod::kCapability:
      return "capability";
    case RouteMethod::kSticky:
      return "sticky";
    case RouteMethod::kDefault:
      return "default";
  }
  return "default";
}

bool WantsVerdict(const Specialists& specialists, const RequestFeatures& features) {
  return !specialists.router.empty() && features.forced_task.empty() && features.may_route && !features.has_image &&
         EarlierTask(specialists, features) == nullptr;
}

absl::StatusOr<Decision> Decide(const Specialists& specialists, const KeywordRules& keywords,
                                const RequestFeatures& features, const std::optional<RouterVerdict>& verdict,
                                std::string_view no_verdict, const ModelView& models) {
  if (!features.forced_task.empty()) {
    const Task* const task = specialists.FindTask(features.forced_task);
    if (task == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("x-enigma-task: there is no task '", features.forced_task,
                                                     "'; there are ", specialists.TaskNames()));
    }
    return ForTask(*task, RouteMethod::kExplicit, "the client named the task");
  }
  if (features.has_image) {
    const absl::StatusOr<const Task*> task = TaskForImages(specialists, models);
    if (!task.ok()) return task.status();
    Decision decision = ForTask(**task, RouteMethod::kCapability, "there is an image");
    decision.fallback = ThatTakeImages(std::move(decision.fallback), models);
    return decision;
  }
  Decision decision;
  if (!features.may_route) {
    decision = ForTask(specialists.DefaultTask(), RouteMethod::kDefault, "the client forbade routing");
  } else if (const Task* task = EarlierTask(specialists, features)) {
    decision = StayWith(*task, features.earlier->model);
  } else {
    decision = ByText(specialists, keywords, features.text, verdict, no_verdict);
  }
  if (verdict) {
    decision.intent = verdict->intent;
    decision.confidence = verdict->confidence;
  }
  return PassGate(specialists, features, models, std::move(decision));
}

}  // namespace enigma::coordinator
