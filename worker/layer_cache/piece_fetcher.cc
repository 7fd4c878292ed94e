#include "worker/layer_cache/piece_fetcher.h"

#include <algorithm>
#include <future>
#include <utility>

#include <absl/cleanup/cleanup.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "telemetry/log.h"

namespace enigma::worker {
namespace {

// Every source that has a piece is asked this often: a connection that broke once may hold the next time.
constexpr int kRounds = 2;
constexpr int kPiecesAtOnce = 3;

absl::Status Cancelled() { return absl::CancelledError("the load was cancelled"); }

}  // namespace

PieceFetcher::PieceFetcher(LayerCache& cache, Metrics& metrics)
    : cache_(cache),
      bytes_fetched_(metrics.Counter(Metric::kPieceBytesFetched)),
      failures_(metrics.Counter(Metric::kPieceFetchFailures)) {}

absl::Status PieceFetcher::Fetch(const std::vector<const engine::Blob*>& blobs,
                                 const std::vector<std::unique_ptr<PieceSource>>& sources, FetchProgress& progress) {
  Session session{.missing = {}, .offers = {}, .unreachable = {}, .progress = progress};
  for (const engine::Blob* blob : blobs) {
    progress.bytes_needed += blob->bytes;
    progress.bytes_present += std::min(cache_.BytesPresent(blob->hash), blob->bytes);
    if (!cache_.Has(blob->hash)) session.missing.push_back(blob);
  }
  if (session.missing.empty()) return absl::OkStatus();
  ENIGMA_RETURN_IF_ERROR(CheckDisk(session.missing));
  AskAll(sources, session);
  std::vector<std::future<absl::Status>> threads;
  for (int i = 1; i < kPiecesAtOnce; ++i) {
    threads.push_back(std::async(std::launch::async, [this, &session] { return FetchPieces(session); }));
  }
  absl::Status fetched = FetchPieces(session);
  for (auto& thread : threads) {
    const absl::Status also = thread.get();
    // The first failure ends the others, which then say no more than that.
    if (fetched.ok() || (absl::IsCancelled(fetched) && !also.ok())) fetched = also;
  }
  return fetched;
}

// All sources at once: one that is gone takes seconds to say so.
void PieceFetcher::AskAll(const std::vector<std::unique_ptr<PieceSource>>& sources, Session& session) {
  std::vector<engine::Sha256> hashes;
  for (const engine::Blob* blob : session.missing) hashes.push_back(blob->hash);
  std::vector<std::future<absl::StatusOr<std::vector<bool>>>> answers;
  for (const auto& source : sources) {
    answers.push_back(std::async(std::launch::async, [&source, &hashes] { return source->Has(hashes); }));
  }
  for (size_t i = 0; i < sources.size(); ++i) {
    absl::StatusOr<std::vector<bool>> has = answers[i].get();
    if (has.ok() && has->size() == hashes.size()) {
      session.offers.push_back({sources[i].get(), *std::move(has)});
    } else {
      absl::StrAppend(&session.unreachable, "; ", sources[i]->name(), ": ",
                      has.ok() ? "gave a wrong answer" : ToString(has.status().message()));
    }
  }
}

absl::Status PieceFetcher::FetchPieces(Session& session) {
  for (size_t index = session.next++; index < session.missing.size(); index = session.next++) {
    if (session.ended()) return Cancelled();
    absl::Status fetched = FetchPiece(index, session);
    if (fetched.ok()) continue;
    session.failed = true;
    return fetched;
  }
  return absl::OkStatus();
}

absl::Status PieceFetcher::CheckDisk(const std::vector<const engine::Blob*>& missing) const {
  uint64_t needed = 0;
  for (const engine::Blob* blob : missing) {
    needed += blob->bytes - std::min(blob->bytes, cache_.BytesPresent(blob->hash));
  }
  ENIGMA_ASSIGN_OR_RETURN(const uint64_t free, cache_.FreeBytes());
  if (needed <= free) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("fetching ", missing.size(), " pieces needs ", needed,
                                                   " bytes under ", cache_.directory(), ", ", free,
                                                   " are free; make room or choose another --data-dir"));
}

absl::Status PieceFetcher::FetchPiece(size_t index, Session& session) {
  const engine::Blob& blob = *session.missing[index];
  {
    absl::MutexLock lock(&mutex_);
    const auto is_free = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !in_flight_.contains(blob.hash); };
    while (!mutex_.AwaitWithTimeout(absl::Condition(&is_free), absl::Milliseconds(100))) {
      if (session.ended()) return Cancelled();
    }
    if (cache_.Has(blob.hash)) return absl::OkStatus();  // the other load brought it
    in_flight_.insert(blob.hash);
  }
  uint64_t fetched_bytes = 0;  // and kept
  const absl::Cleanup release = [&] {
    bytes_fetched_.Increment(static_cast<double>(fetched_bytes));
    absl::MutexLock lock(&mutex_);
    in_flight_.erase(blob.hash);
  };
  std::string errors = session.unreachable;
  for (int round = 0; round < kRounds; ++round) {
    for (const Offer& offer : session.offers) {
      if (session.ended()) return Cancelled();
      if (!offer.has[index]) {
        if (round == 0) absl::StrAppend(&errors, "; ", offer.source->name(), ": does not have it");
        continue;
      }
      const absl::Status fetched = FetchFrom(*offer.source, blob, session, fetched_bytes);
      // What is wrong on this side is not mended by another source.
      if (fetched.ok() || absl::IsResourceExhausted(fetched) || absl::IsCancelled(fetched)) return fetched;
      failures_.Increment();
      LogWarn("piece {} from {}: {}", engine::HexOf(blob.hash), offer.source->name(), enigma::Describe(fetched));
      absl::StrAppend(&errors, "; ", offer.source->name(), ": ", ToString(fetched.message()));
    }
  }
  return absl::UnavailableError(
      absl::StrCat("piece ", engine::HexOf(blob.hash), " (", blob.bytes, " bytes) could not be fetched", errors));
}

absl::Status PieceFetcher::FetchFrom(PieceSource& source, const engine::Blob& blob, Session& session,
                                     uint64_t& fetched) {
  bool resumed = false;
  const absl::Status status = FetchOnce(source, blob, session, resumed, fetched);
  // The fault may lie in what another source had sent before; alone, this one may be right.
  return resumed && absl::IsDataLoss(status) ? FetchOnce(source, blob, session, resumed, fetched) : status;
}

absl::Status PieceFetcher::FetchOnce(PieceSource& source, const engine::Blob& blob, Session& session, bool& resumed,
                                     uint64_t& fetched) {
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<PieceWriter> writer, cache_.Resume(blob.hash, blob.bytes));
  resumed = writer->size() > 0;
  if (writer->size() < blob.bytes) {
    absl::Status written;
    const auto sink = [&](std::string_view data) -> absl::Status {
      if (session.ended()) return written = Cancelled();
      written = writer->Append(data);
      if (!written.ok()) return written;
      fetched += data.size();
      session.progress.bytes_fetched += data.size();
      return written;
    };
    const absl::Status read = source.Read(blob.hash, writer->size(), sink);
    ENIGMA_RETURN_IF_ERROR(written);
    ENIGMA_RETURN_IF_ERROR(read);
  }
  const bool whole = writer->size() == blob.bytes;
  const absl::Status committed = writer->Commit();
  if (whole && absl::IsDataLoss(committed)) {  // all of it was thrown away
    session.progress.bytes_fetched -= fetched;
    fetched = 0;
  }
  return committed;
}

}  // namespace enigma::worker
