#pragma once

#include "coordinator/gateway/openai/body.h"

namespace enigma::coordinator {

// The field "messages" as a chat template takes it: checked message by message, `developer` called `system`, and only
// parts of text in typed contents. Errors go to `fields` and name the message.
Json ReadMessages(Fields& fields);

}  // namespace enigma::coordinator
