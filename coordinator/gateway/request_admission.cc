#include "coordinator/gateway/request_admission.h"

#include <utility>

namespace enigma::coordinator {

void RequestAdmission::Arrive(uint64_t prompt_tokens, uint64_t answer_tokens_estimated, Go go) {
  if (!charge_.is_limited()) return go(absl::OkStatus());
  std::vector<Go> all;
  absl::Status admitted;
  {
    absl::MutexLock lock(&mutex_);
    prompt_tokens_ += prompt_tokens;
    answer_tokens_ += answer_tokens_estimated;
    arrived_.push_back(std::move(go));
    if (arrived_.size() < choices_) return;
    all.swap(arrived_);
    admitted = charge_.SetPrompt("prompt", prompt_tokens_, answer_tokens_);
  }
  for (const Go& one : all) one(admitted);
}

}  // namespace enigma::coordinator
