#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "base/clock.h"
#include "coordinator/state/api_key.h"
#include "coordinator/store/store.h"

namespace enigma::coordinator {

// The keys of the API, across restarts (store keys "key/<id>"). Secrets are neither kept nor logged. Thread-safe.
class ApiKeyRegistry {
 public:
  static constexpr size_t kKeysMax = 10'000;  // also those that are of no use any more
  static constexpr size_t kNameBytesMax = 64;
  static constexpr size_t kModelsMax = 256;

  // Both must outlive it.
  ApiKeyRegistry(Store& store, const Clock& clock) : store_(store), clock_(clock) {}

  // DATA_LOSS names the key of a corrupt record.
  absl::Status Restore();

  struct NewKey {
    ApiKeyPtr key;
    std::string secret;  // nobody can tell it again
  };
  // Takes name, models, quota and expiry from `wanted`. INVALID_ARGUMENT names the field; ALREADY_EXISTS when a key
  // that is not revoked has the name. Keys that have been of no use for a month are forgotten here.
  absl::StatusOr<NewKey> Create(ApiKey wanted);

  struct Listed {
    ApiKeyPtr key;
    absl::Time last_used;  // InfinitePast: never
  };
  // By id, or by the name of a key that is not revoked. From when it returns, the key opens nothing; what it began goes
  // on. A key revoked before stays as it is.
  absl::StatusOr<Listed> Revoke(std::string_view id_or_name);

  // The key of a secret that somebody shows, which counts as a use of it. UNAUTHENTICATED when no key has it, or when
  // it was revoked or has expired; the message never quotes the secret.
  absl::StatusOr<ApiKeyPtr> Check(std::string_view secret);

  std::vector<Listed> List() const;  // oldest first
  bool HasUsableKey() const;

  // Writes when each key was used last, which is otherwise written only with every change of a key: a crash forgets the
  // uses since then, and no request waits for the disk.
  absl::Status SaveLastUses();

 private:
  struct Entry {
    ApiKeyPtr key;
    absl::Time last_used = absl::InfinitePast();
    absl::Time last_used_stored = absl::InfinitePast();
  };
  absl::Status CheckNew(const ApiKey& wanted) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Adds the records whose last use has changed.
  void AddLastUses(std::vector<Store::Write>& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Apply(std::vector<Store::Write> batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Store& store_;
  const Clock& clock_;
  mutable absl::Mutex mutex_;
  std::map<std::string, Entry, std::less<>> keys_ ABSL_GUARDED_BY(mutex_);  // by id
  // The id of each secret, by the first bytes of its hash: what a search can be timed to tell is of no use to anybody
  // who cannot turn SHA-256 around.
  std::multimap<std::string, std::string, std::less<>> ids_by_hash_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace enigma::coordinator
