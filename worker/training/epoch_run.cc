#include "worker/training/epoch_run.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/collective/lost_rank.h"
#include "engine/spec/slot_shares.h"
#include "telemetry/log.h"
#include "worker/training/state_copy.h"

namespace enigma::worker {

EpochRun::End EpochRun::Run() {
  if (const absl::Status fits = CheckBegin(); !fits.ok()) return Halted(fits);
  if (stop_.stopped()) return Halted(stop_.reason());
  absl::StatusOr<std::unique_ptr<engine::Communicator>> opened = parts_.tools.open_epoch(parts_.job, begin_, stop_);
  if (!opened.ok()) return Halted(stop_.stopped() ? stop_.reason() : opened.status());
  communicator_.emplace(*std::move(opened), parts_.gate);
  const StopSignal::Action abort(stop_, [this] { communicator_->Abort(ReasonForOthers()); });
  if (const absl::Status there = BringToStep(); !there.ok()) {
    communicator_->Abort(there);
    End end = Halted(stop_.stopped() ? stop_.reason() : there);
    if (!stop_.stopped()) end.lost_node = begin_.state_source().node_id();
    return end;
  }
  if (const absl::Status shared = FirstOwners(); !shared.ok()) {
    communicator_->Abort(shared);
    return Halted(shared);
  }
  validations_ = ValidationRecord::From(begin_);
  return Steps();
}

// An epoch that the coordinator ends has lost nobody; a rank that goes is lost to the others.
absl::Status EpochRun::ReasonForOthers() const {
  if (!parts_.orders.ending().stopped()) return stop_.reason();
  return engine::LostRankError(begin_.rank(),
                               absl::StrCat("node ", parts_.node_id, " leaves: ", ToString(stop_.reason().message())));
}

absl::Status EpochRun::CheckBegin() const {
  const auto ranks = static_cast<uint32_t>(begin_.ranks_size());
  if (begin_.rank() >= ranks || begin_.ranks(static_cast<int>(begin_.rank())).node_id() != parts_.node_id) {
    return absl::InvalidArgumentError(absl::StrCat("epoch ", begin_.epoch(), " has ", ranks, " ranks, and node ",
                                                   parts_.node_id, " is not number ", begin_.rank(), " of them"));
  }
  const bool fits = begin_.owners().empty() || (static_cast<uint32_t>(begin_.owners_size()) == parts_.config.slots &&
                                                std::all_of(begin_.owners().begin(), begin_.owners().end(),
                                                            [&](uint32_t owner) { return owner < ranks; }));
  if (!fits) return absl::InvalidArgumentError(absl::StrCat("the slots are not shared out over ", ranks, " ranks"));
  const bool fast = begin_.speeds().empty() || (static_cast<uint32_t>(begin_.speeds_size()) == ranks &&
                                                std::all_of(begin_.speeds().begin(), begin_.speeds().end(),
                                                            [](double speed) { return speed > 0; }));
  if (!fast) return absl::InvalidArgumentError(absl::StrCat("no speed above 0 for each of ", ranks, " ranks"));
  return absl::OkStatus();
}

absl::Status EpochRun::BringToStep() {
  if (trainer().state().step == begin_.step()) return absl::OkStatus();
  if (begin_.state_source().endpoints().empty()) {
    return absl::FailedPreconditionError(absl::StrCat("epoch ", begin_.epoch(), " begins at step ", begin_.step(),
                                                      ", this rank is at step ", trainer().state().step,
                                                      ", and nobody is named who has that state"));
  }
  const absl::Duration start = parts_.clock.Monotonic();
  ENIGMA_ASSIGN_OR_RETURN(
      engine::TrainingState state,
      parts_.tools.fetch_state(begin_.state_source(), parts_.job, begin_.step(), parts_.config, parts_.rank, stop_));
  if (state.step != begin_.step()) {
    return absl::DataLossError(absl::StrCat("node ", begin_.state_source().node_id(), " sent the state of step ",
                                            state.step, " for that of step ", begin_.step()));
  }
  parts_.gate.Close();
  const absl::Status set = trainer().SetState(std::move(state));
  parts_.gate.Open(trainer().state());
  parts_.reporter.AtStep(trainer().state().step);
  LogInfo("job {}: took the state of step {} from node {} in {:.2f} s", parts_.job, begin_.step(),
          begin_.state_source().node_id(), absl::ToDoubleSeconds(parts_.clock.Monotonic() - start));
  return set;
}

absl::Status EpochRun::FirstOwners() {
  owners_.assign(begin_.owners().begin(), begin_.owners().end());
  if (owners_.empty()) {
    std::vector<double> speeds(begin_.speeds().begin(), begin_.speeds().end());
    speeds.resize(static_cast<size_t>(begin_.ranks_size()), 1.0);
    owners_ = engine::ShareOutSlots(parts_.config.slots, speeds);
  }
  const std::vector<uint32_t> held = trainer().held();
  const bool all_given =
      std::all_of(held.begin(), held.end(), [&](uint32_t slot) { return owners_[slot] == begin_.rank(); });
  if (all_given) return absl::OkStatus();
  // One slot cannot be taken out of the sums again: all are forgotten, by setting the state anew.
  engine::TrainingState copy;
  CopyState(trainer().state(), copy);
  parts_.gate.Close();
  const absl::Status set = trainer().SetState(std::move(copy));
  parts_.gate.Open(trainer().state());
  return set;
}

EpochRun::End EpochRun::Steps() {
  while (true) {
    const uint64_t step = trainer().state().step;
    if (stop_.stopped()) return Halted(stop_.reason());
    const BoundaryAction action = NextAction(parts_.config, step, control_, validations_);
    parts_.checkpointer.RetryBest();
    // After the validation of its step, so that the best state is known as such.
    if (leads() && action != BoundaryAction::kValidate) Checkpoint(step);
    End end;
    switch (action) {
      case BoundaryAction::kPause:
        return Pause();
      case BoundaryAction::kFinish:
        return Finished(absl::OkStatus());
      case BoundaryAction::kFinishEarly:
        return Finished(
            absl::OutOfRangeError(absl::StrCat("no improvement in ", validations_.since_best, " validations")));
      case BoundaryAction::kValidate:
        end = Validate();
        break;
      case BoundaryAction::kStep:
        end = Step();
        break;
    }
    if (end.phase != RankPhase::kRunning) return end;
  }
}

EpochRun::End EpochRun::Step() {
  const absl::Duration start = parts_.clock.Monotonic();
  const uint64_t sent_before = communicator_->traffic().sent_bytes;
  const absl::StatusOr<engine::StepResult> result =
      trainer().Step(&*communicator_, owners_, leads() ? parts_.orders.control() : 0);
  if (!result.ok()) return Broken(result.status());
  parts_.gate.Open(trainer().state());
  parts_.reporter.AtStep(result->step);
  parts_.orders.ClearControl(result->control);
  control_ = result->control;
  checkpoint_asked_ |= (control_ & kControlCheckpoint) != 0;
  owners_ = trainer().NextOwners();
  if (leads()) {
    TellStep(*result, parts_.clock.Monotonic() - start, communicator_->traffic().sent_bytes - sent_before);
  }
  return {.phase = RankPhase::kRunning, .reason = {}, .lost_node = {}};
}

EpochRun::End EpochRun::Validate() {
  const uint64_t step = trainer().state().step;
  const absl::StatusOr<double> loss = trainer().Validate(&*communicator_);
  if (absl::IsNotFound(loss.status())) {
    validations_.Skip(step);
  } else if (!loss.ok()) {
    return Broken(loss.status());
  } else {
    validations_.Add(step, *loss);
    v1::RankEvent event;
    event.mutable_validation()->set_step(step);
    event.mutable_validation()->set_loss(*loss);
    if (leads()) parts_.reporter.ReportLasting(std::move(event));
  }
  parts_.gate.Open(trainer().state());
  return {.phase = RankPhase::kRunning, .reason = {}, .lost_node = {}};
}

EpochRun::End EpochRun::Finished(const absl::Status& reason) const {
  return {.phase = RankPhase::kFinished,
          .reason = reason,
          .lost_node = {},
          .unheard_nodes = {},
          .validations = validations_};
}

// Of the best state, asked for by the control word, or due. One of these two that falls into the time in which another
// is being stored comes after it; for the best state training waits, since it is here only now.
void EpochRun::Checkpoint(uint64_t step) {
  Checkpointer& checkpointer = parts_.checkpointer;
  // The last one is begun by the runner, which tries until it is stored.
  if (step >= parts_.config.steps) return;
  const bool best = step > 0 && step == validations_.best_step && !checkpointer.Has(step);
  if (best && !checkpointer.AwaitIdle(stop_)) return;
  const bool asked = checkpoint_asked_ && checkpointer.Free();
  if (!best && !asked && !checkpointer.Due(parts_.config, step)) return;
  checkpoint_asked_ = false;
  checkpointer.Start(trainer().state(), Occasion(best));
}

EpochRun::End EpochRun::Pause() {
  if (leads() && (control_ & kControlStop) != 0) {
    // Whatever is under way first; then this step's, unless it was this one.
    Checkpointer& checkpointer = parts_.checkpointer;
    if (checkpointer.AwaitIdle(stop_) && checkpointer.Missing(trainer().state().step)) {
      checkpointer.Start(trainer().state(), Occasion(false));
    }
    checkpointer.AwaitIdle(stop_);
  }
  return {.phase = RankPhase::kPaused, .reason = {}, .lost_node = {}, .unheard_nodes = {}, .validations = validations_};
}

void EpochRun::TellStep(const engine::StepResult& result, absl::Duration spent, uint64_t sent_bytes) const {
  v1::RankEvent event;
  v1::StepDone& done = *event.mutable_step();
  done.set_step(result.step);
  done.set_loss(result.loss);
  done.set_tokens(result.tokens);
  done.set_gradient_norm(result.gradient_norm);
  done.set_learning_rate(result.learning_rate);
  done.set_seconds(absl::ToDoubleSeconds(spent));
  done.set_wait_seconds(result.wait_seconds);
  done.mutable_slots()->Assign(result.slots.begin(), result.slots.end());
  done.mutable_compute_seconds()->Assign(result.compute_seconds.begin(), result.compute_seconds.end());
  done.set_redone(result.redone);
  done.set_data_epoch(parts_.rank.data_epoch(result.step));
  done.set_wire_bytes(sent_bytes);
  parts_.reporter.Report(std::move(event));
}

EpochRun::End EpochRun::Broken(const absl::Status& error) {
  const absl::Status broke = communicator_->error();
  // Others do not wait for this rank once its links are gone; what they are to hear of the step they still hear.
  if (broke.ok()) return {.phase = RankPhase::kFailed, .reason = error, .lost_node = {}};
  parts_.gate.Open(trainer().state());
  return Halted(stop_.stopped() ? stop_.reason() : broke);
}

EpochRun::End EpochRun::Halted(const absl::Status& reason) const {
  End end{.phase = RankPhase::kHalted, .reason = reason, .lost_node = {}};
  end.validations = validations_;
  const std::optional<uint32_t> lost = engine::LostRank(reason);
  if (lost && *lost < static_cast<uint32_t>(begin_.ranks_size()) && *lost != begin_.rank()) {
    end.lost_node = begin_.ranks(static_cast<int>(*lost)).node_id();
  }
  if (!communicator_) return end;
  for (const uint32_t rank : communicator_->Unheard()) {
    end.unheard_nodes.push_back(begin_.ranks(static_cast<int>(rank)).node_id());
  }
  return end;
}

}  // namespace enigma::worker
