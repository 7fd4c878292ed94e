#include "coordinator/gateway/generate_stream.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/time/clock.h>

namespace enigma::coordinator {

std::shared_ptr<GenerateStream> GenerateStream::Make(ControlPlane& plane, enigma::v1::GenerateRequest request,
                                                     grpc::CallbackServerContext& context) {
  std::shared_ptr<GenerateStream> stream(new GenerateStream(plane, std::move(request), context));
  stream->self_ = stream;
  return stream;
}

std::shared_ptr<RequestPictures> GenerateStream::TakePictures(enigma::v1::GenerateRequest& request) {
  std::vector<std::string> files;
  const auto take = [&files](auto& pictures) {
    for (std::string& picture : pictures) files.push_back(std::exchange(picture, {}));
  };
  take(*request.mutable_pictures());
  if (request.has_chat()) {
    for (enigma::v1::ChatMessage& message : *request.mutable_chat()->mutable_messages())
      take(*message.mutable_pictures());
  }
  return RequestPictures::Make(std::move(files));
}

void GenerateStream::MarkPictures(std::vector<Turn>& turns) const {
  if (pictures_ == nullptr || turns.empty()) return;
  const std::vector<std::string> marks = pictures_->Marks();
  auto mark = marks.begin();
  for (int i = 0; i < request_.pictures_size(); ++i) absl::StrAppend(&turns.front().content, *mark++);
  for (int m = 0; m < request_.chat().messages_size(); ++m) {
    for (int i = 0; i < request_.chat().messages(m).pictures_size(); ++i) {
      absl::StrAppend(&turns[static_cast<size_t>(m)].content, *mark++);
    }
  }
}

void GenerateStream::Hold(Intake::Pass pass, KeyLease lease, absl::Duration time_max) {
  {
    absl::MutexLock lock(&mutex_);
    pass_ = std::move(pass);
    lease_ = std::move(lease);
  }
  const absl::Duration of_caller = absl::FromChrono(context_.deadline()) - absl::Now();
  deadline_ = plane_.clock.Monotonic() + std::min(time_max, of_caller);
  time_limit_.Start(context_, time_max, weak_from_this(), &GenerateStream::EndLate);
}

void GenerateStream::Begin(SpecialistKeeper::Hold hold) {
  {
    absl::MutexLock lock(&mutex_);
    headers_ = HeadersOfNamedModel();
    hold_ = std::move(hold);
  }
  BeginWith(request_.model(), /*routed=*/false);
}

void GenerateStream::Follow(RequestRouter& router, RoutePtr route, Executor& executor, Admit admit) {
  router_ = &router;
  executor_ = &executor;
  route_ = std::move(route);
  admit_ = std::move(admit);
  {
    absl::MutexLock lock(&mutex_);
    headers_ = HeadersOf(route_->decision);
    choosing_ = true;
  }
  TryNext();
}

void GenerateStream::TryNext() {
  // Weak: a model may take long to load, and a request whose client has gone is not kept for that.
  const std::weak_ptr<GenerateStream> weak = weak_from_this();
  SpecialistKeeper::Patience patience{.deadline = deadline_, .gone = [weak] {
                                        const std::shared_ptr<GenerateStream> stream = weak.lock();
                                        return stream == nullptr || stream->unwanted_;
                                      }};
  router_->Next(route_, std::move(patience), [weak](const absl::StatusOr<RequestRouter::Choice>& choice) {
    const std::shared_ptr<GenerateStream> stream = weak.lock();
    if (stream == nullptr) return;
    if (!choice.ok()) return stream->Fail(choice.status());
    stream->TakeChoice(*choice);
  });
}

void GenerateStream::TakeChoice(const RequestRouter::Choice& choice) {
  {
    absl::MutexLock lock(&mutex_);
    hold_ = choice.hold;
  }
  if (!executor_->TryRun(
          [stream = shared_from_this(), model = choice.model] { stream->BeginWith(model, /*routed=*/true); })) {
    Fail(absl::ResourceExhaustedError("too many calls wait for tokenisation; try again later"));
  }
}

bool GenerateStream::AdmitAgain() {
  absl::StatusOr<KeyLease> lease = admit_();
  if (!lease.ok()) {
    Fail(lease.status());
    return false;
  }
  absl::MutexLock lock(&mutex_);
  if (!finished_) lease_ = *std::move(lease);
  return true;
}

void GenerateStream::BeginWith(const std::string& model, bool routed) {
  enigma::v1::GenerateRequest request = request_;
  request.set_model(model);
  // Weak: the dispatcher may hold on to the generation a little longer than gRPC to the stream.
  const std::shared_ptr<Generation> generation = Generation::Make(
      plane_, {.starts_with_token = routed, .pictures = pictures_}, std::move(request), [weak = weak_from_this()] {
        if (const std::shared_ptr<GenerateStream> alive = weak.lock()) alive->Pump();
      });
  TokenCharge charge;
  {
    absl::MutexLock lock(&mutex_);
    choosing_ = false;
    if (finished_) return;
    generation_ = generation;
    model_ = model;
    charge = lease_.charge();
  }
  generation->Begin(std::make_shared<RequestAdmission>(std::move(charge), 1));
}

void GenerateStream::Fail(const absl::Status& why) {
  std::shared_ptr<Generation> generation;
  {
    absl::MutexLock lock(&mutex_);
    if (generation_ == nullptr || choosing_) return FinishWith(why);
    generation = generation_;
  }
  generation->Fail(why);
}

void GenerateStream::FinishWith(const absl::Status& end) {
  if (finished_) return;
  finished_ = true;
  unwanted_ = true;
  EndLease();  // before the client hears the end and may ask again
  if (!has_written_) {
    for (const auto& [name, value] : headers_) context_.AddInitialMetadata(name, value);
  }
  Finish(EndOf(context_, end));
}

void GenerateStream::EndLease() {
  const Generation::Used used = generation_ == nullptr ? Generation::Used() : generation_->used();
  lease_.End(used.prompt_tokens + used.answer_tokens);
}

bool GenerateStream::TriesAnother(const absl::Status& end) {
  if (route_ == nullptr || has_written_ || end.ok()) return false;
  choosing_ = router_->MayTryAnother(*route_, model_, end);
  if (!choosing_) return false;
  EndLease();
  generation_ = nullptr;  // whoever calls this holds it
  hold_.reset();
  return true;
}

void GenerateStream::WriteChunk() {
  if (!has_written_) {
    has_written_ = true;
    if (!writing_.model().empty()) headers_.emplace_back("x-enigma-model", writing_.model());
    if (!writing_.nodes().empty()) headers_.emplace_back("x-enigma-node", absl::StrJoin(writing_.nodes(), ","));
    for (const auto& [name, value] : headers_) context_.AddInitialMetadata(name, value);
    if (route_ != nullptr) router_->Remember(*route_, model_);
  }
  is_writing_ = true;
  if (!writing_.finish_reason().empty()) EndLease();  // clients may act on it before they hear the status
  StartWrite(&writing_);
}

void GenerateStream::Pump() {
  {
    absl::MutexLock lock(&mutex_);
    if (is_writing_ || finished_ || choosing_) return;
    absl::Status end;
    switch (generation_->Take(writing_, end)) {
      case Generation::Taken::kNothing:
        return;
      case Generation::Taken::kChunk:
        return WriteChunk();
      case Generation::Taken::kEnd:
        if (!TriesAnother(end)) return FinishWith(end);
    }
  }
  if (AdmitAgain()) TryNext();
}

void GenerateStream::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&mutex_);
    is_writing_ = false;
  }
  if (!ok) CancelGeneration();  // OnCancel comes, or has come
  Pump();
}

void GenerateStream::OnCancel() {
  Fail(DeadlinePassed(context_) ? Late() : absl::CancelledError("the client went away"));
  CancelGeneration();
}

void GenerateStream::CancelGeneration() {
  std::shared_ptr<Generation> generation;
  {
    absl::MutexLock lock(&mutex_);
    generation = generation_;
  }
  if (generation != nullptr) generation->Cancel();  // which pumps
}

void GenerateStream::EndLate() {
  Fail(Late());
  CancelGeneration();
  absl::MutexLock lock(&mutex_);
  // A write waits for as long as the client does not read, and Finish with it. Until it is done OnDone cannot come, and
  // the context is there.
  if (is_writing_) context_.TryCancel();
}

void GenerateStream::OnDone() {
  {
    absl::MutexLock lock(&mutex_);
    pass_.Leave();
    hold_.reset();
  }
  self_.reset();
}

}  // namespace enigma::coordinator
