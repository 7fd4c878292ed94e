#pragma once

#include <string_view>

#include <absl/synchronization/notification.h>
#include <absl/time/time.h>

namespace enigma::worker {

// Of the processes of this host (of one network namespace) at most one holds the turn of a name: workers that measure
// beside each other would measure each other. The system gives it back when its holder dies.
class HostTurn {
 public:
  // Waits until nobody else holds the turn, but at most `patience`, and no longer than until `over`.
  static HostTurn Await(std::string_view name, absl::Duration patience, const absl::Notification& over);
  ~HostTurn();
  HostTurn(HostTurn&& other) noexcept;
  HostTurn& operator=(HostTurn&&) = delete;

  bool held() const { return socket_ >= 0; }

 private:
  explicit HostTurn(int socket) : socket_(socket) {}

  int socket_ = -1;
};

}  // namespace enigma::worker
