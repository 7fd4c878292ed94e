#include "coordinator/operations/measure_links.h"

#include <limits>
#include <memory>
#include <thread>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "base/status_macros.h"
#include "proto/worker.grpc.pb.h"
#include "rpc/status_conversion.h"

namespace enigma::coordinator {
namespace {

constexpr absl::Duration kLinkAgeMax = absl::Minutes(5);
constexpr absl::Duration kProbeTimeout = absl::Seconds(10);
constexpr uint32_t kRoundTrips = 9;
constexpr uint64_t kProbeBytes = 2 << 20;

absl::StatusOr<Link> Probe(ControlPlane& plane, const Node& from, const Node& to) {
  ENIGMA_ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel, plane.channels.Connect(from));
  const auto stub = enigma::v1::Worker::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kProbeTimeout));
  enigma::v1::ProbeLinkRequest request;
  request.mutable_target()->set_node_id(to.id);
  request.mutable_target()->mutable_endpoints()->Assign(to.endpoints.begin(), to.endpoints.end());
  request.set_round_trips(kRoundTrips);
  request.set_bytes(kProbeBytes);
  enigma::v1::ProbeLinkReply reply;
  ENIGMA_RETURN_IF_ERROR(FromGrpc(stub->ProbeLink(&context, request, &reply)));
  return Link{reply.round_trip_seconds(), reply.bytes_per_second()};
}

}  // namespace

MeasuredLinks MeasureLinks(ControlPlane& plane, const std::vector<Node>& nodes) {
  const size_t count = nodes.size();
  MeasuredLinks measured;
  measured.links.assign(count, std::vector<Link>(count));
  absl::Mutex mutex;  // over `measured`
  const auto probe = [&](size_t from, size_t to) {
    const absl::StatusOr<Link> link = Probe(plane, nodes[from], nodes[to]);
    if (link.ok()) plane.links.Put(nodes[from].id, nodes[to].id, *link, plane.clock.Monotonic());
    absl::MutexLock lock(&mutex);
    measured.links[from][to] = link.ok() ? *link : Link{std::numeric_limits<double>::infinity(), 0};
    if (!link.ok()) {
      measured.failures.push_back(absl::StrCat("the link from ", nodes[from].Label(), " to ", nodes[to].Label(),
                                               " does not work: ", link.status().message()));
    }
  };
  for (size_t shift = 1; shift < count; ++shift) {
    std::vector<std::thread> round;
    for (size_t from = 0; from < count; ++from) {
      const size_t to = (from + shift) % count;
      const auto known = plane.links.Find(nodes[from].id, nodes[to].id, plane.clock.Monotonic(), kLinkAgeMax);
      if (known) {
        absl::MutexLock lock(&mutex);
        measured.links[from][to] = *known;
      } else {
        round.emplace_back(probe, from, to);
      }
    }
    for (std::thread& thread : round) thread.join();
  }
  return measured;
}

}  // namespace enigma::coordinator
