#include "worker/connection/link_call.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "rpc/status_conversion.h"

namespace enigma::worker {
namespace {

class Refusal final : public grpc::ServerGenericBidiReactor {
 public:
  explicit Refusal(const absl::Status& reason) { Finish(ToGrpc(reason)); }
  void OnDone() override { delete this; }
};

}  // namespace

absl::StatusOr<std::string> LinkMetadata(const grpc::GenericCallbackServerContext& context, const char* key) {
  const auto found = context.client_metadata().find(key);
  if (found == context.client_metadata().end()) return absl::InvalidArgumentError(absl::StrCat("link without ", key));
  return std::string(found->second.data(), found->second.size());
}

absl::StatusOr<uint64_t> LinkNumber(const grpc::GenericCallbackServerContext& context, const char* key, uint64_t most) {
  ENIGMA_ASSIGN_OR_RETURN(const std::string text, LinkMetadata(context, key));
  uint64_t number = 0;
  if (absl::SimpleAtoi(text, &number) && number <= most) return number;
  return absl::InvalidArgumentError(absl::StrCat(key, " is no number up to ", most));
}

grpc::ServerGenericBidiReactor* RefuseLink(const absl::Status& reason) { return new Refusal(reason); }

}  // namespace enigma::worker
