#include "engine/corpus/chat_documents.h"

#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"

namespace enigma::engine {
namespace {

using OrderedJson = nlohmann::ordered_json;

// The first `count` messages.
absl::StatusOr<std::string> RenderFirst(const ChatTemplate& chat, const OrderedJson& messages, const OrderedJson& tools,
                                        size_t count, bool add_generation_prompt) {
  ChatRequest request;
  request.messages = OrderedJson::array();
  for (size_t i = 0; i < count; ++i) request.messages.push_back(messages[i]);
  request.tools = tools;
  request.add_generation_prompt = add_generation_prompt;
  absl::StatusOr<std::string> text = chat.Render(request);
  if (text.ok()) return text;
  return absl::InvalidArgumentError(
      absl::StrCat("the chat template refuses the first ", count, " messages: ", text.status().message()));
}

absl::StatusOr<std::vector<size_t>> FindAnswers(const OrderedJson& messages) {
  if (!messages.is_array()) {
    return absl::InvalidArgumentError(absl::StrCat("'messages' must be a list, not ", messages.type_name()));
  }
  if (messages.size() > kMessagesMax) {
    return absl::InvalidArgumentError(absl::StrCat("the conversation has ", messages.size(), " messages; at most ",
                                                   kMessagesMax, " are read: break it into several"));
  }
  std::vector<size_t> answers;
  for (size_t i = 0; i < messages.size(); ++i) {
    const auto role = messages[i].is_object() ? messages[i].find("role") : messages[i].end();
    if (!messages[i].is_object() || role == messages[i].end() || !role->is_string()) {
      return absl::InvalidArgumentError(absl::StrCat("messages[", i,
                                                     "] has no 'role'; it is an object with 'role' "
                                                     "and 'content'"));
    }
    if (*role == "assistant") answers.push_back(i);
  }
  if (answers.empty()) {
    return absl::InvalidArgumentError("no message has the role 'assistant', so there is no answer to learn");
  }
  return answers;
}

Document ChatDocument() {
  Document document;
  document.kind = DocumentKind::kChat;
  document.is_beginning = false;  // the template writes the begin token itself
  return document;
}

}  // namespace

absl::StatusOr<std::vector<Document>> ChatDocuments(const ChatTemplate& chat, const OrderedJson& messages,
                                                    const OrderedJson& tools, std::string_view end_text) {
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<size_t> answers, FindAnswers(messages));
  const size_t last = answers.back();
  // What follows the last answer is not learned from.
  ENIGMA_ASSIGN_OR_RETURN(const std::string whole, RenderFirst(chat, messages, tools, last + 1, false));
  const std::string_view all = whole;
  std::vector<Document> documents;
  Document together = ChatDocument();
  size_t done = 0;  // bytes of `all` that are in `together`
  for (const size_t answer : answers) {
    ENIGMA_ASSIGN_OR_RETURN(const std::string prompt, RenderFirst(chat, messages, tools, answer, true));
    std::string ended = whole;
    if (answer != last) {
      ENIGMA_ASSIGN_OR_RETURN(ended, RenderFirst(chat, messages, tools, answer + 1, false));
    }
    if (!ended.starts_with(prompt)) {
      return absl::InvalidArgumentError(
          absl::StrCat("messages[", answer,
                       "]: the chat template writes other text before this answer than the prompt "
                       "it makes for it, so it cannot be learned; give 'prompt' and 'completion' instead"));
    }
    // Some templates add the end token behind the last message, whatever it is.
    std::string_view kept = ended;
    if (!all.starts_with(kept) && !end_text.empty() && kept.ends_with(end_text)) kept.remove_suffix(end_text.size());
    if (all.starts_with(kept) && kept.size() > prompt.size() && prompt.size() >= done) {
      together.segments.push_back({std::string(all.substr(done, prompt.size() - done)), /*trained=*/false});
      together.segments.push_back({std::string(kept.substr(prompt.size())), /*trained=*/true});
      done = kept.size();
      continue;
    }
    Document apart = ChatDocument();
    apart.segments.push_back({prompt, /*trained=*/false});
    apart.segments.push_back({ended.substr(prompt.size()), /*trained=*/true});
    documents.push_back(std::move(apart));
  }
  if (!together.segments.empty()) documents.push_back(std::move(together));
  return documents;
}

}  // namespace enigma::engine
