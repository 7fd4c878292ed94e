#include "coordinator/background/retry_pacing.h"

#include <algorithm>

#include <absl/strings/ascii.h>

namespace enigma::coordinator {

void RetryPacing::Serves(absl::Duration now) {
  attempting_ = false;
  if (!serving_since_) serving_since_ = now;
}

void RetryPacing::Broke(absl::Duration now) {
  if (serving_since_ && now - *serving_since_ >= options_.healthy) {
    failures_ = 0;
    nodes_came_.clear();
    told_.clear();
  }
  serving_since_.reset();
  ++failures_;
  due_ = now + Pause();
}

void RetryPacing::AttemptFailed(absl::Duration now) {
  attempting_ = false;
  failures_ = std::max(failures_ + 1, 2);
  due_ = now + (node_came_ ? absl::ZeroDuration() : Pause());
  node_came_ = false;
}

void RetryPacing::NodeCame(std::string_view node, absl::Duration now) {
  const bool waits = attempting_ || now < due_;
  if (!waits || !nodes_came_.insert(std::string(node)).second) return;
  node_came_ = attempting_;
  due_ = std::min(due_, now);
}

bool RetryPacing::IsNews(std::string_view reason, absl::Duration now) {
  std::string words(reason);
  std::erase_if(words, [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); });
  if (words == told_ && now - told_at_ < options_.remind) return false;
  told_ = std::move(words);
  told_at_ = now;
  return true;
}

// The first failure in a row costs no pause: most often a node died, and others can take over.
absl::Duration RetryPacing::Pause() const {
  if (failures_ < 2) return absl::ZeroDuration();
  constexpr int kDoublingsMax = 20;
  return std::min(options_.most, options_.first * (1 << std::min(failures_ - 2, kDoublingsMax)));
}

}  // namespace enigma::coordinator
