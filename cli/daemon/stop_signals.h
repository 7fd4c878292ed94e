#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace enigma::cli {

// Turns SIGINT and SIGTERM into calls: the first to `drain`, each later one to `stop`. Construct before any other
// thread exists: the signals are blocked from then on, so that only this object's own thread takes them. Ignores
// SIGPIPE: a closed connection is an error of a call.
class StopSignals {
 public:
  // Called from a thread of its own; neither may wait for what it begins.
  StopSignals(std::function<void()> drain, std::function<void()> stop);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  bool stopped() const { return stopped_.load(); }

 private:
  void Watch();

  const std::function<void()> drain_;
  const std::function<void()> stop_;
  std::atomic<bool> stopped_{false};
  std::atomic<bool> done_{false};
  std::thread thread_;
};

}  // namespace enigma::cli
