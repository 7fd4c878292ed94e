#include "coordinator/operations/use_specialists.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/counter_random.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/operations/router_of.h"
#include "engine/checkpoint/durable_file.h"
#include "telemetry/log.h"

namespace enigma::coordinator {
namespace {

// Readers see the old content or the new, also after a power cut.
absl::Status WriteWhole(const std::string& path, std::string_view content) {
  const std::string beside = absl::StrCat(path, ".", absl::Hex(SystemRandom64()), ".new");
  const auto write = [&]() -> absl::Status {
    ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<engine::DurableFile> file, engine::DurableFile::Create(beside));
    ENIGMA_RETURN_IF_ERROR(file->Append({reinterpret_cast<const uint8_t*>(content.data()), content.size()}));
    return file->Finish();
  };
  absl::Status written = write();
  if (written.ok() && std::rename(beside.c_str(), path.c_str()) != 0) {
    written = absl::ErrnoToStatus(errno, absl::StrCat("cannot replace ", path));
  }
  if (!written.ok()) {
    std::remove(beside.c_str());
    return absl::UnavailableError(written.message());
  }
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return engine::SyncFolder(folder.empty() ? "." : folder);
}

void PutInForce(SpecialistRegistry& registry, RoutingTablePtr table, std::string_view yaml) {
  LogInfo("specialists: {}; the default is {}", table->specialists.TaskNames(), table->specialists.DefaultTask().name);
  registry.Put(std::move(table), std::string(yaml));
}

}  // namespace

KnownModels KnownModelsOf(ControlPlane& plane) {
  KnownModels known;
  known.find = [&plane](const std::string& model) { return plane.models.Find(model).status(); };
  known.labels = [&plane](const std::string& name) -> absl::StatusOr<std::vector<std::string>> {
    ENIGMA_ASSIGN_OR_RETURN(const ModelPtr model, plane.models.Find(name));
    ENIGMA_ASSIGN_OR_RETURN(engine::RouterSpec router, RouterOf(plane, *model));
    return std::move(router.labels);
  };
  return known;
}

absl::Status UseSpecialists(ControlPlane& plane, SpecialistRegistry& registry, std::string_view yaml,
                            std::string_view file) {
  ENIGMA_ASSIGN_OR_RETURN(RoutingTablePtr table, ReadRoutingTable(yaml, file, KnownModelsOf(plane)));
  PutInForce(registry, std::move(table), yaml);
  return absl::OkStatus();
}

absl::Status UseWhatIsThere(ControlPlane& plane, SpecialistRegistry& registry, std::string_view yaml,
                            std::string_view file) {
  ENIGMA_ASSIGN_OR_RETURN(Specialists all, ReadSpecialists(yaml, file, KnownModels()));
  std::vector<std::string> told;
  absl::StatusOr<Specialists> there = WithoutMissing(std::move(all), KnownModelsOf(plane), told);
  if (!there.ok())
    return absl::Status(there.status().code(), absl::StrCat(ToAbsl(file), ": ", there.status().message()));
  for (const std::string& change : told) LogWarn("{}: {}", file, change);
  ENIGMA_ASSIGN_OR_RETURN(RoutingTablePtr table, MakeRoutingTable(*std::move(there)));
  PutInForce(registry, std::move(table), yaml);
  return absl::OkStatus();
}

absl::Status StoreSpecialists(ControlPlane& plane, SpecialistRegistry& registry, std::string_view yaml,
                              const std::string& path) {
  ENIGMA_ASSIGN_OR_RETURN(RoutingTablePtr table, ReadRoutingTable(yaml, "body", KnownModelsOf(plane)));
  if (!path.empty()) ENIGMA_RETURN_IF_ERROR(WriteWhole(path, yaml));
  PutInForce(registry, std::move(table), yaml);
  return absl::OkStatus();
}

}  // namespace enigma::coordinator
