#pragma once

#include "cli/command/command.h"
#include "proto/cluster.pb.h"

namespace enigma::cli {

// The flags of `plan` and `load` that bind placement.
class PlanFlags {
 public:
  explicit PlanFlags(Command& command);
  v1::PlanOptions Resolve() const;

 private:
  uint32_t stages_ = 0;
  uint32_t context_ = 0;
  uint32_t sequences_ = 0;
  std::string kv_type_;
  std::string wire_type_;
  std::vector<std::string> nodes_;
};

}  // namespace enigma::cli
