#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "coordinator/store/store.h"

namespace enigma::coordinator {

// Where the version of the records' layout stands.
inline constexpr char kSchemaKey[] = "meta/schema";

// One step from version `to - 1` to `to`: the writes that change the records. They are applied together with the new
// version number, so a crash leaves either version whole.
struct Migration {
  uint32_t to = 0;
  std::function<absl::StatusOr<std::vector<Store::Write>>(const Store&)> writes;
};

// This build's steps, from version 1 (an empty store) on.
std::span<const Migration> Migrations();

// Brings the store to the newest version of `migrations`. FAILED_PRECONDITION when the store is newer than that: an
// older program must not touch what it does not understand.
absl::Status MigrateStore(Store& store, std::span<const Migration> migrations);

}  // namespace enigma::coordinator
