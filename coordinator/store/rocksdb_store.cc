#include "coordinator/store/rocksdb_store.h"

#include <cstdarg>
#include <filesystem>
#include <memory>
#include <utility>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>

#include "base/status_macros.h"
#include "base/text.h"

namespace enigma::coordinator {
namespace {

// Takes the place of RocksDB's own log file, whose writer ends the process when the disk is full (an assertion that
// Debian's build keeps): a state that cannot be written must be an error of the call, not the death of the coordinator.
class NoLogFile final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

rocksdb::Slice ToSlice(std::string_view text) { return {text.data(), text.size()}; }

absl::Status FromRocksDb(const rocksdb::Status& status, std::string_view path) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = absl::StrCat("the state in ", ToAbsl(path), ": ", status.ToString());
  if (status.IsNoSpace()) {
    return absl::ResourceExhaustedError(absl::StrCat(text, " (the disk is full; make room and try again)"));
  }
  if (status.IsCorruption()) return absl::DataLossError(text);
  if (status.IsNotFound()) return absl::NotFoundError(text);
  return absl::UnavailableError(text);
}

}  // namespace

RocksDbStore::RocksDbStore(std::string path, std::unique_ptr<rocksdb::DB> db)
    : path_(std::move(path)), db_(std::move(db)) {}

RocksDbStore::~RocksDbStore() = default;

absl::StatusOr<std::unique_ptr<RocksDbStore>> RocksDbStore::Open(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return absl::UnavailableError(absl::StrCat("cannot make the folder ", path, ": ", error.message()));

  rocksdb::Options options;
  options.create_if_missing = true;
  options.info_log = std::make_shared<NoLogFile>();
  options.max_open_files = 64;
  options.write_buffer_size = 4 << 20;  // control state is small
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options, path, &db);
  if (!status.ok()) {
    // RocksDB tells a held lock only in words.
    if (status.IsIOError() && absl::StrContains(status.ToString(), "lock")) {
      return absl::FailedPreconditionError(
          absl::StrCat("another coordinator is using ", path, "; stop it or choose another --data-dir"));
    }
    return FromRocksDb(status, path);
  }
  return std::unique_ptr<RocksDbStore>(new RocksDbStore(path, std::unique_ptr<rocksdb::DB>(db)));
}

absl::StatusOr<std::string> RocksDbStore::Get(std::string_view key) const {
  std::string value;
  const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), ToSlice(key), &value);
  if (status.IsNotFound()) return absl::NotFoundError(absl::StrCat("no record '", ToAbsl(key), "'"));
  ENIGMA_RETURN_IF_ERROR(FromRocksDb(status, path_));
  return value;
}

absl::Status RocksDbStore::Apply(const std::vector<Write>& batch) {
  rocksdb::WriteBatch writes;
  for (const Write& write : batch) {
    if (write.value.has_value()) {
      writes.Put(ToSlice(write.key), ToSlice(*write.value));
    } else {
      writes.Delete(ToSlice(write.key));
    }
  }
  rocksdb::WriteOptions options;
  options.sync = true;
  return FromRocksDb(db_->Write(options, &writes), path_);
}

absl::Status RocksDbStore::Scan(std::string_view prefix, const Visitor& visit) const {
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(rocksdb::ReadOptions()));
  for (it->Seek(ToSlice(prefix)); it->Valid() && it->key().starts_with(ToSlice(prefix)); it->Next()) {
    ENIGMA_RETURN_IF_ERROR(visit({it->key().data(), it->key().size()}, {it->value().data(), it->value().size()}));
  }
  return FromRocksDb(it->status(), path_);
}

}  // namespace enigma::coordinator
