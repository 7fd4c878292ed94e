#include "worker/pipeline/frame.h"

#include <limits>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "worker/pipeline/little_endian.h"

namespace enigma::worker {
namespace {

constexpr uint32_t kRunFlagLogits = 1;
constexpr uint32_t kRunFlagReset = 2;
constexpr uint32_t kTokenFlagFinished = 1;

// Least bytes that one item takes, so that a count can be refused before anything is reserved for it.
constexpr uint64_t kCloseBytes = 8;
constexpr uint64_t kOpenBytesLeast = 4;
constexpr uint64_t kRunBytesLeast = 24;
constexpr uint64_t kTokenBytes = 20;

absl::Status Broken(absl::string_view what) { return absl::DataLossError(absl::StrCat("frame: ", what)); }

absl::Status CheckCounts(const FrameHeader& header) {
  const uint64_t least =
      header.type == FrameType::kTokens
          ? header.run_count * kTokenBytes
          : header.close_count * kCloseBytes + header.open_count * kOpenBytesLeast + header.run_count * kRunBytesLeast;
  if (least > header.plan_bytes) {
    return Broken(absl::StrCat("its counts need ", least, " bytes of plan, it has ", header.plan_bytes));
  }
  if (header.type != FrameType::kStep && (header.rows != 0 || header.close_count != 0 || header.open_count != 0)) {
    return Broken("a tokens or bye frame with rows, opens or closes");
  }
  return absl::OkStatus();
}

absl::StatusOr<PlannedRun> DecodeRun(LittleEndianReader& reader) {
  PlannedRun run;
  uint32_t flags = 0;
  uint32_t block_count = 0;
  if (!reader.Read(run.sequence) || !reader.Read(run.first) || !reader.Read(run.count) || !reader.Read(flags) ||
      !reader.Read(block_count)) {
    return Broken("its plan ends inside a run");
  }
  if ((flags & ~(kRunFlagLogits | kRunFlagReset)) != 0) return Broken(absl::StrCat("unknown run flags ", flags));
  if (run.count == 0) return Broken("a run without rows");
  if (run.count > std::numeric_limits<uint32_t>::max() - run.first) return Broken("a run's positions overflow");
  if (block_count > reader.remaining() / sizeof(uint32_t)) return Broken("a run's blocks exceed the plan");
  run.logits = (flags & kRunFlagLogits) != 0;
  run.reset_blocks = (flags & kRunFlagReset) != 0;
  run.new_blocks.resize(block_count);
  for (uint32_t& block : run.new_blocks) {
    if (!reader.Read(block)) return Broken("its plan ends inside a block list");
  }
  return run;
}

absl::StatusOr<v1::OpenSequence> DecodeOpen(LittleEndianReader& reader) {
  uint32_t bytes = 0;
  std::span<const uint8_t> body;
  if (!reader.Read(bytes) || !reader.ReadBytes(bytes, body)) return Broken("its plan ends inside an opened sequence");
  v1::OpenSequence open;
  if (body.size() > std::numeric_limits<int>::max() ||
      !open.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return Broken("an opened sequence does not parse");
  }
  return open;
}

}  // namespace

uint32_t WireTypeBytes(WireType type) { return type == WireType::kF32 ? 4 : 2; }

absl::StatusOr<WireType> WireTypeFromNumber(uint32_t number) {
  switch (static_cast<WireType>(number)) {
    case WireType::kF32:
    case WireType::kF16:
    case WireType::kBF16:
      return static_cast<WireType>(number);
  }
  return absl::InvalidArgumentError(absl::StrCat("wire type ", number, " is none of 0 (f32), 1 (f16), 30 (bf16)"));
}

absl::StatusOr<FrameView> ParseFrame(std::span<const uint8_t> bytes) {
  LittleEndianReader reader(bytes);
  FrameView view;
  FrameHeader& header = view.header;
  uint32_t magic = 0, wire_type = 0, contract = 0;
  uint16_t version = 0, type = 0;
  uint64_t payload_bytes = 0;
  if (!reader.Read(magic) || !reader.Read(version) || !reader.Read(type) || !reader.Read(header.replica) ||
      !reader.Read(header.step) || !reader.Read(header.plan_bytes) || !reader.Read(header.close_count) ||
      !reader.Read(header.open_count) || !reader.Read(header.run_count) || !reader.Read(header.rows) ||
      !reader.Read(header.hidden) || !reader.Read(wire_type) || !reader.Read(contract) || !reader.Read(payload_bytes)) {
    return Broken(absl::StrCat(bytes.size(), " bytes are less than a header of ", kFrameHeaderBytes));
  }
  if (magic != kFrameMagic) return Broken("no magic number");
  if (version != kFrameVersion) return Broken(absl::StrCat("version ", version, " is not ", kFrameVersion));
  if (type < 1 || type > 3) return Broken(absl::StrCat("unknown type ", type));
  header.type = static_cast<FrameType>(type);
  if (!WireTypeFromNumber(wire_type).ok()) return Broken(absl::StrCat("unknown wire type ", wire_type));
  header.wire_type = static_cast<WireType>(wire_type);
  if (contract != static_cast<uint32_t>(WireContract::kCpuV1)) {
    return Broken(absl::StrCat("numeric contract ", contract, " is not this stage's"));
  }
  // rows * hidden fits in 64 bits, but not always times the element: divide instead.
  const uint64_t elements = uint64_t{header.rows} * header.hidden;
  if (elements > bytes.size() || payload_bytes != header.payload_bytes()) {
    return Broken(absl::StrCat(header.rows, " rows of ", header.hidden, " do not make ", payload_bytes, " bytes"));
  }
  ENIGMA_RETURN_IF_ERROR(CheckCounts(header));
  if (header.plan_bytes > reader.remaining() || payload_bytes != reader.remaining() - header.plan_bytes) {
    return Broken(absl::StrCat("plan of ", header.plan_bytes, " and payload of ", payload_bytes, " are not the ",
                               reader.remaining(), " bytes after the header"));
  }
  if (!reader.ReadBytes(header.plan_bytes, view.plan) || !reader.ReadBytes(payload_bytes, view.payload)) {
    return Broken("ends early");
  }
  return view;
}

absl::StatusOr<StepPlan> DecodePlan(const FrameView& frame) {
  if (frame.header.type != FrameType::kStep) return Broken("not a step");
  LittleEndianReader reader(frame.plan);
  StepPlan plan;
  plan.step = frame.header.step;
  plan.closes.resize(frame.header.close_count);
  for (uint64_t& sequence : plan.closes) {
    if (!reader.Read(sequence)) return Broken("its plan ends inside the closed sequences");
  }
  plan.opens.reserve(frame.header.open_count);
  for (uint32_t i = 0; i < frame.header.open_count; ++i) {
    ENIGMA_ASSIGN_OR_RETURN(plan.opens.emplace_back(), DecodeOpen(reader));
  }
  plan.runs.reserve(frame.header.run_count);
  uint64_t rows = 0;
  for (uint32_t i = 0; i < frame.header.run_count; ++i) {
    ENIGMA_ASSIGN_OR_RETURN(plan.runs.emplace_back(), DecodeRun(reader));
    rows += plan.runs.back().count;
  }
  if (rows != frame.header.rows) {
    return Broken(absl::StrCat("its runs have ", rows, " rows, its header says ", frame.header.rows));
  }
  if (reader.remaining() != 0) return Broken(absl::StrCat(reader.remaining(), " bytes follow its plan"));
  return plan;
}

absl::StatusOr<std::vector<SampledToken>> DecodeTokens(const FrameView& frame) {
  if (frame.header.type != FrameType::kTokens) return Broken("not a tokens frame");
  if (frame.plan.size() != frame.header.run_count * kTokenBytes) return Broken("its tokens do not fill it");
  LittleEndianReader reader(frame.plan);
  std::vector<SampledToken> tokens(frame.header.run_count);
  for (SampledToken& token : tokens) {
    uint32_t flags = 0;
    if (!reader.Read(token.sequence) || !reader.Read(token.position) || !reader.Read(token.id) || !reader.Read(flags)) {
      return Broken("ends inside a token");
    }
    if ((flags & ~kTokenFlagFinished) != 0) return Broken(absl::StrCat("unknown token flags ", flags));
    token.finished = (flags & kTokenFlagFinished) != 0;
  }
  return tokens;
}

std::string EncodePlan(const StepPlan& plan) {
  std::string out;
  for (const uint64_t sequence : plan.closes) AppendLittleEndian(out, sequence);
  for (const v1::OpenSequence& open : plan.opens) {
    AppendLittleEndian(out, static_cast<uint32_t>(open.ByteSizeLong()));
    open.AppendToString(&out);
  }
  for (const PlannedRun& run : plan.runs) {
    AppendLittleEndian(out, run.sequence);
    AppendLittleEndian(out, run.first);
    AppendLittleEndian(out, run.count);
    AppendLittleEndian(out, (run.logits ? kRunFlagLogits : 0U) | (run.reset_blocks ? kRunFlagReset : 0U));
    AppendLittleEndian(out, static_cast<uint32_t>(run.new_blocks.size()));
    for (const uint32_t block : run.new_blocks) AppendLittleEndian(out, block);
  }
  return out;
}

FrameHeader StepHeader(const StepPlan& plan, uint64_t replica, size_t plan_bytes, uint32_t hidden, WireType wire_type) {
  return {.type = FrameType::kStep,
          .replica = replica,
          .step = plan.step,
          .plan_bytes = static_cast<uint32_t>(plan_bytes),
          .close_count = static_cast<uint32_t>(plan.closes.size()),
          .open_count = static_cast<uint32_t>(plan.opens.size()),
          .run_count = static_cast<uint32_t>(plan.runs.size()),
          .rows = plan.rows(),
          .hidden = hidden,
          .wire_type = wire_type,
          .contract = WireContract::kCpuV1};
}

void EncodeHeader(const FrameHeader& header, std::span<uint8_t, kFrameHeaderBytes> out) {
  std::string bytes;
  bytes.reserve(kFrameHeaderBytes);
  AppendLittleEndian(bytes, kFrameMagic);
  AppendLittleEndian(bytes, kFrameVersion);
  AppendLittleEndian(bytes, static_cast<uint16_t>(header.type));
  AppendLittleEndian(bytes, header.replica);
  AppendLittleEndian(bytes, header.step);
  for (const uint32_t field :
       {header.plan_bytes, header.close_count, header.open_count, header.run_count, header.rows, header.hidden,
        static_cast<uint32_t>(header.wire_type), static_cast<uint32_t>(header.contract)}) {
    AppendLittleEndian(bytes, field);
  }
  AppendLittleEndian(bytes, header.payload_bytes());
  std::memcpy(out.data(), bytes.data(), kFrameHeaderBytes);
}

std::string EncodeTokensFrame(uint64_t replica, uint64_t step, std::span<const SampledToken> tokens) {
  std::string out(kFrameHeaderBytes, '\0');
  for (const SampledToken& token : tokens) {
    AppendLittleEndian(out, token.sequence);
    AppendLittleEndian(out, token.position);
    AppendLittleEndian(out, token.id);
    AppendLittleEndian(out, token.finished ? kTokenFlagFinished : 0U);
  }
  const FrameHeader header{.type = FrameType::kTokens,
                           .replica = replica,
                           .step = step,
                           .plan_bytes = static_cast<uint32_t>(out.size() - kFrameHeaderBytes),
                           .run_count = static_cast<uint32_t>(tokens.size())};
  EncodeHeader(header,
               std::span<uint8_t, kFrameHeaderBytes>(reinterpret_cast<uint8_t*>(out.data()), kFrameHeaderBytes));
  return out;
}

std::string EncodeByeFrame(uint64_t replica) {
  std::string out(kFrameHeaderBytes, '\0');
  const FrameHeader header{.type = FrameType::kBye, .replica = replica};
  EncodeHeader(header,
               std::span<uint8_t, kFrameHeaderBytes>(reinterpret_cast<uint8_t*>(out.data()), kFrameHeaderBytes));
  return out;
}

}  // namespace enigma::worker
