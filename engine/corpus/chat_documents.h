#pragma once

#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <nlohmann/json.hpp>

#include "engine/corpus/document.h"
#include "engine/text/chat_template.h"

namespace enigma::engine {

inline constexpr size_t kMessagesMax = 512;  // of one conversation: finding its answers renders its beginnings

// A conversation as the model's template writes it, as one document with every answer of the assistant to be learned.
// What counts is what a model reads when it is asked: an answer must follow the very prompt that the template makes of
// the messages before it. Where the template writes an earlier answer in another way once more messages follow (leaves
// its reasoning out, moves the system message), that answer becomes a document of its own that ends with it.
// `messages` and `tools` are as ChatRequest has them; `end_text` is what the end token reads as.
// InvalidArgument, as the rest of a sentence: there is no answer, the template refuses the messages, or it makes
// another prompt than it writes before the answer.
absl::StatusOr<std::vector<Document>> ChatDocuments(const ChatTemplate& chat, const nlohmann::ordered_json& messages,
                                                    const nlohmann::ordered_json& tools, std::string_view end_text);

}  // namespace enigma::engine
