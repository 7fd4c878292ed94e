#include "cli/doctor/port_holder.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <vector>

namespace enigma::cli {

namespace {

namespace fs = std::filesystem;

// Of a listening TCP socket in /proc/net/tcp; a bound UDP socket has another, and every one of them counts.
constexpr char kTcpListen[] = "0A";

// Inodes of the sockets bound to `port`, from the tables of proc(5): columns "local_address" (hex ADDRESS:PORT), "st"
// and "inode".
void AddInodes(const char* table, uint16_t port, bool udp, std::set<std::string>& inodes) {
  std::ifstream in(table);
  std::string line;
  std::getline(in, line);  // headings
  while (std::getline(in, line)) {
    std::istringstream columns(line);
    const std::vector<std::string> row(std::istream_iterator<std::string>(columns), {});
    if (row.size() < 10) continue;
    const size_t colon = row[1].rfind(':');
    if (colon == std::string::npos || std::strtoul(row[1].c_str() + colon + 1, nullptr, 16) != port) continue;
    if (udp || row[3] == kTcpListen) inodes.insert("socket:[" + row[9] + "]");
  }
}

bool HoldsAny(const fs::path& process, const std::set<std::string>& sockets) {
  std::error_code error;
  for (fs::directory_iterator at(process / "fd", error), end; !error && at != end; at.increment(error)) {
    std::error_code unreadable;
    if (sockets.count(fs::read_symlink(at->path(), unreadable).string()) != 0) return true;
  }
  return false;
}

PortHolder Describe(const fs::path& process) {
  PortHolder holder;
  holder.pid = static_cast<pid_t>(std::stol(process.filename().string()));
  std::ifstream in(process / "cmdline", std::ios::binary);
  std::string program;
  std::getline(in, program, '\0');
  std::getline(in, holder.command, '\0');
  holder.program = fs::path(program).filename().string();
  return holder;
}

}  // namespace

std::optional<PortHolder> FindPortHolder(uint16_t port, bool udp) {
  std::set<std::string> sockets;
  AddInodes(udp ? "/proc/net/udp" : "/proc/net/tcp", port, udp, sockets);
  AddInodes(udp ? "/proc/net/udp6" : "/proc/net/tcp6", port, udp, sockets);
  if (sockets.empty()) return std::nullopt;
  std::error_code error;
  for (fs::directory_iterator at("/proc", error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    const bool is_process =
        !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
    if (is_process && HoldsAny(at->path(), sockets)) return Describe(at->path());
  }
  return std::nullopt;
}

}  // namespace enigma::cli
