// What a hop between two stages costs: a frame goes over one link with mutual TLS on loopback and comes back over
// another one, as between two workers; half of the round trip is a hop. Prints percentiles as JSON.
//   hop_bench [payload bytes, 16384] [round trips, 5000] [insecure]

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/synchronization/mutex.h>

#include "base/clock.h"
#include "benchmarks/or_die.h"
#include "rpc/certificate_authority.h"
#include "rpc/channel.h"
#include "rpc/server.h"
#include "worker/pipeline/frame_buffer.h"
#include "worker/pipeline/stage_inbox.h"
#include "worker/pipeline/stage_link.h"
#include "worker/pipeline/stage_link_service.h"

namespace enigma::worker {
namespace {

struct Node {
  explicit Node(NodeIdentity who) : identity(std::move(who)) {}
  NodeIdentity identity;
  std::shared_ptr<StageInbox> inbox = std::make_shared<StageInbox>(/*frames_max=*/16, /*requests_max=*/16);
  std::unique_ptr<StageLinkService> links;
  std::unique_ptr<RpcServer> server;
  std::unique_ptr<StageLink> out;
};

void Serve(Node& node, const std::string& cluster_id, bool insecure) {
  node.links =
      std::make_unique<StageLinkService>(insecure ? Authoriser::Insecure() : Authoriser::ForCluster(cluster_id),
                                         [&node](const LinkPeer&) -> absl::StatusOr<std::shared_ptr<FrameReceiver>> {
                                           return std::static_pointer_cast<FrameReceiver>(node.inbox);
                                         });
  node.server = OrDie(RpcServer::Start(
      {.host = "127.0.0.1", .identity = insecure ? nullptr : &node.identity, .configure = [&node](auto& builder) {
         builder.RegisterCallbackGenericService(node.links.get());
       }}));
}

void Connect(Node& from, const Node& to, bool insecure) {
  const auto channel = MakeChannel(absl::StrCat("127.0.0.1:", to.server->port()), insecure ? nullptr : &from.identity,
                                   insecure ? ExpectedPeer::AnyNode() : ExpectedPeer::Node(to.identity.node_id));
  from.out = OrDie(
      StageLink::Open(channel, {.replica = 1, .from_stage = 0, .from_node = from.identity.node_id, .on_lost = {}}));
}

// The next frame, waited for as a stage does. Empty when the link is lost or the inbox closed.
std::optional<grpc::ByteBuffer> NextFrame(StageInbox& inbox) {
  std::optional<StageEvent> event = inbox.Pop(StageInbox::Wait::kSoon);
  auto* arrived = event ? std::get_if<FrameArrived>(&*event) : nullptr;
  if (arrived == nullptr) return std::nullopt;
  return std::move(arrived->frame);
}

// What a stage does with a frame but for the layers: takes it apart, copies the hidden states, makes the next frame.
grpc::ByteBuffer PassOn(const grpc::ByteBuffer& buffer, engine::AlignedBuffer<float>& hidden) {
  const ReceivedFrame frame = OrDie(ReceivedFrame::Parse(buffer));
  const std::span<const uint8_t> plan = frame.view().plan;
  return MakeStepBuffer(frame.view().header, {reinterpret_cast<const char*>(plan.data()), plan.size()},
                        frame.Hidden(hidden));
}

int Main(size_t payload, int round_trips, bool insecure) {
  const std::string folder = absl::StrCat(std::filesystem::temp_directory_path().string(), "/hop_bench_", ::getpid());
  const auto authority = OrDie(CertificateAuthority::LoadOrCreate(folder));
  Node a(OrDie(authority->Issue("node-a", Role::kWorker)));
  Node b(OrDie(authority->Issue("node-b", Role::kWorker)));
  std::filesystem::remove_all(folder);
  Serve(a, authority->cluster_id(), insecure);
  Serve(b, authority->cluster_id(), insecure);
  Connect(a, b, insecure);
  Connect(b, a, insecure);

  std::thread echo([&b] {
    engine::AlignedBuffer<float> hidden;
    while (auto frame = NextFrame(*b.inbox)) {
      if (!b.out->Send(PassOn(*frame, hidden)).ok()) return;
    }
  });
  StepPlan plan;
  plan.runs.resize(1);
  plan.runs[0].count = 1;
  const std::string encoded = EncodePlan(plan);
  const std::vector<float> state(payload / sizeof(float), 0.5F);
  const FrameHeader header = StepHeader(plan, 1, encoded.size(), static_cast<uint32_t>(state.size()), WireType::kF32);
  engine::AlignedBuffer<float> hidden;
  std::vector<double> hops;
  for (int i = 0; i < round_trips + 200; ++i) {
    const absl::Duration start = Clock::System().Monotonic();
    if (!a.out->Send(MakeStepBuffer(header, encoded, state)).ok()) return 1;
    const auto frame = NextFrame(*a.inbox);
    if (!frame) return 1;
    OrDie(ReceivedFrame::Parse(*frame)).Hidden(hidden);
    if (i >= 200) hops.push_back(absl::ToDoubleMicroseconds(Clock::System().Monotonic() - start) / 2);
  }
  a.out.reset();
  b.inbox->Close();
  echo.join();
  b.out.reset();
  std::sort(hops.begin(), hops.end());
  const auto percentile = [&](size_t p) { return hops[hops.size() * p / 100]; };
  std::printf("{\"payload_bytes\":%zu,\"mtls\":%s,\"hop_us\":{\"p10\":%.1f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f}}\n",
              payload, insecure ? "false" : "true", percentile(10), percentile(50), percentile(90), percentile(99));
  return 0;
}

}  // namespace
}  // namespace enigma::worker

int main(int argc, char** argv) {
  const size_t payload = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 16384;
  const int round_trips = argc > 2 ? std::atoi(argv[2]) : 5000;
  const bool insecure = argc > 3 && std::strcmp(argv[3], "insecure") == 0;
  return enigma::worker::Main(payload, std::max(1, round_trips), insecure);
}
