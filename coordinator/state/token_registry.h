#pragma once

#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "coordinator/store/store.h"
#include "rpc/join_token.h"

namespace enigma::coordinator {

// The join tokens that were given out, as verifiers that prove nothing (store keys "token/<id>"). Thread-safe.
class TokenRegistry {
 public:
  explicit TokenRegistry(Store& store) : store_(store) {}

  absl::Status Add(const JoinTokenRecord& record);
  // NOT_FOUND for a token this cluster never made, or has removed.
  absl::StatusOr<JoinTokenRecord> Find(std::string_view token_id) const;
  absl::Status RemoveExpired(absl::Time now);

 private:
  Store& store_;
};

}  // namespace enigma::coordinator
