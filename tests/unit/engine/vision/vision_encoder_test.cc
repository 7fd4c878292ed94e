#include "engine/vision/vision_encoder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/image/model_input.h"
#include "engine/spec/manifest.h"
#include "engine/weights/synth_noise.h"
#include "tests/support/process.h"
#include "tests/support/synthetic_vision.h"
#include "tests/unit/engine/kernels/every_target.h"
#include "tests/unit/engine/kernels/random_tensor.h"
#include "tests/unit/engine/vision/vision_reference.h"

namespace enigma::engine {
namespace {

using ::testing::HasSubstr;
using testing::RandomVisionWeights;
using testing::SmallVisionSpec;

class VisionEncoderTest : public ::testing::Test {
 protected:
  std::unique_ptr<WeightSource> Weights(const VisionSpec& spec, DType type = DType::kF32) {
    weights_ = RandomVisionWeights(spec, 5);
    testing::WriteVisionModel(path(), spec, weights_, type);
    auto source = OpenGgufWeights(path());
    EXPECT_TRUE(source.ok()) << source.status().ToString();
    return *std::move(source);
  }
  std::string path() const { return folder_.path() + "/vision.gguf"; }
  static std::vector<float> Input(const VisionSpec& spec, uint32_t seed) {
    return NormalFloats(size_t{3} * spec.image_size * spec.image_size, seed);
  }
  static std::vector<float> Prefix(VisionEncoder& encoder, const std::vector<float>& input) {
    auto prefix = encoder.EncodeInput(input);
    EXPECT_TRUE(prefix.ok()) << prefix.status().ToString();
    return prefix.ok() ? *std::move(prefix) : std::vector<float>();
  }
  // The largest deviation from the reference, as a share of its root mean square.
  double Deviation(const VisionSpec& spec, VisionEncoder& encoder, const std::vector<float>& input) const {
    std::map<std::string, std::vector<double>> weights;
    for (const auto& [name, values] : weights_) weights[name].assign(values.begin(), values.end());
    const std::vector<double> exact = ReferencePrefix(spec, weights, {input.begin(), input.end()});
    const std::vector<float> prefix = Prefix(encoder, input);
    if (prefix.size() != exact.size()) return 1e9;
    double largest = 0, squares = 0;
    for (size_t i = 0; i < exact.size(); ++i) {
      largest = std::max(largest, std::abs(prefix[i] - exact[i]));
      squares += exact[i] * exact[i];
    }
    return largest / std::sqrt(squares / static_cast<double>(exact.size()));
  }

  testing::TemporaryDirectory folder_;
  std::map<std::string, std::vector<float>> weights_;
};

TEST_F(VisionEncoderTest, AgreesWithTheReference) {
  VisionSpec one = SmallVisionSpec(), deep = SmallVisionSpec();
  one.merge = 1;
  deep.image_size = 32;
  deep.stem = {8, 8, 24};
  deep.heads = 4;
  deep.layers = 3;
  deep.merge = 4;
  for (const VisionSpec& spec : {SmallVisionSpec(), one, deep}) {
    const auto source = Weights(spec);
    ThreadPool pool(1);
    auto encoder = VisionEncoder::Load(*source, pool);
    ASSERT_TRUE(encoder.ok()) << encoder.status().ToString();
    EXPECT_LT(Deviation(spec, **encoder, Input(spec, 1)), 2e-5);
    EXPECT_LT(Deviation(spec, **encoder, Input(spec, 2)), 2e-5);  // nothing is left of the first
  }
}

TEST_F(VisionEncoderTest, StoredTypesAreThoseOfTheFile) {
  const VisionSpec spec = SmallVisionSpec();
  for (const auto& [type, tolerance] : {std::pair{DType::kF16, 2e-5}, std::pair{DType::kQ8_0, 0.05}}) {
    const auto source = Weights(spec, type);
    ThreadPool pool(2);
    auto encoder = VisionEncoder::Load(*source, pool);
    ASSERT_TRUE(encoder.ok()) << encoder.status().ToString();
    EXPECT_LT(Deviation(spec, **encoder, Input(spec, 3)), tolerance);
  }
}

TEST_F(VisionEncoderTest, SameBitsOnEveryTargetAndThreadCountAndAfterOtherPictures) {
  VisionSpec spec = SmallVisionSpec();
  spec.image_size = 64;
  const auto source = Weights(spec);
  std::vector<float> expected;
  ForEveryTargetAndThreadCount([&](ThreadPool& pool) {
    auto encoder = VisionEncoder::Load(*source, pool);
    ASSERT_TRUE(encoder.ok()) << encoder.status().ToString();
    if (pool.threads() == 2) Prefix(**encoder, Input(spec, 8));
    const std::vector<float> prefix = Prefix(**encoder, Input(spec, 9));
    if (expected.empty()) expected = prefix;
    ASSERT_EQ(prefix.size(), expected.size());
    ASSERT_EQ(std::memcmp(prefix.data(), expected.data(), prefix.size() * sizeof(float)), 0) << CpuTargetName();
  });
}

TEST_F(VisionEncoderTest, PrefixIsThisOnEveryMachine) {
  const VisionSpec spec = SmallVisionSpec();
  uint32_t stream = 0;
  for (const TensorPlan& plan : VisionTensors(spec)) {
    std::vector<float>& values = weights_[plan.name];
    values.resize(plan.shape[0] * (plan.shape.size() > 1 ? plan.shape[1] : 1));
    FillNoise(1, stream++, 0, values);
    for (float& value : values) value *= 8;
  }
  testing::WriteVisionModel(path(), spec, weights_, DType::kF32);
  const auto source = OpenGgufWeights(path());
  ASSERT_TRUE(source.ok()) << source.status().ToString();
  ThreadPool pool(1);
  auto encoder = VisionEncoder::Load(**source, pool);
  ASSERT_TRUE(encoder.ok()) << encoder.status().ToString();
  Image image = Image::Blank(50, 31);
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<uint8_t>(i * i >> 5);
  const auto prefix = (*encoder)->Encode(image);
  ASSERT_TRUE(prefix.ok()) << prefix.status().ToString();
  const std::string bytes(reinterpret_cast<const char*>(prefix->data()), prefix->size() * sizeof(float));
  EXPECT_EQ(HexOf(Sha256Of(bytes)), "b0120bb2acacd3a416e7facbaa1cc88fad758f869f1281e236362ae73165df6a");
}

TEST_F(VisionEncoderTest, PicturesAreFittedAndScaled) {
  const VisionSpec spec = SmallVisionSpec();
  const auto source = Weights(spec);
  ThreadPool pool(1);
  auto encoder = VisionEncoder::Load(*source, pool);
  ASSERT_TRUE(encoder.ok()) << encoder.status().ToString();
  Image image = Image::Blank(50, 31);
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<uint8_t>(i * i >> 5);
  const PixelScale scale = {spec.mean, spec.deviation};
  const auto prefix = (*encoder)->Encode(image);
  ASSERT_TRUE(prefix.ok()) << prefix.status().ToString();
  EXPECT_EQ(*prefix, Prefix(**encoder, ToModelInput(FitSquare(image, spec.image_size, scale), scale)));
  EXPECT_EQ((*encoder)->Encode({}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ((*encoder)->Encode({4, 4, std::vector<uint8_t>(47)}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ((*encoder)->EncodeInput(std::vector<float>(7)).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_GT((*encoder)->weight_bytes(), 50'000U);
}

TEST_F(VisionEncoderTest, ShapeComesBackFromTheFile) {
  const VisionSpec spec = SmallVisionSpec();
  const auto source = Weights(spec);
  const auto read = VisionSpecFromGguf(source->head());
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(read->name, "small");
  EXPECT_EQ(read->image_size, spec.image_size);
  EXPECT_EQ(read->stem, spec.stem);
  EXPECT_EQ(read->hidden, spec.hidden);
  EXPECT_EQ(read->ffn, spec.ffn);
  EXPECT_EQ(read->heads, spec.heads);
  EXPECT_EQ(read->layers, spec.layers);
  EXPECT_EQ(read->merge, spec.merge);
  EXPECT_EQ(read->output, spec.output);
  EXPECT_EQ(read->norm_epsilon, spec.norm_epsilon);
  EXPECT_EQ(read->mean, spec.mean);
  EXPECT_EQ(read->deviation, spec.deviation);
  EXPECT_EQ(read->prefix(), 9U);
}

TEST_F(VisionEncoderTest, DamagedWeightsAreSaid) {
  const VisionSpec spec = SmallVisionSpec();
  weights_ = RandomVisionWeights(spec, 5);
  weights_.at("v.post_norm.weight")[3] = std::numeric_limits<float>::quiet_NaN();
  testing::WriteVisionModel(path(), spec, weights_, DType::kF32);
  const auto source = OpenGgufWeights(path());
  ASSERT_TRUE(source.ok());
  ThreadPool pool(1);
  auto encoder = VisionEncoder::Load(**source, pool);
  ASSERT_TRUE(encoder.ok()) << encoder.status().ToString();
  const auto prefix = (*encoder)->EncodeInput(Input(spec, 1));
  EXPECT_EQ(prefix.status().code(), absl::StatusCode::kInternal);
}

TEST(VisionSpecTest, ShapesThatDoNotFitAreRefusedByName) {
  const auto complaint = [](const std::function<void(VisionSpec&)>& change) {
    VisionSpec spec = SmallVisionSpec();
    change(spec);
    return CheckVisionSpec(spec).ToString();
  };
  EXPECT_EQ(complaint([](VisionSpec&) {}), "OK");
  EXPECT_THAT(complaint([](VisionSpec& s) { s.image_size = 26; }), HasSubstr("image_size: 26 is no multiple of 4"));
  EXPECT_THAT(complaint([](VisionSpec& s) { s.image_size = 400; }), HasSubstr("100 x 100 patches are more than 4096"));
  EXPECT_THAT(complaint([](VisionSpec& s) { s.image_size = 0; }), HasSubstr("image_size"));
  EXPECT_THAT(complaint([](VisionSpec& s) { s.stem.clear(); }), HasSubstr("stem_channels"));
  EXPECT_THAT(complaint([](VisionSpec& s) { s.merge = 4; }), HasSubstr("spatial_merge_size: 4 does not divide 6"));
  EXPECT_THAT(complaint([](VisionSpec& s) { s.heads = 3; }), HasSubstr("attention.head_count"));
  EXPECT_THAT(complaint([](VisionSpec& s) { s.heads = 8; }), HasSubstr("attention.head_count"));
  EXPECT_THAT(complaint([](VisionSpec& s) { s.norm_epsilon = 0; }), HasSubstr("layer_norm_rms_epsilon"));
  EXPECT_THAT(complaint([](VisionSpec& s) { s.deviation[1] = 0; }), HasSubstr("image_std"));
  EXPECT_THAT(complaint([](VisionSpec& s) { s.mean[2] = NAN; }), HasSubstr("image_mean"));
}

TEST(VisionSpecTest, MemoryToWorkInIsBounded) {
  const auto complaint = [](const std::function<void(VisionSpec&)>& change) {
    VisionSpec spec = SmallVisionSpec();
    spec.image_size = 4096;
    spec.stem = {1, 1, 1, 1, 1, 1};
    change(spec);
    return CheckVisionSpec(spec).ToString();
  };
  EXPECT_EQ(complaint([](VisionSpec&) {}), "OK");
  EXPECT_EQ(complaint([](VisionSpec& s) { s.stem[0] = 28; }), "OK");
  EXPECT_THAT(complaint([](VisionSpec& s) { s.stem[0] = 29; }),  // 1024 * 1024 * 9 * 29, a little above 2^28
              HasSubstr("enigma.vision.stem_channels: with an image_size of 4096 it takes"));
  EXPECT_THAT(complaint([](VisionSpec& s) { s.stem[0] = 16384; }), HasSubstr("stem_channels"));
  EXPECT_THAT(complaint([](VisionSpec& s) { s.stem[1] = 114; }), HasSubstr("stem_channels"));
  EXPECT_THAT(complaint([](VisionSpec& s) { s.hidden = 1 << 16, s.heads = 256; }), HasSubstr("embedding_length"));
  EXPECT_THAT(complaint([](VisionSpec& s) { s.ffn = 1 << 16; }), HasSubstr("feed_forward_length"));
  EXPECT_THAT(complaint([](VisionSpec& s) { s.output = 1 << 20; }), HasSubstr("projection_dim"));
}

TEST_F(VisionEncoderTest, FilesThatAreNoEncoderAreRefused) {
  const VisionSpec spec = SmallVisionSpec();
  const auto complaint = [&](const std::function<void(GgufMetadata&, std::vector<TensorPlan>&)>& change) {
    GgufMetadata metadata = VisionMetadata(spec);
    std::vector<TensorPlan> plans = VisionTensors(spec);
    change(metadata, plans);
    auto writer = GgufWriter::Create(path(), metadata, plans);
    EXPECT_TRUE(writer.ok()) << writer.status().ToString();
    for (const TensorPlan& plan : plans) {
      const std::vector<uint8_t> zeros(RowBytes(plan.type, plan.shape[0]) *
                                       (plan.shape.size() > 1 ? plan.shape[1] : 1));
      EXPECT_TRUE((*writer)->Write(zeros).ok());
    }
    EXPECT_TRUE((*writer)->Finish().ok());
    const auto file = GgufFile::Open(path());
    return VisionSpecFromGguf(**file).status().ToString();
  };
  EXPECT_EQ(complaint([](auto&, auto&) {}), "OK");
  EXPECT_THAT(complaint([](auto& m, auto&) { m.Set("general.architecture", std::string("llama")); }),
              HasSubstr("its architecture is 'llama'"));
  EXPECT_THAT(complaint([](auto& m, auto&) { m.Set("enigma.vision.block_count", uint64_t{0}); }),
              HasSubstr("enigma.vision.block_count: 0 is outside [1, 256]"));
  EXPECT_THAT(complaint([](auto& m, auto&) { m.Set("enigma.vision.image_size", uint64_t{1} << 40); }),
              HasSubstr("enigma.vision.image_size"));
  EXPECT_THAT(complaint([](auto& m, auto&) {
                auto channels = std::make_unique<GgufArray>();
                channels->integers = {8, -1};
                m.Set("enigma.vision.stem_channels", std::move(channels));
              }),
              HasSubstr("enigma.vision.stem_channels: -1 is below 1"));
  EXPECT_THAT(complaint([](auto&, auto& plans) { plans.pop_back(); }), HasSubstr("tensor 'mm.2.bias' is missing"));
  EXPECT_THAT(complaint([](auto&, auto& plans) { plans[0].shape[0] = 28; }),
              HasSubstr("tensor 'v.stem.0.weight' at byte"));
  EXPECT_THAT(complaint([](auto&, auto& plans) {
                plans.push_back({"v.extra", DType::kF32, {4}});
              }),
              HasSubstr("'v.extra'"));
}

}  // namespace
}  // namespace enigma::engine
