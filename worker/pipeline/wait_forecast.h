#pragma once

#include <absl/time/time.h>

namespace enigma::worker {

// Guesses from the last waits of a stage how long the next one will be. A thread that sleeps until a frame wakes it
// loses the time its core takes to wake and to come to speed, for one stream a fifth of the pipeline. Steps of a
// replica come at a beat; so where a stage has a core to itself it looks for the whole of a wait, and where others want
// the core too, it sleeps until shortly before the beat and looks for the rest of the time. Where no beat is to be
// seen, it sleeps. Not thread-safe.
class WaitForecast {
 public:
  void Observe(absl::Duration waited);
  // How long to sleep; after that, how long to look before sleeping again.
  absl::Duration Sleep() const;
  absl::Duration Look() const;
  // In this wait somebody else computed on the core while this thread looked. After some such waits in a row the next
  // ones leave the core to them.
  void Crowded();

 private:
  bool LooksThroughout() const;
  double Margin() const;

  double mean_us_ = 0;
  double deviation_us_ = 0;  // mean distance from the mean
  int observed_ = 0;
  bool crowded_now_ = false;
  int crowded_in_a_row_ = 0;
  int left_to_others_ = 0;       // waits until the core is tried again
  int next_left_to_others_ = 0;  // the next time; shrinks with every wait that nobody disturbed
};

}  // namespace enigma::worker
