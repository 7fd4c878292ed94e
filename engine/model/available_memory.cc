#include "engine/model/available_memory.h"

#include <algorithm>
#include <fstream>
#include <string>

namespace enigma::engine {
namespace {

// The number after `key` in a file of "key number" lines.
std::optional<uint64_t> NumberAfter(const std::string& path, const std::string& key) {
  std::ifstream in(path);
  std::string word;
  uint64_t value = 0;
  while (in >> word) {
    if (word == key && in >> value) return value;
  }
  return std::nullopt;
}

std::optional<uint64_t> OnlyNumber(const std::string& path) {
  std::ifstream in(path);
  uint64_t value = 0;
  if (in >> value) return value;
  return std::nullopt;  // absent, or "max"
}

std::optional<uint64_t> GroupLeaves() {
  const std::string group = "/sys/fs/cgroup/";
  const auto limit = OnlyNumber(group + "memory.max");
  const auto used = OnlyNumber(group + "memory.current");
  if (!limit || !used) return std::nullopt;
  const uint64_t cache = NumberAfter(group + "memory.stat", "inactive_file").value_or(0);
  const uint64_t held = *used - std::min(*used, cache);
  return *limit - std::min(*limit, held);
}

}  // namespace

std::optional<uint64_t> AvailableMemoryBytes() {
  std::optional<uint64_t> available;
  if (const auto kibibytes = NumberAfter("/proc/meminfo", "MemAvailable:")) available = *kibibytes * 1024;
  if (const auto leaves = GroupLeaves()) available = available ? std::min(*available, *leaves) : *leaves;
  return available;
}

}  // namespace enigma::engine
