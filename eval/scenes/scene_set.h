#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <absl/status/statusor.h>

#include "eval/scenes/scene.h"

namespace enigma::eval {

struct SceneSetOptions {
  std::string folder;  // made where it is not there; empty where it is
  uint64_t count = 0;
  uint64_t seed = 0;
  uint32_t size = 64;  // pixels a side, from 16 to 4096
  bool held_out = false;
  std::function<void(uint64_t done)> progress;
};

// A line of captions.jsonl, without its end: "image" (the picture's path below the folder), "caption", "captions" (all
// that are right) and "facts".
std::string SceneLine(const Scene& scene, const std::string& image, const std::string& caption);

// Writes images/000000.png, ... and beside them captions.jsonl, which has its name when all is written
// (captions.jsonl.partial before). Pictures and lines depend on seed, number, size and held_out
// alone. AlreadyExists where the folder holds something; else what the disk says, with the path.
// Returns the bytes written.
absl::StatusOr<uint64_t> WriteSceneSet(const SceneSetOptions& options);

}  // namespace enigma::eval
