#include "rpc/grpc_log.h"

#include <cstring>

#include <grpc/support/log.h>

#include "telemetry/log.h"

namespace enigma {
namespace {

void Forward(gpr_log_func_args* line) {
  const char* slash = std::strrchr(line->file, '/');
  LogDebug("gRPC: {} ({}:{})", line->message, slash != nullptr ? slash + 1 : line->file, line->line);
}

}  // namespace

void RouteGrpcLog() {
  static const bool routed = [] {
    gpr_set_log_function(&Forward);
    return true;
  }();
  static_cast<void>(routed);
}

}  // namespace enigma
