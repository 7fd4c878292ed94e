#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace enigma::coordinator {

// The control state's home: ordered keys and values, written in atomic, durable batches. Implementations are
// thread-safe. Errors: NOT_FOUND (no such key), RESOURCE_EXHAUSTED (the disk is full), DATA_LOSS (corruption),
// UNAVAILABLE (the medium failed). tests/unit/coordinator/store_conformance_test.cc holds every implementation to this.
class Store {
 public:
  struct Write {
    std::string key;
    std::optional<std::string> value;  // empty: delete (deleting what is not there is no error)
  };
  // Returning an error stops the scan, and the scan returns it.
  using Visitor = std::function<absl::Status(std::string_view key, std::string_view value)>;

  virtual ~Store() = default;

  virtual absl::StatusOr<std::string> Get(std::string_view key) const = 0;
  // All writes or none, in order; on return they survive a crash.
  virtual absl::Status Apply(const std::vector<Write>& batch) = 0;
  // Every key that starts with `prefix`, in byte order, as of one moment. The visitor must not write to the store.
  virtual absl::Status Scan(std::string_view prefix, const Visitor& visit) const = 0;

  absl::Status Put(std::string key, std::string value) { return Apply({{std::move(key), std::move(value)}}); }
  absl::Status Delete(std::string key) { return Apply({{std::move(key), std::nullopt}}); }
};

}  // namespace enigma::coordinator
