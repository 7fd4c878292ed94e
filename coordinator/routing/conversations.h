#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "coordinator/routing/decide.h"

namespace enigma::coordinator {

// One message of a conversation.
struct Turn {
  bool by_assistant = false;
  std::string content;  // whatever tells it from others: role, text, calls
};

// What stands for a conversation of one caller: the SHA-256 of both, messages told apart.
std::string ConversationKey(std::string_view caller, const std::vector<Turn>& turns);

// The key of the conversation as it was when the assistant answered it last, before what it said and what came after;
// nothing where it has said nothing yet.
std::optional<std::string> EarlierKey(std::string_view caller, const std::vector<Turn>& turns);

// Who answered which conversation, so that the next message, or the result of a tool, goes to the same model. Only
// keys are kept, of the most recent ones, for a while. Thread-safe.
class Conversations {
 public:
  struct Options {
    size_t kept_max = 16384;
    absl::Duration keep = absl::Hours(1);  // after an answer
  };
  explicit Conversations(const Options& options) : options_(options) {}

  // `now`: on a monotonic clock, as below.
  void Remember(std::string key, EarlierAnswer answer, absl::Duration now);
  std::optional<EarlierAnswer> Find(std::string_view key, absl::Duration now);
  size_t size() const;

 private:
  struct Entry {
    std::string key;
    EarlierAnswer answer;
    absl::Duration until;
  };
  const Options options_;
  mutable absl::Mutex mutex_;
  std::list<Entry> entries_ ABSL_GUARDED_BY(mutex_);  // the latest first
  std::map<std::string, std::list<Entry>::iterator, std::less<>> by_key_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace enigma::coordinator
