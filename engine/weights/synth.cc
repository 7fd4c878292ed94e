#include "engine/weights/synth.h"

#include <algorithm>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/weights/synth_noise.h"
#include "engine/weights/synth_plan.h"

namespace enigma::engine {
namespace {

constexpr uint64_t kChunkBytes = uint64_t{4} << 20;
// Models of more weights than this are laid from a pool.
constexpr uint64_t kDrawnElementsMax = 8'000'000;

template <typename Entry>
absl::StatusOr<Entry> Named(std::span<const Entry> entries, std::string_view name, const char* what) {
  for (const Entry& entry : entries) {
    if (name == entry.name) return entry;
  }
  const auto append = [](std::string* out, const Entry& entry) { out->append(entry.name); };
  return absl::InvalidArgumentError(absl::StrCat("there is no synthetic model of ", what, " '", ToAbsl(name),
                                                 "'; these are: ", absl::StrJoin(entries, ", ", append)));
}

uint64_t Elements(const TensorPlan& tensor) {
  uint64_t elements = 1;
  for (const uint64_t extent : tensor.shape) elements *= extent;
  return elements;
}

// Norms lie around 1, biases around 0; both f32.
absl::Status WriteVector(const TensorPlan& tensor, uint32_t number, uint64_t seed, GgufWriter& writer) {
  std::vector<float> values(Elements(tensor));
  FillNoise(seed, number, 0, values);
  if (absl::EndsWith(tensor.name, "norm.weight")) {
    for (float& value : values) value += 1.0F;
  }
  return writer.Write({reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float)});
}

absl::Status WriteMatrix(const TensorPlan& tensor, uint32_t number, NoiseRows& noise, GgufWriter& writer,
                         const std::function<void()>& chunk_written) {
  const uint64_t row = tensor.shape[0];
  const uint64_t rows = tensor.shape[1];
  const uint64_t row_bytes = RowBytes(tensor.type, row);
  const uint64_t rows_per_chunk = std::max<uint64_t>(1, kChunkBytes / row_bytes);
  std::vector<uint8_t> chunk(std::min(rows, rows_per_chunk) * row_bytes);
  for (uint64_t first = 0; first < rows; first += rows_per_chunk) {
    const uint64_t count = std::min(rows_per_chunk, rows - first);
    const std::span<uint8_t> out(chunk.data(), count * row_bytes);
    noise.Fill(tensor.type, number, row, first, count, out);
    ENIGMA_RETURN_IF_ERROR(writer.Write(out));
    chunk_written();
  }
  return absl::OkStatus();
}

template <typename Entry>
std::vector<std::string> Names(std::span<const Entry> entries) {
  std::vector<std::string> names;
  for (const Entry& entry : entries) names.emplace_back(entry.name);
  return names;
}

}  // namespace

absl::StatusOr<uint64_t> SynthesiseModel(std::string_view shape_name, std::string_view type_name,
                                         const std::string& path, const SynthOptions& options) {
  ENIGMA_ASSIGN_OR_RETURN(const SynthShape shape, Named(SynthShapes(), shape_name, "shape"));
  ENIGMA_ASSIGN_OR_RETURN(const WeightType type, Named(WeightTypes(), type_name, "type"));
  GgufMetadata metadata = SynthMetadata(shape, type);
  AddSynthVocabulary(shape.vocab, metadata);
  const std::vector<TensorPlan> tensors = SynthTensors(shape, type);
  ENIGMA_ASSIGN_OR_RETURN(const auto writer, GgufWriter::Create(path, metadata, tensors));

  uint64_t elements = 0;
  for (const TensorPlan& tensor : tensors) elements += Elements(tensor);
  NoiseRows noise(options.seed, elements > kDrawnElementsMax);
  const auto report = [&] {
    if (options.progress) options.progress(writer->written_bytes(), writer->file_bytes());
  };
  for (uint32_t number = 0; number < tensors.size(); ++number) {
    if (tensors[number].shape.size() == 1) {
      ENIGMA_RETURN_IF_ERROR(WriteVector(tensors[number], number, options.seed, *writer));
    } else {
      ENIGMA_RETURN_IF_ERROR(WriteMatrix(tensors[number], number, noise, *writer, report));
    }
  }
  return writer->Finish();
}

std::vector<std::string> SynthShapeNames() { return Names(SynthShapes()); }
std::vector<std::string> SynthTypeNames() { return Names(WeightTypes()); }

}  // namespace enigma::engine
