#pragma once

#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>

#include "engine/text/jinja/limits.h"
#include "engine/text/jinja/position.h"
#include "engine/text/jinja/value.h"

namespace enigma::engine::jinja {

// What one rendering may use and has used: steps, memory, and the objects it made. Not thread-safe; one per rendering.
class Runtime {
 public:
  Runtime(const Limits& limits, Dialect dialect, std::time_t now) : limits_(limits), dialect_(dialect), now_(now) {}
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  const Limits& limits() const { return limits_; }
  Dialect dialect() const { return dialect_; }
  std::time_t now() const { return now_; }

  // Counts `steps` and fails when they, or the memory, are spent. Called before work of that size.
  absl::Status Work(size_t steps);
  // For work by bytes: searching, copying.
  absl::Status WorkOnBytes(size_t bytes) { return Work(bytes / 64 + 1); }
  // Before a string or list of that size is built.
  absl::Status CheckString(size_t bytes) const;
  absl::Status CheckItems(size_t items) const;

  Value String(std::string text);
  Value String(std::string_view text) { return String(std::string(text)); }
  Value String(const char* text) { return String(std::string(text)); }
  Value List(std::vector<Value> items);
  Value Tuple(std::vector<Value> items);
  // A later entry with the same key takes the place of the earlier. Fails where a key cannot be one (a list).
  absl::StatusOr<Value> Dict(std::vector<DictData::Entry> entries);

  // Keeps an object until the rendering ends.
  template <typename T, typename... A>
  T* Own(A&&... arguments) {
    auto object = std::make_unique<T>(std::forward<A>(arguments)...);
    T* raw = object.get();
    objects_.push_back(std::move(object));
    memory_.live_bytes += sizeof(T) + kObjectOverhead;
    return raw;
  }

  // Adds the place to an error that has none yet.
  absl::Status At(Position at, absl::Status error);
  // The error of `raise_exception`: for the reader of the message, so it names no place.
  absl::Status Raised(std::string_view message);

 private:
  static constexpr size_t kObjectOverhead = 64;

  Value Keep(Value container);

  const Limits limits_;
  const Dialect dialect_;
  const std::time_t now_;
  int64_t steps_ = 0;
  bool too_deep_ = false;
  bool located_ = false;
  Memory memory_;
  std::vector<std::unique_ptr<Object>> objects_;
};

// Containers inside each other that a rendering may build or be given.
inline constexpr int kValueDepthMax = 100;

}  // namespace enigma::engine::jinja
