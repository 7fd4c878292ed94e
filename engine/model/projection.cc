#include "engine/model/projection.h"

#include <new>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"

namespace enigma::engine {
namespace {

absl::Status CheckShape(const StoredTensor& tensor, size_t inner) {
  const TensorInfo& info = *tensor.info;
  if (info.shape.size() < 2 || info.shape[0] != inner) {
    return absl::InvalidArgumentError(absl::StrCat("tensor ", info.name, ": its rows have ",
                                                   info.shape.empty() ? 0 : info.shape[0], " elements, expected ",
                                                   inner));
  }
  if (tensor.data.size() != RowBytes(info.type, inner) * info.shape[1]) {
    return absl::DataLossError(absl::StrCat("tensor ", info.name, ": ", tensor.data.size(),
                                            " bytes are there, expected ", RowBytes(info.type, inner) * info.shape[1]));
  }
  return absl::OkStatus();
}

// Packs the rows of neighbouring tensors of one type as one matrix.
absl::StatusOr<PackedMatrix> PackGroup(std::span<const StoredTensor> group, size_t inner, ThreadPool& pool) {
  std::span<const uint8_t> source = group[0].data;
  size_t rows = group[0].info->shape[1];
  std::vector<uint8_t> joined;
  if (group.size() > 1) {
    rows = 0;
    size_t bytes = 0;
    for (const StoredTensor& tensor : group) bytes += tensor.data.size();
    joined.reserve(bytes);
    for (const StoredTensor& tensor : group) {
      joined.insert(joined.end(), tensor.data.begin(), tensor.data.end());
      rows += tensor.info->shape[1];
    }
    source = joined;
  }
  absl::StatusOr<PackedMatrix> packed = PackedMatrix::Pack(group[0].info->type, rows, inner, source, &pool);
  if (packed.ok()) return packed;
  return absl::Status(packed.status().code(),
                      absl::StrCat("tensor ", group[0].info->name, ": ", packed.status().message()));
}

}  // namespace

absl::StatusOr<Projection> Projection::Load(std::span<const StoredTensor> tensors, size_t inner, ThreadPool& pool) {
  for (const StoredTensor& tensor : tensors) ENIGMA_RETURN_IF_ERROR(CheckShape(tensor, inner));
  Projection projection;
  for (size_t begin = 0; begin < tensors.size();) {
    size_t end = begin + 1;
    while (end < tensors.size() && tensors[end].info->type == tensors[begin].info->type) ++end;
    ENIGMA_ASSIGN_OR_RETURN(PackedMatrix matrix, PackGroup(tensors.subspan(begin, end - begin), inner, pool));
    projection.needs_quantised_ |= NeedsQuantisedActivations(matrix.type());
    const size_t rows = matrix.rows();
    projection.parts_.push_back({std::move(matrix), projection.outputs_});
    projection.outputs_ += rows;
    begin = end;
  }
  return projection;
}

void Projection::Apply(const ActivationRows& x, float* y, size_t stride, ThreadPool& pool) const {
  for (const Part& part : parts_) MatMul(part.matrix, x, y + part.first_output, stride, pool);
}

uint64_t Projection::bytes() const {
  uint64_t bytes = 0;
  for (const Part& part : parts_) bytes += part.matrix.bytes();
  return bytes;
}

}  // namespace enigma::engine
