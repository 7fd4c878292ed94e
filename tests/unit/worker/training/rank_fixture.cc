#include "tests/unit/worker/training/rank_fixture.h"

#include <algorithm>
#include <utility>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/collective/ring_communicator.h"
#include "engine/spec/training_presets.h"
#include "tests/support/eventually.h"

namespace enigma::worker {

using enigma::testing::Eventually;

RankFixture::RankFixture() {
  config_.spec = engine::SpecOfPreset(engine::TrainingPresets().front(), 64, 32, true);
  config_.steps = 20;
  config_.context = 32;
  config_.slots = kSlots;
  config_.sequences_per_step = kSlots;
  config_.checkpoint_seconds = 1e9;
  order_.set_job(kJob);
  order_.set_name("made");
  order_.set_orphan_seconds(60);
  order_.mutable_coordinator()->add_endpoints("coordinator");
  SetTools();
}

RankFixture::~RankFixture() {
  std::map<std::string, std::unique_ptr<Member>> members;
  {
    absl::MutexLock lock(&mutex_);
    members.swap(members_);
  }
  for (const auto& [node, member] : members) member->runner->End(absl::CancelledError("the test is over"));
}

void RankFixture::SetTools() {
  tools_.memory_bytes = [](const engine::TrainingConfig&) { return uint64_t{1000}; };
  tools_.prepare = [this](const v1::PrepareRank& order, const engine::TrainingConfig& config, engine::ThreadPool&,
                          FetchProgress&, const StopSignal&) -> absl::StatusOr<PreparedRank> {
    PreparedRank rank;
    // In the fixture the tokenizer's name carries the node's along.
    rank.trainer =
        std::make_unique<CountingTrainer>(config, CountingTrainer::Initial(), HooksOf(order.tokenizer().name()));
    rank.data_epoch = [](uint64_t step) { return static_cast<double>(step) / 10; };
    rank.flops_per_second = 1e9;
    return rank;
  };
  tools_.open_epoch = [this](uint64_t, const v1::BeginEpoch& begin,
                             const StopSignal&) -> absl::StatusOr<std::unique_ptr<engine::Communicator>> {
    if (begin.ranks_size() == 1) return nullptr;
    absl::MutexLock lock(&mutex_);
    if (!networks_.empty() && networks_.rbegin()->first > begin.epoch()) {
      return absl::FailedPreconditionError(absl::StrCat("epoch ", begin.epoch(), " is over"));
    }
    std::unique_ptr<engine::InProcessNetwork>& network = networks_[begin.epoch()];
    if (network == nullptr) {
      network = std::make_unique<engine::InProcessNetwork>(static_cast<uint32_t>(begin.ranks_size()));
    }
    return engine::MakeRingCommunicator(network->Join(begin.rank()));
  };
  tools_.write_state = [this](const engine::TrainingConfig&, const PreparedRank&, const engine::TrainingState& state,
                              const std::function<void(uint64_t)>& total, const engine::ByteSink& sink) {
    const std::string bytes = CountingTrainer::Pack(state);
    total(bytes.size());
    const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
    ENIGMA_RETURN_IF_ERROR(sink({data, bytes.size() / 2}));
    if (on_send_state_) on_send_state_();
    return sink({data + bytes.size() / 2, bytes.size() - bytes.size() / 2});
  };
  tools_.fetch_state = [this](const v1::NodeAddress& source, uint64_t, uint64_t step, const engine::TrainingConfig&,
                              const PreparedRank&, const StopSignal& stop) -> absl::StatusOr<engine::TrainingState> {
    std::string bytes;
    ENIGMA_RETURN_IF_ERROR(Rank(source.node_id())
                               .SendState(
                                   step, [] {}, [](uint64_t) {},
                                   [&](std::span<const uint8_t> part) {
                                     bytes.append(reinterpret_cast<const char*>(part.data()), part.size());
                                     return stop.reason();
                                   }));
    return CountingTrainer::Unpack(bytes);
  };
  tools_.store_state = [this](const v1::NodeAddress&, const StoredFile& file, const engine::TrainingConfig&,
                              const PreparedRank&, const engine::TrainingState& state, const StopSignal& stop) {
    if (on_store_) ENIGMA_RETURN_IF_ERROR(on_store_(file, stop));
    absl::MutexLock lock(&mutex_);
    stored_.push_back({file, CountingTrainer::WeightsOf(state)});
    return absl::OkStatus();
  };
  // Of which step it is says the file's name.
  tools_.load_checkpoint = [](const std::function<v1::NodeAddress()>&, uint64_t, const v1::JobFile& file,
                              const engine::TrainingConfig&, const PreparedRank&,
                              const StopSignal&) -> absl::StatusOr<engine::TrainingState> {
    engine::TrainingState state = CountingTrainer::Initial();
    if (!absl::SimpleAtoi(file.name(), &state.step)) return absl::NotFoundError("there is no such checkpoint");
    return state;
  };
  tools_.export_model = [](const v1::PrepareRank&, const std::function<v1::NodeAddress()>&,
                           const engine::TrainingConfig&, const PreparedRank& rank, engine::ThreadPool&,
                           const StopSignal&) -> absl::StatusOr<ModelExport> {
    return ModelExport{.largest_difference = static_cast<double>(rank.trainer->state().step), .remark = ""};
  };
  tools_.clean_up = [](const std::set<uint64_t>&) {};
}

RankFixture::Member& RankFixture::Get(const std::string& node) {
  absl::MutexLock lock(&mutex_);
  std::unique_ptr<Member>& member = members_[node];
  if (member == nullptr) {
    member = std::make_unique<Member>();
    v1::PrepareRank order = order_;
    order.mutable_tokenizer()->set_name(node);
    member->runner = std::make_unique<RankRunner>(
        RankRunner::Options{.order = order, .config = config_, .memory_bytes = 1000, .node_id = node, .threads = 1},
        tools_, clock_);
    member->reader = member->runner->reporter().Attach();
  }
  return *member;
}

RankRunner& RankFixture::Rank(const std::string& node) { return *Get(node).runner; }

void RankFixture::Drop(const std::string& node) {
  std::unique_ptr<Member> member;
  absl::MutexLock lock(&mutex_);
  member.swap(members_[node]);
  members_.erase(node);
  mutex_.Unlock();
  member.reset();
  mutex_.Lock();
}

RankFixture::Seen RankFixture::See(const std::string& node) {
  Member& member = Get(node);
  v1::RankEvent event;
  while (member.runner->reporter().Next(member.reader, absl::ZeroDuration(), event) == RankReporter::Wait::kEvent) {
    if (event.has_standing()) member.seen.standings.push_back(event.standing());
    if (event.has_step()) member.seen.steps.push_back(event.step());
    if (event.has_validation()) member.seen.validations.push_back(event.validation());
    if (event.has_checkpoint()) member.seen.checkpoints.push_back(event.checkpoint());
    if (event.has_failed()) member.seen.failed = event.failed();
    if (event.has_exported()) member.seen.exported = event.exported();
  }
  return member.seen;
}

bool RankFixture::Await(const std::string& node, v1::RankPhase phase, uint64_t epoch, uint64_t step) {
  return AwaitPhase(node, phase, epoch).step() == step && Standing(node).phase() == phase;
}

v1::RankStanding RankFixture::AwaitPhase(const std::string& node, v1::RankPhase phase, uint64_t epoch) {
  const bool came =
      Eventually([&] { return Standing(node).phase() == phase && Standing(node).epoch() == epoch; }, absl::Seconds(10));
  EXPECT_TRUE(came) << node << " stands at " << Standing(node).ShortDebugString();
  return Standing(node);
}

bool RankFixture::AwaitSteps(const std::string& leader, uint64_t step) {
  return Eventually([&] { return Standing(leader).step() >= step; }, absl::Seconds(10));
}

v1::NodeAddress RankFixture::AddressOf(const std::string& node) {
  v1::NodeAddress address;
  address.set_node_id(node);
  address.add_endpoints(node);
  return address;
}

v1::BeginEpoch RankFixture::BeginOf(uint64_t epoch, uint64_t step, const std::vector<std::string>& nodes,
                                    const std::vector<uint32_t>& owners) {
  v1::BeginEpoch begin;
  begin.set_epoch(epoch);
  begin.set_step(step);
  for (const std::string& node : nodes) *begin.add_ranks() = AddressOf(node);
  begin.mutable_owners()->Assign(owners.begin(), owners.end());
  return begin;
}

void RankFixture::Begin(uint64_t epoch, uint64_t step, const std::vector<std::string>& nodes,
                        const std::vector<uint32_t>& owners, const std::string& source,
                        const std::vector<std::string>& behind) {
  for (uint32_t rank = 0; rank < nodes.size(); ++rank) {
    v1::RankOrder order;
    *order.mutable_begin() = BeginOf(epoch, step, nodes, owners);
    order.mutable_begin()->set_rank(rank);
    if (std::count(behind.begin(), behind.end(), nodes[rank]) > 0) {
      *order.mutable_begin()->mutable_state_source() = AddressOf(source);
    }
    EXPECT_TRUE(Rank(nodes[rank]).Obey(order).ok());
  }
}

void RankFixture::Halt(const std::string& node, uint64_t epoch, const std::string& reason) {
  v1::RankOrder order;
  order.mutable_halt()->set_epoch(epoch);
  order.mutable_halt()->set_reason(reason);
  EXPECT_TRUE(Rank(node).Obey(order).ok());
}

void RankFixture::Control(const std::string& node, const v1::LeaderControl& control) {
  v1::RankOrder order;
  *order.mutable_control() = control;
  EXPECT_TRUE(Rank(node).Obey(order).ok());
}

void RankFixture::Finish(const std::string& node, bool export_model) {
  v1::RankOrder order;
  order.mutable_finish()->set_export_model(export_model);
  EXPECT_TRUE(Rank(node).Obey(order).ok());
}

void RankFixture::Kill(uint64_t epoch, uint32_t rank) {
  absl::MutexLock lock(&mutex_);
  networks_.at(epoch)->Kill(rank);
}

std::vector<float> RankFixture::WeightsOf(const std::string& node, uint64_t step) {
  std::string bytes;
  const absl::Status sent = Rank(node).SendState(
      step, [] {}, [](uint64_t) {},
      [&](std::span<const uint8_t> part) {
        bytes.append(reinterpret_cast<const char*>(part.data()), part.size());
        return absl::OkStatus();
      });
  EXPECT_TRUE(sent.ok()) << sent;
  return sent.ok() ? CountingTrainer::WeightsOf(CountingTrainer::Unpack(bytes)) : std::vector<float>();
}

std::vector<RankFixture::Stored> RankFixture::stored() {
  absl::MutexLock lock(&mutex_);
  return stored_;
}

}  // namespace enigma::worker
