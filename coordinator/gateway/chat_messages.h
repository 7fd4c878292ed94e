#pragma once

#include <string>
#include <vector>

#include "coordinator/gateway/openai/body.h"

namespace enigma::coordinator {

// The field "messages" as a chat template takes it: checked message by message, `developer` called `system`, and only
// parts of text and marks of pictures (picture_parts.h) in typed contents; the pictures' files go to `pictures`. Errors
// go to `fields` and name the message.
Json ReadMessages(Fields& fields, std::vector<std::string>& pictures);

}  // namespace enigma::coordinator
