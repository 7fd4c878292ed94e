#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "coordinator/routing/decision.h"
#include "coordinator/routing/keyword_rules.h"
#include "coordinator/routing/specialists.h"

namespace enigma::coordinator {

// What a model can take.
struct ModelAbilities {
  uint32_t context = 0;  // longest sequence in tokens
  bool tools = false;    // its chat template has a place for tools
  bool images = false;   // it has an image encoder
  bool text = true;      // it reads what is said; false: it answers about pictures alone
  bool allowed = true;   // who asks may use it
};

// What routing asks about models while it decides.
struct ModelView {
  // Nothing for a model that is not there (any more).
  std::function<std::optional<ModelAbilities>(const std::string& model)> abilities;
  // How long the request's prompt is for that model; what a template adds may be left out.
  std::function<uint64_t(const std::string& model)> prompt_tokens;
};

// Who answered a conversation so far.
struct EarlierAnswer {
  std::string task;
  std::string model;
};

// What is known of a request before anything is computed for it.
struct RequestFeatures {
  std::string text = {};      // to be classified: what the user said last
  uint64_t prompt_bytes = 0;  // of all texts in it; no prompt has more tokens than bytes, but for a template's
  bool has_image = false;
  bool wants_tools = false;
  std::string forced_task = {};  // that the client names; empty: none
  bool may_route = true;         // false: the client forbids it
  std::optional<EarlierAnswer> earlier = {};
};

// What a router says of a text.
struct RouterVerdict {
  std::string intent;  // the likeliest
  double confidence = 0;
  double threshold = 0;  // the router's own
};

// Whether the router has a say in this request.
bool WantsVerdict(const Specialists& specialists, const RequestFeatures& features);

// Which specialist answers. In this order: the task that the client names; the default where it forbids routing; the
// task "vision" for an image, or one whose model takes images and is allowed where that one's is not; the one that the
// conversation began with; the router's intent, where it is sure; keywords; the default. A model that answers about
// pictures alone, or has no place for tools that were given, or whose context is too short, gives way to another that
// can (the default's first, then in the order of the registry), unless the client named the task. `verdict`: empty
// where there is no router, or it did not answer, for which `no_verdict` is the reason. INVALID_ARGUMENT for a task
// that there is none of, and for an image where no task takes any. Pure.
absl::StatusOr<Decision> Decide(const Specialists& specialists, const KeywordRules& keywords,
                                const RequestFeatures& features, const std::optional<RouterVerdict>& verdict,
                                std::string_view no_verdict, const ModelView& models);

}  // namespace enigma::coordinator
