#include "coordinator/gateway/training_service.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "base/status_macros.h"
#include "coordinator/gateway/audited_act.h"
#include "coordinator/jobs/describe_job.h"
#include "coordinator/jobs/estimate_training.h"
#include "coordinator/jobs/job_planner.h"
#include "coordinator/jobs/submission.h"
#include "rpc/status_conversion.h"

namespace enigma::coordinator {
namespace {

// At a time: each holds its data in memory while it prepares them.
constexpr int kSubmissionsMax = 2;
constexpr absl::Duration kReportEvery = absl::Milliseconds(100);
// Between two updates of who watches, and how long a watcher that went away may go unnoticed.
constexpr absl::Duration kUpdateEvery = absl::Milliseconds(50);
constexpr absl::Duration kLookEvery = absl::Milliseconds(500);
constexpr uint64_t kPointsMax = 100'000;

// Counts somebody in for as long as it lives.
class Turnstile {
 public:
  explicit Turnstile(std::atomic<int>& inside) : inside_(inside), place_(inside.fetch_add(1)) {}
  ~Turnstile() { inside_.fetch_sub(1); }
  Turnstile(const Turnstile&) = delete;
  Turnstile& operator=(const Turnstile&) = delete;
  [[nodiscard]] int place() const { return place_; }

 private:
  std::atomic<int>& inside_;
  const int place_;
};

std::string NameOf(uint64_t job) { return absl::StrCat("job ", job); }

// What of a job's course was told already.
struct ToldPoints {
  uint64_t step = 0;
  uint64_t validated = 0;
};

// The points that were not told yet, or not with their validation, which comes later than the step. A job that went on
// from a checkpoint has done steps again.
void AddNewPoints(const std::vector<JobPoint>& points, ToldPoints& told, enigma::v1::JobUpdate& update) {
  if (points.empty()) return;
  if (points.back().step < told.step) told = {points.back().step - 1, points.back().step - 1};
  const ToldPoints before = told;
  for (const JobPoint& point : points) {
    const bool validated = point.validation_loss && point.step > before.validated;
    if (point.step <= before.step && !validated) continue;
    *update.add_points() = DescribePoint(point);
    if (validated) told.validated = point.step;
  }
  told.step = points.back().step;
}

// From 1; 0: it does not wait for its turn.
uint32_t PlaceIn(const std::vector<uint64_t>& queue, uint64_t job) {
  const auto found = std::find(queue.begin(), queue.end(), job);
  return found == queue.end() ? 0 : static_cast<uint32_t>(found - queue.begin()) + 1;
}

}  // namespace

absl::Status TrainingService::Admit(const grpc::ServerContext& context) const {
  return access_.ForAdministration(context, context.peer()).status();
}

grpc::Status TrainingService::Submit(grpc::ServerContext* context, SubmitStream* stream) {
  return RunAudited(access_, audit_, *context, "train", "",
                    [&](std::string& object) { return Take(*context, *stream, object); });
}

absl::Status TrainingService::Take(const grpc::ServerContext& context, SubmitStream& stream, std::string& object) {
  const Turnstile turnstile(submissions_);
  if (turnstile.place() >= kSubmissionsMax) {
    return absl::ResourceExhaustedError("other jobs are being submitted right now; try again in a moment");
  }
  const absl::Status gone = absl::CancelledError("the caller went away");
  enigma::v1::SubmitJobRequest request;
  if (!stream.Read(&request) || !request.has_head()) {
    return absl::InvalidArgumentError("the first message must be the head, with the options");
  }
  object = request.head().options().model();
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<Submission> submission,
                          Submission::Begin(plane_, jobs_, folders_, request.head()));
  while (stream.Read(&request)) {
    if (request.has_head()) return absl::InvalidArgumentError("the head comes once");
    const absl::Status taken =
        request.has_file() ? submission->TakeFile(request.file()) : submission->TakeData(request.data());
    ENIGMA_RETURN_IF_ERROR(taken);
  }
  if (context.IsCancelled()) return gone;
  enigma::v1::SubmitJobProgress progress;
  progress.set_phase("received");
  if (!stream.Write(progress)) return gone;
  absl::Time told = absl::InfinitePast();
  const auto report = [&](std::string_view phase, double share) {
    const absl::Time now = absl::Now();
    if (phase == progress.phase() && now - told < kReportEvery) return !context.IsCancelled();
    told = now;
    progress.set_phase(std::string(phase));
    progress.set_share(share);
    return stream.Write(progress) && !context.IsCancelled();
  };
  ENIGMA_ASSIGN_OR_RETURN(const Job job, submission->Finish(report));
  keeper_.Wake();
  absl::StrAppend(&object, " as ", NameOf(job.id));
  progress.set_phase("queued");
  progress.set_share(1);
  progress.set_job(job.id);
  progress.set_report_json(job.report_json);
  progress.mutable_warnings()->Assign(job.warnings.begin(), job.warnings.end());
  stream.Write(progress);  // who went away finds the job in the list
  return absl::OkStatus();
}

grpc::Status TrainingService::Estimate(grpc::ServerContext* context, const enigma::v1::EstimateJobRequest* request,
                                       enigma::v1::EstimateJobReply* reply) {
  if (const absl::Status admitted = Admit(*context); !admitted.ok()) return ToGrpc(admitted);
  absl::StatusOr<enigma::v1::EstimateJobReply> estimate = EstimateTraining(plane_, *request, keeper_.NodesTaken());
  if (!estimate.ok()) return ToGrpc(estimate.status());
  *reply = *std::move(estimate);
  return grpc::Status::OK;
}

grpc::Status TrainingService::List(grpc::ServerContext* context, const enigma::v1::ListJobsRequest*,
                                   enigma::v1::ListJobsReply* reply) {
  if (const absl::Status admitted = Admit(*context); !admitted.ok()) return ToGrpc(admitted);
  const std::vector<Job> jobs = jobs_.List();
  const std::vector<uint64_t> queue = QueueOf(jobs);
  for (const Job& job : jobs) {
    enigma::v1::JobInfo& info = *reply->add_jobs();
    info = DescribeJob(job, /*whole=*/false);
    info.set_queue_place(PlaceIn(queue, job.id));
  }
  return grpc::Status::OK;
}

uint32_t TrainingService::QueuePlace(const Job& job) const {
  return job.state == JobState::kQueued ? PlaceIn(QueueOf(jobs_.List()), job.id) : 0;
}

grpc::Status TrainingService::Watch(grpc::ServerContext* context, const enigma::v1::WatchJobRequest* request,
                                    grpc::ServerWriter<enigma::v1::JobUpdate>* writer) {
  if (const absl::Status admitted = Admit(*context); !admitted.ok()) return ToGrpc(admitted);
  const uint64_t id = request->job();
  uint64_t version = jobs_.Version(id);
  absl::StatusOr<Job> job = jobs_.Find(id);
  if (!job.ok()) return ToGrpc(job.status());
  enigma::v1::JobUpdate update;
  *update.mutable_info() = DescribeJob(*job, /*whole=*/true);
  uint32_t place = QueuePlace(*job);
  update.mutable_info()->set_queue_place(place);
  for (const JobPoint& point : jobs_.History(id, std::min(request->history(), kPointsMax))) {
    *update.add_points() = DescribePoint(point);
  }
  ToldPoints told{job->progress.step, job->validation.step};
  bool goes_on = writer->Write(update) && request->follow();
  while (goes_on && IsLive(job->state)) {
    jobs_.AwaitChange(id, version, kLookEvery);
    if (context->IsCancelled()) break;
    const uint64_t seen = std::exchange(version, jobs_.Version(id));
    job = jobs_.Find(id);
    if (!job.ok()) return ToGrpc(job.status());
    // Its place changes with other jobs, too.
    const uint32_t placed = std::exchange(place, QueuePlace(*job));
    if (seen == version && placed == place) continue;
    update.Clear();
    *update.mutable_info() = DescribeJob(*job, /*whole=*/false);
    update.mutable_info()->set_queue_place(place);
    AddNewPoints(jobs_.History(id, kPointsMax), told, update);
    goes_on = writer->Write(update);
    absl::SleepFor(kUpdateEvery);
  }
  return grpc::Status::OK;
}

grpc::Status TrainingService::Cancel(grpc::ServerContext* context, const enigma::v1::CancelJobRequest* request,
                                     enigma::v1::CancelJobReply*) {
  return RunAudited(access_, audit_, *context, "jobs.cancel", NameOf(request->job()),
                    [&](std::string&) { return keeper_.Cancel(request->job()); });
}

grpc::Status TrainingService::Resume(grpc::ServerContext* context, const enigma::v1::ResumeJobRequest* request,
                                     enigma::v1::ResumeJobReply*) {
  return RunAudited(access_, audit_, *context, "jobs.resume", NameOf(request->job()),
                    [&](std::string&) { return keeper_.Resume(request->job()); });
}

grpc::Status TrainingService::Remove(grpc::ServerContext* context, const enigma::v1::RemoveJobRequest* request,
                                     enigma::v1::RemoveJobReply*) {
  return RunAudited(access_, audit_, *context, "jobs.rm", NameOf(request->job()),
                    [&](std::string&) { return keeper_.Remove(request->job()); });
}

}  // namespace enigma::coordinator
