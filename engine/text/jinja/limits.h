#pragma once

#include <cstddef>
#include <cstdint>

namespace enigma::engine::jinja {

// What a template may cost. Templates come with models from strangers, so each limit ends the work with
// kResourceExhausted and a sentence; none of them depends on the clock.
struct Limits {
  size_t template_bytes_max = size_t{1} << 20;
  int64_t steps_max = 5'000'000;  // expressions and statements evaluated, plus bulk work by size
  size_t output_bytes_max = size_t{16} << 20;
  size_t string_bytes_max = size_t{16} << 20;   // of one string
  size_t list_items_max = 100'000;              // of one list or dict; what Jinja's own sandbox allows a range
  size_t memory_bytes_max = size_t{256} << 20;  // of all values alive at one time
  int depth_max = 400;                          // expressions, blocks and macro calls inside each other
};

// How values print and mix where the engines of the field differ.
enum class Dialect {
  // Python's Jinja2 as transformers sets it up: what the authors of a template ran. True, ['a'], 1 == True.
  kPython,
  // The JavaScript engine of Hugging Face: true, ["a"], 1 + "a" joins, 1 is not true.
  kJavaScript,
};

}  // namespace enigma::engine::jinja
