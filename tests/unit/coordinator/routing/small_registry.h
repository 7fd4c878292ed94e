#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <absl/strings/str_cat.h>

#include "coordinator/routing/specialist_registry.h"

namespace enigma::coordinator {

inline constexpr char kSmallRegistry[] = R"(default: chat
threshold: 0.6
router: {model: nano, nodes: [n0]}
tasks:
  code:
    model: coder
    intents: [code]
    keywords: [python, function, "stack trace", c++]
    fallback: [talker]
  math: {model: summer, intents: [math], keywords: [sum, plus]}
  chat: {model: talker, intents: [chat, none]}
)";

// Models by these names, and one router, "nano".
inline KnownModels ThatKnow(std::vector<std::string> models = {"nano", "coder", "summer", "talker", "seer"}) {
  KnownModels known;
  known.find = [models](const std::string& model) {
    if (std::find(models.begin(), models.end(), model) != models.end()) return absl::OkStatus();
    return absl::NotFoundError(absl::StrCat("no model is called '", model, "'"));
  };
  known.labels = [](const std::string& model) -> absl::StatusOr<std::vector<std::string>> {
    if (model == "nano") return std::vector<std::string>{"code", "math", "chat", "vision", "none", "search"};
    return absl::InvalidArgumentError(absl::StrCat("'", model, "' is no router"));
  };
  return known;
}

inline absl::StatusOr<RoutingTablePtr> ReadSmall(std::string_view yaml = kSmallRegistry) {
  return ReadRoutingTable(yaml, "s.yaml", ThatKnow());
}

}  // namespace enigma::coordinator
