#include "coordinator/store/schema.h"

#include <string>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"

namespace enigma::coordinator {
namespace {

constexpr uint32_t kFirstVersion = 1;

absl::StatusOr<uint32_t> ReadVersion(Store& store) {
  const absl::StatusOr<std::string> stored = store.Get(kSchemaKey);
  if (absl::IsNotFound(stored.status())) {
    ENIGMA_RETURN_IF_ERROR(store.Put(kSchemaKey, absl::StrCat(kFirstVersion)));
    return kFirstVersion;
  }
  ENIGMA_RETURN_IF_ERROR(stored.status());
  uint32_t version = 0;
  if (!absl::SimpleAtoi(*stored, &version) || version == 0) {
    return absl::DataLossError(absl::StrCat("record '", kSchemaKey, "' holds '", *stored, "', not a version number"));
  }
  return version;
}

}  // namespace

std::span<const Migration> Migrations() {
  // Version 1 is the first; a change of a record's layout adds a step here, and so does a kind of record without which
  // an older program would not do what it should.
  static const std::vector<Migration> steps = {
      // API keys ("key/<id>"): no record changes, but a program that knows no keys must say so at its start, and not
      // refuse every caller.
      {2, [](const Store&) -> absl::StatusOr<std::vector<Store::Write>> { return std::vector<Store::Write>(); }},
      // Image encoders in models' records: a program that knows none would serve such a model as one that is blind.
      {3, [](const Store&) -> absl::StatusOr<std::vector<Store::Write>> { return std::vector<Store::Write>(); }},
  };
  return steps;
}

absl::Status MigrateStore(Store& store, std::span<const Migration> migrations) {
  ENIGMA_ASSIGN_OR_RETURN(uint32_t version, ReadVersion(store));
  const uint32_t newest = migrations.empty() ? kFirstVersion : migrations.back().to;
  if (version > newest) {
    return absl::FailedPreconditionError(absl::StrCat("the stored state has schema version ", version,
                                                      ", this program knows versions up to ", newest,
                                                      "; run the newer enigma, or choose another --data-dir"));
  }
  for (const Migration& step : migrations) {
    if (step.to <= version) continue;
    ENIGMA_ASSIGN_OR_RETURN(std::vector<Store::Write> writes, step.writes(store));
    writes.push_back({kSchemaKey, absl::StrCat(step.to)});
    ENIGMA_RETURN_IF_ERROR(store.Apply(writes));
    version = step.to;
  }
  return absl::OkStatus();
}

}  // namespace enigma::coordinator
