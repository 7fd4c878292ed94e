#pragma once

#include <absl/status/statusor.h>
#include <nlohmann/json.hpp>

#include "engine/text/chat_template.h"

namespace enigma::engine {

// The messages of a request in the form that a template with these abilities takes; ChatTemplate::Render lists what is
// changed. InvalidArgument names the message that has no such form.
absl::StatusOr<nlohmann::ordered_json> AdaptMessages(const nlohmann::ordered_json& messages,
                                                     const ChatAbilities& abilities);

}  // namespace enigma::engine
