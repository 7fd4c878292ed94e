#include "engine/training/state_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "engine/kernels/fixed_point.h"

namespace enigma::engine {
namespace {

constexpr char kFormat[] = "enigma training state 1";
constexpr char kExponents[] = "exponents";
constexpr size_t kPartBytes = size_t{1} << 20;

struct Group {
  const char* prefix;
  AlignedBuffer<float> TrainingState::*buffer;
};
constexpr std::array<Group, 3> kGroups = {{{"model.", &TrainingState::weights},
                                           {"adam.first.", &TrainingState::first_moments},
                                           {"adam.second.", &TrainingState::second_moments}}};

// Safetensors name the outermost extent first, the layout the innermost.
std::vector<uint64_t> OutermostFirst(const Parameter& parameter) {
  return {parameter.shape.rbegin(), parameter.shape.rend()};
}

std::vector<SafetensorsPlan> PlanOf(const ParameterLayout& layout) {
  std::vector<SafetensorsPlan> plan;
  for (const Group& group : kGroups) {
    for (const Parameter& parameter : layout.parameters()) {
      plan.push_back({group.prefix + parameter.name, SafetensorsType::kF32, OutermostFirst(parameter)});
    }
  }
  plan.push_back({kExponents, SafetensorsType::kI32, {layout.parameters().size()}});
  return plan;
}

SafetensorsMetadata StateMetadata(const TrainingState& state, const JobIdentity& job) {
  return {{"format", kFormat},
          {"contract", TrainingContract(job.precision)},
          {"step", absl::StrCat(state.step)},
          {"tokens", absl::StrCat(state.tokens)},
          {"config_sha256", HexOf(job.config)},
          {"token_set_sha256", HexOf(job.token_set)}};
}

absl::Status WriteParts(const void* data, size_t bytes, SafetensorsWriter& writer) {
  std::span<const uint8_t> left(static_cast<const uint8_t*>(data), bytes);
  while (!left.empty()) {
    const auto part = left.first(std::min(left.size(), kPartBytes));
    ENIGMA_RETURN_IF_ERROR(writer.Write(part));
    left = left.subspan(part.size());
  }
  return absl::OkStatus();
}

absl::Status WriteAll(const TrainingState& state, const ParameterLayout& layout, SafetensorsWriter& writer) {
  for (const Group& group : kGroups) {
    const AlignedBuffer<float>& buffer = state.*group.buffer;
    for (const Parameter& parameter : layout.parameters()) {
      ENIGMA_RETURN_IF_ERROR(WriteParts(buffer.data() + parameter.offset, parameter.count * sizeof(float), writer));
    }
  }
  ENIGMA_RETURN_IF_ERROR(WriteParts(state.exponents.data(), state.exponents.size() * sizeof(int32_t), writer));
  return writer.Finish();
}

absl::Status CheckSizes(const TrainingState& state, const ParameterLayout& layout) {
  for (const Group& group : kGroups) {
    const size_t floats = (state.*group.buffer).size();
    if (floats == layout.floats()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("training state: ", group.prefix, "* has ", floats, " floats, the layout ", layout.floats()));
  }
  if (state.exponents.size() == layout.parameters().size()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("training state: ", state.exponents.size(), " exponents for ",
                                                 layout.parameters().size(), " tensors"));
}

// Reads the parts of one file; errors name it.
class StateReader {
 public:
  StateReader(const SafetensorsFile& file, const ParameterLayout& layout) : file_(file), layout_(layout) {}

  absl::Status CheckIdentity(const JobIdentity& job) const {
    ENIGMA_ASSIGN_OR_RETURN(const std::string format, Value("format"));
    if (format != kFormat) return Wrong("its format is '", format, "', not '", kFormat, "'");
    ENIGMA_RETURN_IF_ERROR(Same("contract", TrainingContract(job.precision), "numeric contract"));
    ENIGMA_RETURN_IF_ERROR(Same("config_sha256", HexOf(job.config), "configuration"));
    return Same("token_set_sha256", HexOf(job.token_set), "token set");
  }

  absl::StatusOr<uint64_t> Count(const char* key) const {
    ENIGMA_ASSIGN_OR_RETURN(const std::string text, Value(key));
    uint64_t count = 0;
    if (!absl::SimpleAtoi(text, &count) || absl::StrCat(count) != text) {
      return Wrong("its ", key, " is '", text, "', no whole number");
    }
    return count;
  }

  absl::Status ReadGroup(const Group& group, TrainingState& state) const {
    for (const Parameter& parameter : layout_.parameters()) {
      ENIGMA_ASSIGN_OR_RETURN(const auto data,
                              Data(group.prefix + parameter.name, SafetensorsType::kF32, OutermostFirst(parameter)));
      std::memcpy((state.*group.buffer).data() + parameter.offset, data.data(), data.size());
    }
    return absl::OkStatus();
  }

  absl::Status ReadExponents(std::vector<int32_t>& exponents) const {
    ENIGMA_ASSIGN_OR_RETURN(const auto data, Data(kExponents, SafetensorsType::kI32, {exponents.size()}));
    std::memcpy(exponents.data(), data.data(), data.size());
    for (const int32_t exponent : exponents) {
      if (exponent < -kFixedPointExponentMax || exponent > kFixedPointExponentMax) {
        return Wrong("an exponent is ", exponent, "; those within ", kFixedPointExponentMax, " of 0 are possible");
      }
    }
    return absl::OkStatus();
  }

  // Every tensor that was asked for has another name, so the counts tell.
  absl::Status CheckNothingElse() const {
    const size_t known = kGroups.size() * layout_.parameters().size() + 1;
    if (file_.tensors().size() == known) return absl::OkStatus();
    return Wrong("it has ", file_.tensors().size(), " tensors, a state of this model has ", known);
  }

 private:
  template <class... What>
  absl::Status Wrong(const What&... what) const {
    return absl::InvalidArgumentError(absl::StrCat(file_.name(), ": ", what...));
  }

  absl::StatusOr<std::string> Value(const char* key) const {
    const auto found = file_.metadata().find(key);
    if (found == file_.metadata().end()) return Wrong("it is no training state: it does not say its ", key);
    return found->second;
  }

  absl::Status Same(const char* key, const std::string& wanted, const char* what) const {
    ENIGMA_ASSIGN_OR_RETURN(const std::string found, Value(key));
    if (found == wanted) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat(file_.name(),
                                                      ": the job's data changed: the state was made with ", what, " ",
                                                      found.substr(0, 64), ", the job has ", wanted));
  }

  absl::StatusOr<std::span<const uint8_t>> Data(const std::string& name, SafetensorsType type,
                                                const std::vector<uint64_t>& shape) const {
    const SafetensorsTensor* tensor = file_.Find(name);
    if (tensor == nullptr) return Wrong("tensor '", name, "' is missing");
    if (tensor->type != type || tensor->shape != shape) {
      return Wrong("tensor '", name, "' is ", NameOf(tensor->type), " [", absl::StrJoin(tensor->shape, ", "),
                   "], the model's is ", NameOf(type), " [", absl::StrJoin(shape, ", "), "]");
    }
    return file_.Data(*tensor);
  }

  const SafetensorsFile& file_;
  const ParameterLayout& layout_;
};

}  // namespace

uint64_t StateFileBytes(const TrainingState& state, const ParameterLayout& layout, const JobIdentity& job) {
  const auto nowhere = [](std::span<const uint8_t>) { return absl::OkStatus(); };
  const auto writer = SafetensorsWriter::Create(PlanOf(layout), StateMetadata(state, job), nowhere);
  return writer.ok() ? writer->total_bytes() : 0;
}

absl::Status WriteState(const TrainingState& state, const ParameterLayout& layout, const JobIdentity& job,
                        const ByteSink& sink) {
  ENIGMA_RETURN_IF_ERROR(CheckSizes(state, layout));
  ENIGMA_ASSIGN_OR_RETURN(auto writer, SafetensorsWriter::Create(PlanOf(layout), StateMetadata(state, job), sink));
  return WriteAll(state, layout, writer);
}

absl::StatusOr<TrainingState> ReadState(const SafetensorsFile& file, const ParameterLayout& layout,
                                        const JobIdentity& job) {
  const StateReader reader(file, layout);
  ENIGMA_RETURN_IF_ERROR(reader.CheckIdentity(job));
  TrainingState state = EmptyState(layout);
  ENIGMA_ASSIGN_OR_RETURN(state.step, reader.Count("step"));
  ENIGMA_ASSIGN_OR_RETURN(state.tokens, reader.Count("tokens"));
  for (const Group& group : kGroups) ENIGMA_RETURN_IF_ERROR(reader.ReadGroup(group, state));
  ENIGMA_RETURN_IF_ERROR(reader.ReadExponents(state.exponents));
  ENIGMA_RETURN_IF_ERROR(reader.CheckNothingElse());
  return state;
}

}  // namespace enigma::engine
