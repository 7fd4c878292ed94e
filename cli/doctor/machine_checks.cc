#include "cli/doctor/machine_checks.h"

#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include <absl/strings/str_cat.h>

#include "base/text.h"
#include "cli/generation/local_model.h"
#include "cli/output/format.h"
#include "discovery/interfaces.h"
#include "engine/kernels/cpu_target.h"

namespace enigma::cli {

namespace {

constexpr uint64_t kMemoryLow = uint64_t{1} << 30;
constexpr uint64_t kDiskLow = uint64_t{2} << 30;
constexpr rlim_t kFilesLow = 1024;

std::map<std::string, uint64_t> MemoryInfo() {
  std::map<std::string, uint64_t> bytes;
  std::ifstream in("/proc/meminfo");
  std::string line;
  while (std::getline(in, line)) {
    const size_t colon = line.find(':');
    if (colon != std::string::npos)
      bytes[line.substr(0, colon)] = std::strtoull(line.c_str() + colon + 1, nullptr, 10) << 10;
  }
  return bytes;
}

std::string CpuName() {
  std::ifstream in("/proc/cpuinfo");
  std::string line;
  while (std::getline(in, line)) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "CPU";
}

// The nearest folder above that exists: what a data directory would be made in.
std::string ExistingAncestor(const std::string& path) {
  std::error_code error;
  std::filesystem::path at = std::filesystem::absolute(path, error);
  while (!at.empty() && !std::filesystem::exists(at, error) && at != at.parent_path()) at = at.parent_path();
  return at.empty() ? "/" : at.string();
}

}  // namespace

void CheckCpu(Findings& findings) {
  if (const absl::Status status = engine::CpuSupported(); !status.ok()) {
    findings.push_back({"cpu", Verdict::kProblem, ToString(status.message()), "run stages on another machine"});
    return;
  }
  findings.push_back({"cpu", Verdict::kFine,
                      absl::StrCat(CpuName(), ", ", AvailableCores(), " core(s) for this process, kernels for ",
                                   engine::CpuTargetName()),
                      ""});
}

void CheckMemory(Findings& findings) {
  auto info = MemoryInfo();
  const uint64_t available = info["MemAvailable"];
  const std::string detail = absl::StrCat(FormatBytes(available), " available of ", FormatBytes(info["MemTotal"]),
                                          ", swap ", FormatBytes(info["SwapTotal"]));
  if (available < kMemoryLow) {
    findings.push_back({"memory", Verdict::kProblem, detail, "free memory: less than 1 GiB holds no useful stage"});
  } else {
    findings.push_back({"memory", Verdict::kFine, detail, ""});
  }
}

void CheckGpu(Findings& findings) {
  std::error_code error;
  size_t devices = 0;
  while (std::filesystem::exists(absl::StrCat("/dev/nvidia", devices), error)) ++devices;
  if (devices == 0) {
    findings.push_back({"gpu", Verdict::kNote, "no NVIDIA device (/dev/nvidia0 is absent); stages run on the CPU", ""});
    return;
  }
  findings.push_back({"gpu", Verdict::kNote,
                      absl::StrCat(devices, " NVIDIA device(s); this version runs stages on the CPU only"), ""});
}

void CheckDisk(const std::string& data_dir, Findings& findings) {
  const std::string at = ExistingAncestor(data_dir);
  struct statvfs info {};
  if (::statvfs(at.c_str(), &info) != 0) {
    findings.push_back({"disk", Verdict::kProblem, absl::StrCat(data_dir, " cannot be looked at"),
                        "choose another directory with --data-dir"});
    return;
  }
  const uint64_t free = uint64_t{info.f_bavail} * info.f_frsize;
  const std::string detail = absl::StrCat(FormatBytes(free), " free for ", data_dir);
  if (::access(at.c_str(), W_OK) != 0) {
    findings.push_back({"disk", Verdict::kProblem, absl::StrCat(at, " cannot be written to by this user"),
                        "choose another directory with --data-dir, or change its owner"});
  } else if (free < kDiskLow) {
    findings.push_back(
        {"disk", Verdict::kProblem, detail, "free disk space: workers keep the layers they fetch there"});
  } else {
    findings.push_back({"disk", Verdict::kFine, detail, ""});
  }
}

void CheckLimits(Findings& findings) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  const std::string detail = absl::StrCat(files.rlim_cur, " open files allowed");
  if (files.rlim_cur < kFilesLow) {
    findings.push_back({"limits", Verdict::kNote, detail, "raise it with `ulimit -n 4096` for more than a few nodes"});
  } else {
    findings.push_back({"limits", Verdict::kFine, detail, ""});
  }
}

void CheckInterfaces(Findings& findings) {
  const auto interfaces = ListInterfaces({});
  if (!interfaces.ok()) {
    findings.push_back({"interfaces", Verdict::kProblem, ToString(interfaces.status().message()), ""});
    return;
  }
  bool reaches_others = false;
  for (const NetworkInterface& interface : *interfaces) {
    std::string detail = interface.name;
    for (const InterfaceAddress& address : interface.addresses) absl::StrAppend(&detail, " ", address.address);
    absl::StrAppend(&detail, interface.used ? ": used" : ": skipped, ", interface.reason);
    findings.push_back({"interfaces", Verdict::kFine, detail, ""});
    reaches_others = reaches_others || (interface.used && !interface.loopback);
  }
  if (!reaches_others) {
    findings.push_back({"interfaces", Verdict::kNote, "no interface leads to other machines",
                        "only nodes on this machine are found; connect a network, or name an interface with "
                        "--interface"});
  }
}

}  // namespace enigma::cli
