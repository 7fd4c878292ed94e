#pragma once

#include <absl/time/time.h>

namespace enigma::worker {

// Guesses from the last waits of a stage how long the next one will be. Steps of a replica come at a beat, and a thread
// that sleeps until a frame wakes it loses the time its core takes to wake; so the stage sleeps until shortly before
// the beat and looks for the rest of the time. Where no beat is to be seen, it sleeps. Not thread-safe.
class WaitForecast {
 public:
  void Observe(absl::Duration waited);
  // How long to sleep; after that, how long to look before sleeping again.
  absl::Duration Sleep() const;
  absl::Duration Look() const;

 private:
  double mean_us_ = 0;
  double deviation_us_ = 0;  // mean distance from the mean
  int observed_ = 0;
};

}  // namespace enigma::worker
