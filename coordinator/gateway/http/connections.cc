#include "coordinator/gateway/http/connection.h"

namespace enigma::coordinator {

bool HttpConnections::Add(HttpConnection* connection, size_t most) {
  absl::MutexLock lock(&mutex_);
  if (refusing_ || open_.size() >= most) return false;
  open_.insert(connection);
  return true;
}

void HttpConnections::Remove(HttpConnection* connection) {
  absl::MutexLock lock(&mutex_);
  open_.erase(connection);
}

size_t HttpConnections::size() const {
  absl::MutexLock lock(&mutex_);
  return open_.size();
}

void HttpConnections::Refuse() {
  absl::MutexLock lock(&mutex_);
  refusing_ = true;
}

void HttpConnections::EndSoon() {
  absl::MutexLock lock(&mutex_);
  for (HttpConnection* connection : open_) connection->EndSoon();
}

void HttpConnections::EndNow() {
  absl::MutexLock lock(&mutex_);
  for (HttpConnection* connection : open_) connection->EndNow();
}

bool HttpConnections::AwaitNone(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const auto none = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return open_.empty(); };
  return mutex_.AwaitWithTimeout(absl::Condition(&none), timeout);
}

}  // namespace enigma::coordinator
