#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/status.h>

namespace enigma::cli {

// A coordinator and workers on this machine, each a process of its own, found over UDP like those of other machines.
struct LocalClusterOptions {
  std::string data_dir;
  uint32_t workers = 1;
  uint32_t stages = 0;              // 0: as placement likes
  std::vector<std::string> models;  // GGUF files to import and load
  std::vector<std::string> names;   // of the models, in order; those missing take the file's stem
  // Their image encoders, in order; those without one take no pictures.
  std::vector<std::string> encoders;
  std::string listen;  // coordinator's; "" for the default
  std::string http;
  std::string specialists;         // file behind the model "auto"; empty: that of the folder below
  std::string models_dir;          // of models that are there from the start; empty: those that come with the program
  bool no_default_models = false;  // not even these
  uint32_t udp_port = 0;           // 0 for the default
  std::string log;
  bool insecure = false;
  bool trusted_network = false;  // of the workers
  uint32_t drain_seconds = 30;   // that requests may take to end once this is told to stop
  uint32_t threads = 0;          // of all workers together; 0: one per core
  std::string ready_file;        // written once the models answer

  // What model number `index` is to be called.
  std::string NameOf(size_t index) const;
  // Its image encoder; "" for none.
  std::string EncoderOf(size_t index) const;
};

// Runs until a signal (SIGINT, SIGTERM), which drains the coordinator before the workers are stopped, or until the
// coordinator ends. A second signal ends all at once. Call from the main thread, with no other threads
// that would take those signals.
absl::Status RunLocalCluster(const LocalClusterOptions& options);

}  // namespace enigma::cli
