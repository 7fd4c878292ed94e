#include "cli/output/unfinished_folder.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include <absl/strings/str_cat.h>

namespace enigma::cli {

namespace {

constexpr int kEndedBySignal = 130;  // as shells say it

}  // namespace

absl::StatusOr<std::unique_ptr<UnfinishedFolder>> UnfinishedFolder::MakeBeside(const std::string& path) {
  const std::string folder = absl::StrCat(path, ".", ::getpid(), ".part");
  std::error_code error;
  std::filesystem::create_directory(folder, error);
  if (error) return absl::FailedPreconditionError(absl::StrCat(path, " cannot be made: ", error.message()));
  return std::unique_ptr<UnfinishedFolder>(new UnfinishedFolder(folder));
}

UnfinishedFolder::UnfinishedFolder(std::string folder)
    : folder_(std::move(folder)),
      signals_(
          [this] {
            Remove();
            std::_Exit(kEndedBySignal);
          },
          [] {}) {}

UnfinishedFolder::~UnfinishedFolder() { Remove(); }

void UnfinishedFolder::Remove() const {
  std::error_code ignored;  // what is left has a name that says so
  std::filesystem::remove_all(folder_, ignored);
}

}  // namespace enigma::cli
