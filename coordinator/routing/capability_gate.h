#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "coordinator/routing/decide.h"

namespace enigma::coordinator {

inline constexpr char kVisionTask[] = "vision";

// The task that takes images: "vision", or the one that has the intent of this name, unless another task alone has a
// model that takes images and is allowed, or alone one that takes images. A task's fallback may be what is allowed.
// INVALID_ARGUMENT when none takes any. Pure.
absl::StatusOr<const Task*> TaskForImages(const Specialists& specialists, const ModelView& models);

// Of these models, those that take images. Pure.
std::vector<std::string> ThatTakeImages(std::vector<std::string> names, const ModelView& models);

// Why the model cannot take the request, as the rest of a sentence ("has no place for tools"); empty when it can. Pure.
std::string ReasonAgainst(const std::string& model, const RequestFeatures& features, const ModelView& models);

// The decision, or another task in its place where its model cannot take the request and that one's can. Fallbacks that
// cannot take it are left out. Pure.
Decision PassGate(const Specialists& specialists, const RequestFeatures& features, const ModelView& models,
                  Decision decision);

}  // namespace enigma::coordinator
