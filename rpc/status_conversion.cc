#include "rpc/status_conversion.h"

#include <string>

namespace enigma {

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto message = status.message();
  return {static_cast<grpc::StatusCode>(status.raw_code()), std::string(message.data(), message.size())};
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return {static_cast<absl::StatusCode>(status.error_code()), status.error_message()};
}

}  // namespace enigma
