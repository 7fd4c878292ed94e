#include "coordinator/operations/measure_links.h"

#include <limits>
#include <memory>
#include <thread>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "proto/worker.grpc.pb.h"
#include "rpc/status_conversion.h"

namespace enigma::coordinator {
namespace {

constexpr absl::Duration kLinkAgeMax = absl::Minutes(5);
constexpr absl::Duration kBrokenAgeMax = absl::Seconds(10);
constexpr absl::Duration kProbeTimeout = absl::Seconds(10);
constexpr absl::Duration kConnectTimeout = absl::Seconds(2);
// For the link between two nodes that have just lost each other: most likely it does not work, and a model waits.
constexpr absl::Duration kSuspectTimeout = absl::Seconds(1);
constexpr uint32_t kRoundTrips = 9;
constexpr uint64_t kProbeBytes = 2 << 20;

absl::StatusOr<Link> Probe(ControlPlane& plane, const Node& from, const Node& to, absl::Duration connect_timeout) {
  ENIGMA_ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel, plane.channels.Connect(from));
  const auto stub = enigma::v1::Worker::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kProbeTimeout));
  enigma::v1::ProbeLinkRequest request;
  request.mutable_target()->set_node_id(to.id);
  request.mutable_target()->mutable_endpoints()->Assign(to.endpoints.begin(), to.endpoints.end());
  request.set_round_trips(kRoundTrips);
  request.set_bytes(kProbeBytes);
  request.set_connect_timeout_ms(static_cast<uint32_t>(absl::ToInt64Milliseconds(connect_timeout)));
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
  const auto note_broken = [&](size_t from, size_t to, const std::string& why) {
    absl::MutexLock lock(&mutex);
    measured.links[from][to] = Link{std::numeric_limits<double>::infinity(), 0};
    measured.failures.push_back(
        absl::StrCat("the link from ", nodes[from].Label(), " to ", nodes[to].Label(), " does not work: ", why));
  };
  const auto probe = [&](size_t from, size_t to, absl::Duration connect_timeout) {
    const absl::StatusOr<Link> link = Probe(plane, nodes[from], nodes[to], connect_timeout);
    const absl::Duration now = plane.clock.Monotonic();
    if (!link.ok()) {
      const std::string why = ToString(link.status().message());
      plane.links.PutBroken(nodes[from].id, nodes[to].id, why, now);
      return note_broken(from, to, why);
    }
    plane.links.Put(nodes[from].id, nodes[to].id, *link, now);
    absl::MutexLock lock(&mutex);
    measured.links[from][to] = *link;
  };
  std::vector<std::thread> suspects;
  for (size_t shift = 1; shift < count; ++shift) {
    std::vector<std::thread> round;
    for (size_t from = 0; from < count; ++from) {
      const size_t to = (from + shift) % count;
      const absl::Duration now = plane.clock.Monotonic();
      if (const auto known = plane.links.Find(nodes[from].id, nodes[to].id, now, kLinkAgeMax)) {
        absl::MutexLock lock(&mutex);
        measured.links[from][to] = *known;
      } else if (const auto why = plane.links.FindBroken(nodes[from].id, nodes[to].id, now, kBrokenAgeMax)) {
        note_broken(from, to, *why);
      } else if (plane.links.IsSuspect(nodes[from].id, nodes[to].id)) {
        suspects.emplace_back(probe, from, to, kSuspectTimeout);  // no round has to wait for them
      } else {
        round.emplace_back(probe, from, to, kConnectTimeout);
      }
    }
    for (std::thread& thread : round) thread.join();
  }
  for (std::thread& thread : suspects) thread.join();
  return measured;
}

}  // namespace enigma::coordinator
