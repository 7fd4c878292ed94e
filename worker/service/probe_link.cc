#include "worker/service/probe_link.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/clock.h"
#include "base/status_macros.h"
#include "proto/worker.grpc.pb.h"
#include "rpc/status_conversion.h"

namespace enigma::worker {
namespace {

constexpr uint32_t kRoundTripsMax = 1000;
constexpr uint32_t kRoundTripsDefault = 20;
constexpr uint64_t kBytesMax = uint64_t{256} << 20;
constexpr uint64_t kMessageBytes = uint64_t{1} << 20;
constexpr std::chrono::seconds kEchoTimeout{10};
constexpr uint32_t kConnectMsDefault = 2000;
constexpr uint32_t kConnectMsMax = 10000;

absl::StatusOr<double> EchoSeconds(v1::Worker::Stub& stub, const v1::EchoRequest& request) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kEchoTimeout);
  v1::EchoReply reply;
  const Clock& clock = Clock::System();
  const absl::Duration start = clock.Monotonic();
  ENIGMA_RETURN_IF_ERROR(FromGrpc(stub.Echo(&context, request, &reply)));
  if (reply.received_bytes() != request.payload().size()) {
    return absl::DataLossError(
        absl::StrCat("an echo of ", request.payload().size(), " bytes came back as ", reply.received_bytes()));
  }
  return absl::ToDoubleSeconds(clock.Monotonic() - start);
}

}  // namespace

absl::StatusOr<v1::ProbeLinkReply> ProbeLink(const NodeChannels& channels, const v1::ProbeLinkRequest& request) {
  const uint32_t connect_ms =
      request.connect_timeout_ms() == 0 ? kConnectMsDefault : std::min(request.connect_timeout_ms(), kConnectMsMax);
  ENIGMA_ASSIGN_OR_RETURN(const auto channel, channels.Connect(request.target(), absl::Milliseconds(connect_ms)));
  const auto stub = v1::Worker::NewStub(channel);
  v1::EchoRequest echo;
  std::vector<double> seconds;
  const uint32_t trips =
      request.round_trips() == 0 ? kRoundTripsDefault : std::min(request.round_trips(), kRoundTripsMax);
  ENIGMA_RETURN_IF_ERROR(EchoSeconds(*stub, echo).status());  // the first call pays for the stream's set-up
  for (uint32_t i = 0; i < trips; ++i) {
    ENIGMA_ASSIGN_OR_RETURN(seconds.emplace_back(), EchoSeconds(*stub, echo));
  }
  std::nth_element(seconds.begin(), seconds.begin() + static_cast<ptrdiff_t>(seconds.size() / 2), seconds.end());
  v1::ProbeLinkReply reply;
  reply.set_round_trip_seconds(seconds[seconds.size() / 2]);

  const uint64_t bytes = std::min(request.bytes(), kBytesMax);
  if (bytes == 0) return reply;
  double total = 0;
  for (uint64_t sent = 0; sent < bytes; sent += echo.payload().size()) {
    echo.mutable_payload()->assign(std::min(kMessageBytes, bytes - sent), 'e');
    ENIGMA_ASSIGN_OR_RETURN(const double spent, EchoSeconds(*stub, echo));
    total += spent;
  }
  reply.set_bytes_per_second(static_cast<double>(bytes) / total);
  return reply;
}

}  // namespace enigma::worker
