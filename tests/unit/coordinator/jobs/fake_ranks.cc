#include "tests/unit/coordinator/jobs/fake_ranks.h"

#include <algorithm>
#include <utility>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "engine/spec/manifest.h"
#include "engine/spec/training_config.h"
#include "rpc/channel.h"
#include "rpc/status_conversion.h"
#include "tests/support/test_data.h"

namespace enigma::coordinator::testing {
namespace {

constexpr size_t kPieceBytes = 100'000;
constexpr std::string_view kState = "state ";

std::string HashOf(const std::string& data) {
  const engine::Sha256 hash = engine::Sha256Of(data);
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

std::unique_ptr<enigma::v1::JobFiles::Stub> FilesAt(const enigma::v1::NodeAddress& address) {
  return enigma::v1::JobFiles::NewStub(MakeChannel(address.endpoints(0), nullptr, ExpectedPeer::AnyNode()));
}

// In two parts, as one that broke off.
absl::StatusOr<std::string> FetchFile(enigma::v1::JobFiles::Stub& files, uint64_t job,
                                      const enigma::v1::JobFile& file) {
  std::string data;
  for (int part = 0; part < 2; ++part) {
    grpc::ClientContext context;
    enigma::v1::FetchJobFileRequest request;
    request.set_job(job);
    request.set_name(file.name());
    request.set_offset(data.size());
    const auto reader = files.Fetch(&context, request);
    enigma::v1::FileChunk chunk;
    while (reader->Read(&chunk)) data += chunk.data();
    const absl::Status ended = FromGrpc(reader->Finish());
    if (!ended.ok()) return ended;
    if (part == 0) data.resize(data.size() / 2);
  }
  if (data.size() != file.bytes() || HashOf(data) != file.sha256()) {
    return absl::DataLossError(absl::StrCat(file.name(), " is not what was announced"));
  }
  return data;
}

}  // namespace

FakeTraining::FakeTraining() : thread_([this] { Work(); }) {}

FakeTraining::~FakeTraining() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

void FakeTraining::SetStepMilliseconds(int milliseconds) {
  absl::MutexLock lock(&mutex_);
  step_ms_ = milliseconds;
}
void FakeTraining::HoldSteps(bool hold) {
  absl::MutexLock lock(&mutex_);
  hold_ = hold;
}
void FakeTraining::SetCheckpointEvery(uint64_t steps) {
  absl::MutexLock lock(&mutex_);
  checkpoint_every_ = steps;
}
void FakeTraining::SetBestStep(uint64_t step) {
  absl::MutexLock lock(&mutex_);
  best_step_ = step;
}
void FakeTraining::SetExportFile(std::string path) {
  absl::MutexLock lock(&mutex_);
  export_path_ = std::move(path);
}

void FakeTraining::SetEncoderFile(std::string path) {
  absl::MutexLock lock(&mutex_);
  encoder_path_ = std::move(path);
}

void FakeTraining::RefuseExports(std::string why) {
  absl::MutexLock lock(&mutex_);
  export_refusal_ = std::move(why);
}
void FakeTraining::RefuseCheckpoints(std::string why) {
  absl::MutexLock lock(&mutex_);
  checkpoint_refusal_ = std::move(why);
}
void FakeTraining::CutBetween(const std::string& a, const std::string& b) {
  absl::MutexLock lock(&mutex_);
  cuts_.insert({a, b});
}
void FakeTraining::HealCuts() {
  absl::MutexLock lock(&mutex_);
  cuts_.clear();
}
void FakeTraining::FailRank(const std::string& node, const absl::Status& why) {
  absl::MutexLock lock(&mutex_);
  to_fail_[node] = why;
}
void FakeTraining::RefuseRanks(const std::string& node, const absl::Status& why) {
  absl::MutexLock lock(&mutex_);
  refusals_[node] = why;
}
void FakeTraining::Kill(const std::string& node) {
  absl::MutexLock lock(&mutex_);
  ranks_.erase(node);
}

std::vector<enigma::v1::BeginEpoch> FakeTraining::begun() const {
  absl::MutexLock lock(&mutex_);
  return begun_;
}
std::map<std::string, int> FakeTraining::prepared() const {
  absl::MutexLock lock(&mutex_);
  return prepared_;
}
uint64_t FakeTraining::step() const {
  absl::MutexLock lock(&mutex_);
  uint64_t newest = 0;
  for (const auto& [node, rank] : ranks_) newest = std::max(newest, rank.standing.step());
  return newest;
}
std::set<std::string> FakeTraining::running() const {
  absl::MutexLock lock(&mutex_);
  std::set<std::string> nodes;
  for (const auto& [node, rank] : ranks_) {
    if (rank.standing.phase() == enigma::v1::RANK_RUNNING) nodes.insert(node);
  }
  return nodes;
}
std::vector<std::string> FakeTraining::complaints() const {
  absl::MutexLock lock(&mutex_);
  return complaints_;
}

bool FakeTraining::IsCut(const std::string& a, const std::string& b) const {
  return cuts_.contains({a, b}) || cuts_.contains({b, a});
}

void FakeTraining::Tell(Rank& rank, const enigma::v1::RankEvent& event) {
  if (rank.stream != nullptr) rank.stream->Write(event);
}
void FakeTraining::TellStanding(Rank& rank) {
  enigma::v1::RankEvent event;
  *event.mutable_standing() = rank.standing;
  Tell(rank, event);
}

void FakeTraining::Run(const std::string& node, Stream& stream) {
  enigma::v1::RankOrder order;
  if (!stream.Read(&order) || !order.has_prepare()) return;
  bool is_new = false;
  {
    absl::MutexLock lock(&mutex_);
    if (const auto refusal = refusals_.find(node); refusal != refusals_.end()) {
      enigma::v1::RankEvent event;
      event.mutable_failed()->set_code(static_cast<uint32_t>(refusal->second.code()));
      event.mutable_failed()->set_error(std::string(refusal->second.message()));
      stream.Write(event);
      return;
    }
    is_new = !ranks_.contains(node);
    Rank& rank = ranks_[node];
    rank.stream = &stream;
    if (is_new) rank.preparation = order.prepare();
    if (is_new) ++prepared_[node];
    if (rank.preparation.job() != order.prepare().job()) Complain("node " + node + " is asked for ranks of two jobs");
    TellStanding(rank);
    for (const enigma::v1::RankEvent& event : rank.to_repeat) Tell(rank, event);
  }
  if (is_new) {
    uint64_t step = 0;
    const absl::Status fetched = FetchAll(node, order.prepare(), &step);
    absl::MutexLock lock(&mutex_);
    if (!fetched.ok()) Complain(fetched.ToString());
    if (const auto rank = ranks_.find(node); rank != ranks_.end()) {
      rank->second.standing.set_phase(enigma::v1::RANK_READY);
      rank->second.standing.set_step(step);
      TellStanding(rank->second);
    }
  }
  while (stream.Read(&order)) {
    const bool last = order.has_finish() && !order.finish().export_model();
    Do(node, order);
    if (last) break;
  }
  absl::MutexLock lock(&mutex_);
  if (const auto rank = ranks_.find(node); rank != ranks_.end() && rank->second.stream == &stream) {
    rank->second.stream = nullptr;
  }
}

absl::Status FakeTraining::FetchAll(const std::string& node, const enigma::v1::PrepareRank& preparation,
                                    uint64_t* step) {
  const auto config = engine::TrainingConfigFromJson(preparation.config_json());
  if (!config.ok()) return config.status();
  const auto files = FilesAt(preparation.coordinator());
  if (config->pictures.used() == preparation.picture_set().name().empty()) {
    return absl::DataLossError(absl::StrCat("node ", node, ": pictures, or the set of them, came without the other"));
  }
  for (const auto& file : {preparation.token_set(), preparation.tokenizer(), preparation.picture_set()}) {
    if (file.name().empty()) continue;
    const absl::StatusOr<std::string> data = FetchFile(*files, preparation.job(), file);
    if (!data.ok()) return data.status();
  }
  if (preparation.state().name().empty()) return absl::OkStatus();
  const absl::StatusOr<std::string> state = FetchFile(*files, preparation.job(), preparation.state());
  if (!state.ok()) return state.status();
  if (!state->starts_with(kState) || !absl::SimpleAtoi(state->substr(kState.size()), step)) {
    return absl::DataLossError(absl::StrCat("node ", node, ": no state: ", *state));
  }
  return absl::OkStatus();
}

void FakeTraining::Begin(const std::string& node, Rank& rank, const enigma::v1::BeginEpoch& begin) {
  enigma::v1::RankStanding& standing = rank.standing;
  if (begin.epoch() <= standing.epoch()) return;
  if (begin.ranks(static_cast<int>(begin.rank())).node_id() != node) Complain("a rank was given another's place");
  if (begin.step() != standing.step()) {
    const auto source = ranks_.find(begin.state_source().node_id());
    if (source == ranks_.end() || source->second.standing.step() != begin.step()) {
      Complain(absl::StrCat("the source of node ", node, " has no state of step ", begin.step()));
    }
    standing.clear_held();
  }
  for (const uint32_t slot : standing.held()) {
    if (begin.owners(static_cast<int>(slot)) != begin.rank()) Complain(absl::StrCat("slot ", slot, " was held"));
  }
  if (begin.rank() == 0) begun_.push_back(begin);
  rank.begin = begin;
  rank.control.Clear();
  rank.validations.set_step(begin.validated_step());
  rank.validations.set_best_loss(begin.best_validation_loss());
  rank.validations.set_best_step(begin.best_validation_step());
  rank.validations.set_since_best(begin.validations_since_best());
  standing.set_epoch(begin.epoch());
  standing.set_step(begin.step());
  standing.set_phase(enigma::v1::RANK_RUNNING);
  standing.clear_lost_node();
  standing.clear_reason();
  TellStanding(rank);
}

void FakeTraining::Do(const std::string& node, const enigma::v1::RankOrder& order) {
  absl::MutexLock lock(&mutex_);
  const auto found = ranks_.find(node);
  if (found == ranks_.end()) return;
  Rank& rank = found->second;
  if (order.has_begin()) Begin(node, rank, order.begin());
  if (order.has_halt()) {
    if (order.halt().epoch() >= rank.standing.epoch() && rank.standing.phase() == enigma::v1::RANK_RUNNING) {
      Halt(rank, "", order.halt().reason());
    } else {
      TellStanding(rank);
    }
  }
  if (order.has_control()) rank.control.MergeFrom(order.control());
  if (order.has_finish() && order.finish().export_model() && !std::exchange(rank.exports, true)) {
    QueueExport(node, rank, order.finish().state());
  }
  if (order.has_finish() && !order.finish().export_model()) ranks_.erase(found);
}

void FakeTraining::Halt(Rank& rank, const std::string& lost, const std::string& reason) {
  rank.standing.set_phase(enigma::v1::RANK_HALTED);
  rank.standing.set_lost_node(lost);
  rank.standing.set_reason(reason);
  rank.standing.clear_held();
  for (int slot = 0; slot < rank.begin.owners_size() && rank.standing.held_size() == 0; ++slot) {
    if (rank.begin.owners(slot) == rank.begin.rank()) rank.standing.add_held(static_cast<uint32_t>(slot));
  }
  TellStanding(rank);
}

void FakeTraining::HaltBroken() {
  for (auto& [node, rank] : ranks_) {
    if (rank.standing.phase() != enigma::v1::RANK_RUNNING) continue;
    for (const auto& address : rank.begin.ranks()) {
      const std::string& peer = address.node_id();
      if (peer == node) continue;
      const auto other = ranks_.find(peer);
      const bool gone = other == ranks_.end() || other->second.standing.epoch() > rank.standing.epoch() ||
                        (other->second.standing.epoch() == rank.standing.epoch() &&
                         other->second.standing.phase() == enigma::v1::RANK_HALTED);
      if (!gone && !IsCut(node, peer)) continue;
      Halt(rank, peer, absl::StrCat("the link to ", peer, " broke"));
      break;
    }
  }
}

void FakeTraining::Validate(uint64_t step, std::vector<Rank*>& group) {
  const double loss = best_step_ == 0 || step <= best_step_ ? 12.0 / static_cast<double>(step + 1) : 12;
  enigma::v1::ValidationRecord record = group.front()->validations;
  const bool best = record.best_step() == 0 || loss < record.best_loss();
  record.set_step(step);
  record.set_loss(loss);
  record.set_since_best(best ? 0 : record.since_best() + 1);
  if (best) record.set_best_loss(loss);
  if (best) record.set_best_step(step);
  for (Rank* rank : group) rank->validations = record;
  enigma::v1::RankEvent event;
  event.mutable_validation()->set_step(step);
  event.mutable_validation()->set_loss(loss);
  Tell(*group.front(), event);
}

void FakeTraining::StepOf(const std::string& leader) {
  Rank& first = ranks_.at(leader);
  std::vector<Rank*> group;
  for (const auto& address : first.begin.ranks()) {
    const auto rank = ranks_.find(address.node_id());
    if (rank == ranks_.end() || rank->second.standing.epoch() != first.standing.epoch()) return;
    if (rank->second.standing.phase() != enigma::v1::RANK_RUNNING) return;
    group.push_back(&rank->second);
  }
  const auto config = engine::TrainingConfigFromJson(first.preparation.config_json());
  const uint64_t steps = config.ok() ? config->steps : 0;
  const uint64_t step = std::min(first.standing.step() + 1, steps);
  for (Rank* rank : group) {
    rank->standing.clear_held();
    rank->standing.set_step(step);
  }
  enigma::v1::RankEvent event;
  enigma::v1::StepDone& done = *event.mutable_step();
  done.set_step(step);
  done.set_loss(10.0 / static_cast<double>(step + 1));
  done.set_tokens(100);
  done.set_seconds(0.01);
  done.set_wait_seconds(0.001);
  for (size_t rank = 0; rank < group.size(); ++rank) {
    const auto& owners = first.begin.owners();
    done.add_slots(static_cast<uint32_t>(std::count(owners.begin(), owners.end(), rank)));
    done.add_compute_seconds(0.008);
  }
  Tell(first, event);
  const bool validates =
      config.ok() && config->validate_every > 0 && (step % config->validate_every == 0 || step == steps);
  if (validates && first.validations.step() < step) Validate(step, group);
  const bool every = (checkpoint_every_ > 0 && step % checkpoint_every_ == 0) || first.validations.best_step() == step;
  if (every || step == steps || first.control.checkpoint() || first.control.stop()) QueueCheckpoint(leader, first);
  for (Rank* rank : group) {
    if (step == steps) {
      rank->standing.set_phase(enigma::v1::RANK_FINISHED);
      if (rank->validations.best_step() > 0) *rank->standing.mutable_validations() = rank->validations;
    }
    // With a stop the ranks are paused once the checkpoint is stored.
    if (step < steps && first.control.pause() && !first.control.stop()) {
      rank->standing.set_phase(enigma::v1::RANK_PAUSED);
    }
    if (rank->standing.phase() != enigma::v1::RANK_RUNNING) TellStanding(*rank);
  }
}

void FakeTraining::QueueCheckpoint(const std::string& node, const Rank& rank) {
  Upload upload;
  upload.node = node;
  upload.to = rank.preparation.coordinator();
  upload.data = absl::StrCat("state ", rank.standing.step());
  upload.head.set_kind("checkpoint");
  upload.head.set_job(rank.preparation.job());
  upload.head.set_step(rank.standing.step());
  upload.head.set_epoch(rank.standing.epoch());
  if (rank.validations.best_step() > 0) *upload.head.mutable_validations() = rank.validations;
  upload.then.mutable_checkpoint()->set_step(rank.standing.step());
  upload.then.mutable_checkpoint()->set_error(checkpoint_refusal_);
  uploads_.push_back(std::move(upload));
}

void FakeTraining::QueueExport(const std::string& node, const Rank& rank, const enigma::v1::JobFile& state) {
  Upload upload;
  upload.state = state;
  upload.then.mutable_exported()->set_step(rank.standing.step());
  upload.node = node;
  upload.to = rank.preparation.coordinator();
  if (export_refusal_.empty()) upload.data = enigma::testing::ReadFileOrDie(export_path_);
  upload.head.set_job(rank.preparation.job());
  if (!encoder_path_.empty()) {
    Upload encoder = upload;
    encoder.data = enigma::testing::ReadFileOrDie(encoder_path_);
    encoder.head.set_kind("encoder");
    encoder.then.Clear();
    uploads_.push_back(std::move(encoder));
  }
  upload.head.set_kind("gguf");
  upload.then.mutable_exported()->set_error(export_refusal_);
  uploads_.push_back(std::move(upload));
}

void FakeTraining::Store(const Upload& upload) {
  absl::Status stored;
  if (upload.then.exported().error().empty() && upload.then.checkpoint().error().empty()) {
    const auto files = FilesAt(upload.to);
    grpc::ClientContext context;
    enigma::v1::StoreJobFileReply reply;
    const auto writer = files->Store(&context, &reply);
    enigma::v1::StoreJobFileRequest request;
    *request.mutable_head() = upload.head;
    request.mutable_head()->set_node_id(upload.node);
    request.mutable_head()->set_total_bytes(upload.data.size());
    request.mutable_head()->set_sha256(HashOf(upload.data));
    writer->Write(request);
    request.clear_head();
    for (size_t at = 0; at < upload.data.size(); at += kPieceBytes) {
      request.set_data(upload.data.substr(at, kPieceBytes));
      if (!writer->Write(request)) break;
    }
    writer->WritesDone();
    stored = FromGrpc(writer->Finish());
  }
  uint64_t step = 0;  // of a state that was fetched for the export
  if (stored.ok() && !upload.state.name().empty()) {
    const auto files = FilesAt(upload.to);
    const absl::StatusOr<std::string> state = FetchFile(*files, upload.head.job(), upload.state);
    if (!state.ok() || !absl::SimpleAtoi(state->substr(kState.size()), &step)) stored = absl::DataLossError("no state");
  }
  absl::MutexLock lock(&mutex_);
  enigma::v1::RankEvent then = upload.then;
  if (step > 0 && then.has_exported()) then.mutable_exported()->set_step(step);
  if (then.event_case() == enigma::v1::RankEvent::EVENT_NOT_SET) {
    if (!stored.ok()) Complain(stored.ToString());
    return;
  }
  if (!stored.ok() && then.has_checkpoint()) then.mutable_checkpoint()->set_error(stored.ToString());
  if (!stored.ok() && then.has_exported()) then.mutable_exported()->set_error(stored.ToString());
  const auto rank = ranks_.find(upload.node);
  if (rank == ranks_.end()) return;
  if (then.has_exported()) rank->second.to_repeat.push_back(then);
  Tell(rank->second, then);
}

void FakeTraining::Work() {
  while (true) {
    std::vector<Upload> uploads;
    int pause = 0;
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
      pause = step_ms_;
      HaltBroken();
      for (auto& [node, why] : to_fail_) {
        const auto rank = ranks_.find(node);
        if (rank == ranks_.end() || rank->second.standing.phase() != enigma::v1::RANK_RUNNING) continue;
        enigma::v1::RankEvent event;
        event.mutable_failed()->set_code(static_cast<uint32_t>(why.code()));
        event.mutable_failed()->set_error(std::string(why.message()));
        Tell(rank->second, event);
        ranks_.erase(rank);
        why = absl::OkStatus();
      }
      std::erase_if(to_fail_, [](const auto& entry) { return entry.second.ok(); });
      std::vector<std::string> leaders;
      for (const auto& [node, rank] : ranks_) {
        const bool leads = rank.begin.rank() == 0 && rank.standing.phase() == enigma::v1::RANK_RUNNING;
        if (leads && !hold_) leaders.push_back(node);
      }
      for (const std::string& leader : leaders) StepOf(leader);
      uploads.swap(uploads_);
    }
    for (const Upload& upload : uploads) Store(upload);
    {
      absl::MutexLock lock(&mutex_);
      for (auto& [node, rank] : ranks_) {
        const auto leader = ranks_.find(rank.begin.ranks_size() > 0 ? rank.begin.ranks(0).node_id() : "");
        const bool stopped = leader != ranks_.end() && leader->second.control.stop() &&
                             leader->second.standing.epoch() == rank.standing.epoch();
        if (!stopped || rank.standing.phase() != enigma::v1::RANK_RUNNING || uploads.empty()) continue;
        rank.standing.set_phase(enigma::v1::RANK_PAUSED);
        TellStanding(rank);
      }
    }
    absl::SleepFor(absl::Milliseconds(pause));
  }
}

}  // namespace enigma::coordinator::testing
