// A safetensors file from outside: what is accepted can be read to the last byte, and survives being written again.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "engine/checkpoint/safetensors.h"
#include "engine/checkpoint/safetensors_writer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace enigma::engine;
  const auto file = SafetensorsFile::Parse({data, size}, "input");
  if (!file.ok()) return 0;
  std::vector<uint8_t> out;
  const auto sink = [&out](std::span<const uint8_t> bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
    return absl::OkStatus();
  };
  std::vector<SafetensorsPlan> plan;
  for (const SafetensorsTensor& tensor : (*file)->tensors()) plan.push_back({tensor.name, tensor.type, tensor.shape});
  auto writer = SafetensorsWriter::Create(plan, (*file)->metadata(), sink);
  if (!writer.ok()) std::abort();
  for (const SafetensorsTensor& tensor : (*file)->tensors()) {
    if (!writer->Write((*file)->Data(tensor)).ok()) std::abort();
  }
  if (!writer->Finish().ok() || out.size() != writer->total_bytes()) std::abort();
  const auto again = SafetensorsFile::Parse(out, "again");
  if (!again.ok() || (*again)->metadata() != (*file)->metadata()) std::abort();
  if ((*again)->tensors().size() != (*file)->tensors().size()) std::abort();
  return 0;
}
