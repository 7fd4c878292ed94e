#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "coordinator/gateway/openai/body.h"
#include "coordinator/routing/conversations.h"
#include "coordinator/routing/decide.h"
#include "coordinator/state/model_registry.h"
#include "proto/inference.pb.h"

namespace enigma::coordinator {

// What routing looks at of one request, whichever front it came by.
struct RoutableRequest {
  RequestFeatures features;
  std::vector<Turn> turns;  // of a conversation; empty: plain text
  std::string all_text;     // of all messages and tools, for counting tokens
};

// Of messages as ReadMessages gives them, and the JSON of tools that the model may call; empty: none.
RoutableRequest RoutableRequestOf(const Json& messages, std::string_view tools);
// Of a plain prompt. INVALID_ARGUMENT for one of token ids, which belong to one model.
absl::StatusOr<RoutableRequest> RoutableRequestOf(const enigma::v1::GenerateRequest& request);
// Of a text by itself.
RoutableRequest RoutableRequestOf(std::string_view text);

// What the client says about routing: the headers, or metadata, of these names; empty where they are absent.
struct RouteWishes {
  std::string route;  // "x-enigma-route"
  std::string task;   // "x-enigma-task"
};
// INVALID_ARGUMENT for a value of x-enigma-route but "off" and "on".
absl::Status SetWishes(const RouteWishes& wishes, RequestFeatures& features);
// Whether it says anything about routing beside a model that it names: INVALID_ARGUMENT, since both cannot be.
absl::Status RefuseWishes(std::string_view model, std::string_view task);

}  // namespace enigma::coordinator
