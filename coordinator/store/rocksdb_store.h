#pragma once

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "coordinator/store/store.h"

namespace rocksdb {
class DB;
}

namespace enigma::coordinator {

// A RocksDB folder on local disk; every batch is synced before Apply returns.
class RocksDbStore final : public Store {
 public:
  // Makes the folder where it is missing. FAILED_PRECONDITION when another process has it open.
  static absl::StatusOr<std::unique_ptr<RocksDbStore>> Open(const std::string& path);
  ~RocksDbStore() override;

  absl::StatusOr<std::string> Get(std::string_view key) const override;
  absl::Status Apply(const std::vector<Write>& batch) override;
  absl::Status Scan(std::string_view prefix, const Visitor& visit) const override;

 private:
  RocksDbStore(std::string path, std::unique_ptr<rocksdb::DB> db);

  const std::string path_;
  const std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace enigma::coordinator
