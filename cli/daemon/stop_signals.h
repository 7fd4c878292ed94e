#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace enigma::cli {

// Turns SIGINT and SIGTERM into a call. Construct before any other thread exists: the signals are blocked from then on,
// so that only this object's own thread takes them. Ignores SIGPIPE: a closed connection is an error of a call.
class StopSignals {
 public:
  // `stop` is called from a thread of its own, once for each signal.
  explicit StopSignals(std::function<void()> stop);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  bool stopped() const { return stopped_.load(); }

 private:
  void Watch();

  const std::function<void()> stop_;
  std::atomic<bool> stopped_{false};
  std::atomic<bool> done_{false};
  std::thread thread_;
};

}  // namespace enigma::cli
