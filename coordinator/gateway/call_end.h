#pragma once

#include <functional>
#include <memory>
#include <utility>

#include <absl/status/status.h>
#include <absl/time/time.h>
#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>

namespace enigma::coordinator {

// How a call of the public gRPC API ends: the status, and for one that may be asked again the time to wait, which is
// put into the trailing metadata `retry-after-ms` (gateway/status_contract.h).
grpc::Status EndOf(grpc::CallbackServerContext& context, const absl::Status& status);

// Whether the deadline that the caller set is over; a call that is cancelled for that was late and not unwanted.
bool DeadlinePassed(const grpc::CallbackServerContext& context);
absl::Status Late();

// Ends a call whose caller set no deadline, or too late a one. Not thread-safe; ends with the call.
class TimeLimit {
 public:
  // Once: `end_late` of the call runs after `time_max`, on a thread of gRPC's, unless the caller's own deadline is
  // earlier. The call is held weakly, since the time may be over after it has ended.
  template <class Call>
  void Start(const grpc::CallbackServerContext& context, absl::Duration time_max, std::weak_ptr<Call> call,
             void (Call::*end_late)()) {
    Set(context, time_max, [call = std::move(call), end_late] {
      if (const std::shared_ptr<Call> alive = call.lock()) ((*alive).*end_late)();
    });
  }

 private:
  void Set(const grpc::CallbackServerContext& context, absl::Duration time_max, std::function<void()> late);

  grpc::Alarm alarm_;
};

}  // namespace enigma::coordinator
