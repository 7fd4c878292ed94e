#pragma once

namespace enigma::eval {

// Where the share lies that an experiment estimates, with 95 % confidence.
struct Interval {
  double low = 0;
  double high = 1;
};

// Wilson's score interval of `successes` in `trials`, which holds near 0 and 1 and for few trials too (E. B. Wilson,
// "Probable inference, the law of succession, and statistical inference", 1927). `successes` may be a sum of shares
// within trials, such as the passes of several samples of one request; the interval is then wider than it need be.
// From 0 to 1 without trials.
Interval WilsonInterval(double successes, double trials);

}  // namespace enigma::eval
