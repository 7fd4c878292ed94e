#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/time/time.h>

#include "proto/inference.pb.h"

namespace enigma::coordinator {

// What one key may take; 0: as much as it likes.
struct KeyQuota {
  uint32_t requests_per_minute = 0;
  uint64_t tokens_per_minute = 0;                                        // of prompts and answers together
  uint32_t concurrency_max = 0;                                          // requests at a time
  enigma::v1::Priority priority_max = enigma::v1::PRIORITY_UNSPECIFIED;  // the highest class; unspecified: any
};

// A key with which a program asks for text. Of its secret only the hash is known here.
struct ApiKey {
  std::string id;                   // 12 hexadecimal digits
  std::string name;                 // only one key that is not revoked has it
  std::string secret_hash;          // SHA-256 of the whole secret, 32 bytes
  std::vector<std::string> models;  // that it may use; empty: all
  KeyQuota quota;
  absl::Time created;
  absl::Time expires = absl::InfiniteFuture();
  absl::Time revoked = absl::InfiniteFuture();  // when that was done

  // Whenever that was done: a clock that goes back revives no key.
  bool is_revoked() const { return revoked != absl::InfiniteFuture(); }
  bool MayUse(std::string_view model) const;
};

// Immutable and shared: a request goes on with the key as it was when it was asked.
using ApiKeyPtr = std::shared_ptr<const ApiKey>;

// What every secret begins with; 64 hexadecimal digits follow.
inline constexpr std::string_view kApiKeyPrefix = "enk-";

}  // namespace enigma::coordinator
