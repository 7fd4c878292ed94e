#include "tests/support/synthetic_vision.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "engine/kernels/dequantise.h"
#include "engine/spec/gguf_writer.h"

namespace enigma::testing {
namespace {

using engine::DType;
using engine::TensorPlan;

void OrDie(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "synthetic vision model: %s\n", status.ToString().c_str());
  std::abort();
}

}  // namespace

engine::VisionSpec SmallVisionSpec() {
  engine::VisionSpec spec;
  spec.name = "small";
  spec.image_size = 24;
  spec.stem = {8, 16};
  spec.hidden = 32;
  spec.ffn = 48;
  spec.heads = 2;
  spec.layers = 2;
  spec.merge = 2;
  spec.output = 40;
  spec.mean = {0.5F, 0.4F, 0.3F};
  spec.deviation = {0.5F, 0.25F, 0.2F};
  return spec;
}

std::map<std::string, std::vector<float>> RandomVisionWeights(const engine::VisionSpec& spec, uint32_t seed) {
  std::map<std::string, std::vector<float>> weights;
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  for (const TensorPlan& plan : engine::VisionTensors(spec)) {
    const bool is_matrix = plan.shape.size() == 2;
    const bool is_norm = plan.name.find("norm") != std::string::npos;
    std::vector<float>& values = weights[plan.name];
    values.resize(plan.shape[0] * (is_matrix ? plan.shape[1] : 1));
    const float deviation = is_matrix ? 1.2F / std::sqrt(static_cast<float>(plan.shape[0])) : 0.3F;
    for (float& value : values) value = (is_norm ? 1.0F : 0.0F) + deviation * normal(generator);
  }
  return weights;
}

void WriteVisionModel(const std::string& path, const engine::VisionSpec& spec,
                      std::map<std::string, std::vector<float>>& weights, DType type) {
  std::vector<TensorPlan> plans = engine::VisionTensors(spec);
  for (TensorPlan& plan : plans) {
    const bool is_whole = plan.shape[0] % engine::Traits(type).block_elements == 0;
    if (plan.shape.size() == 2 && is_whole && plan.name != "v.position_embd.weight") plan.type = type;
  }
  auto writer = engine::GgufWriter::Create(path, engine::VisionMetadata(spec), plans);
  OrDie(writer.status());
  for (const TensorPlan& plan : plans) {
    std::vector<float>& values = weights.at(plan.name);
    std::vector<uint8_t> stored(engine::RowBytes(plan.type, plan.shape[0]) * values.size() / plan.shape[0]);
    engine::Quantise(plan.type, values.data(), values.size(), stored.data());
    engine::Dequantise(plan.type, stored.data(), values.size(), values.data());
    OrDie((*writer)->Write(stored));
  }
  OrDie((*writer)->Finish().status());
}

}  // namespace enigma::testing
