#include "cli/daemon/stop_signals.h"

#include <signal.h>

#include <utility>

namespace enigma::cli {

namespace {

sigset_t StopSet() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

StopSignals::StopSignals(std::function<void()> drain, std::function<void()> stop)
    : drain_(std::move(drain)), stop_(std::move(stop)) {
  const sigset_t set = StopSet();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  thread_ = std::thread([this] { Watch(); });
}

StopSignals::~StopSignals() {
  done_.store(true);
  thread_.join();
}

void StopSignals::Watch() {
  const sigset_t set = StopSet();
  while (!done_.load()) {
    const timespec wait{.tv_sec = 0, .tv_nsec = 100'000'000};
    if (::sigtimedwait(&set, nullptr, &wait) < 0) continue;
    stopped_.exchange(true) ? stop_() : drain_();
  }
}

}  // namespace enigma::cli
