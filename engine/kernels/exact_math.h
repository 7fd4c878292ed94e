#pragma once

namespace enigma::engine {

// Elementary functions in double made of IEEE additions, multiplications and divisions alone, so that every machine and
// C library gives the same bits; within a few 1e-16 relative of the truth in the ranges that rotation tables need.
double ExactLog(double x);                                 // x > 0, normal
double ExactExp(double x);                                 // |x| < 700
void ExactSinCos(double x, double* sine, double* cosine);  // |x| < 1e6 radians

}  // namespace enigma::engine
