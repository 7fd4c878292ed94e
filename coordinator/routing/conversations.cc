#include "coordinator/routing/conversations.h"

#include <algorithm>

#include <absl/strings/str_cat.h>

#include "engine/spec/manifest.h"

namespace enigma::coordinator {
namespace {

// Lengths before texts, so that no two lists of messages are the same bytes.
std::string KeyOf(std::string_view caller, const std::vector<Turn>& turns, size_t count) {
  engine::Sha256Hasher hasher;
  const auto add = [&hasher](std::string_view text) {
    const std::string length = absl::StrCat(text.size(), ":");
    hasher.Update(length.data(), length.size());
    hasher.Update(text.data(), text.size());
  };
  add(caller);
  for (size_t i = 0; i < count; ++i) {
    add(turns[i].by_assistant ? "assistant" : "other");
    add(turns[i].content);
  }
  const engine::Sha256 hash = hasher.Finish();
  return std::string(reinterpret_cast<const char*>(hash.data()), hash.size());
}

}  // namespace

std::string ConversationKey(std::string_view caller, const std::vector<Turn>& turns) {
  return KeyOf(caller, turns, turns.size());
}

std::optional<std::string> EarlierKey(std::string_view caller, const std::vector<Turn>& turns) {
  for (size_t i = turns.size(); i > 0; --i) {
    if (turns[i - 1].by_assistant) return KeyOf(caller, turns, i - 1);
  }
  return std::nullopt;
}

void Conversations::Remember(std::string key, EarlierAnswer answer, absl::Duration now) {
  absl::MutexLock lock(&mutex_);
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    entries_.erase(found->second);
    by_key_.erase(found);
  }
  entries_.push_front({std::move(key), std::move(answer), now + options_.keep});
  by_key_.emplace(entries_.front().key, entries_.begin());
  // All are kept equally long, so the last is also the first to be over.
  while (entries_.size() > options_.kept_max || (!entries_.empty() && entries_.back().until <= now)) {
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

std::optional<EarlierAnswer> Conversations::Find(std::string_view key, absl::Duration now) {
  absl::MutexLock lock(&mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end() || found->second->until <= now) return std::nullopt;
  return found->second->answer;
}

size_t Conversations::size() const {
  absl::MutexLock lock(&mutex_);
  return entries_.size();
}

}  // namespace enigma::coordinator
