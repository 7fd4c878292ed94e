#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace enigma::testing {

// Stands between two ends of TCP connections on loopback, to break what is between them. Thread-safe.
class TcpRelay {
 public:
  // Accepts on a free port of 127.0.0.1 and connects on to `port`. Null where there is no socket to be had.
  static std::unique_ptr<TcpRelay> Start(int port);
  ~TcpRelay();

  int port() const { return port_; }
  // From now on nothing is passed on, and nobody is told: a cable that was pulled.
  void Freeze() { frozen_ = true; }
  // Resets all connections and takes no new ones: a process that died.
  void Break() { broken_ = true; }

 private:
  struct Connection {
    int client = -1;
    int server = -1;
  };
  TcpRelay(int listener, int port, int target) : listener_(listener), port_(port), target_(target) {}
  void Run();
  void Accept();
  void Reset();

  const int listener_;
  const int port_;
  const int target_;
  std::atomic<bool> frozen_ = false;
  std::atomic<bool> broken_ = false;
  std::atomic<bool> stopping_ = false;
  std::vector<Connection> connections_;  // of the thread
  std::thread thread_;
};

}  // namespace enigma::testing
