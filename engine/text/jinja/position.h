#pragma once

namespace enigma::engine::jinja {

// A place in the template, both counted from 1; the column in bytes.
struct Position {
  int line = 1;
  int column = 1;
};

}  // namespace enigma::engine::jinja
