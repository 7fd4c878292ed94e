#include "engine/training/encoder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "engine/kernels/cpu_target.h"
#include "engine/text/given_row.h"
#include "engine/training/export_encoder.h"
#include "engine/vision/vision_encoder.h"
#include "tests/support/process.h"
#include "tests/support/synthetic_vision.h"
#include "tests/unit/engine/kernels/every_target.h"
#include "tests/unit/engine/kernels/random_tensor.h"
#include "tests/unit/engine/vision/vision_reference.h"

namespace enigma::engine {
namespace {

ModelSpec DecoderSpec(const VisionSpec& encoder) {
  ModelSpec spec;
  spec.architecture = "llama";
  spec.hidden = encoder.output;
  spec.ffn = 64;
  spec.heads = 2;
  spec.kv_heads = 1;
  spec.head_dim = 16;
  spec.vocab = 29;
  spec.context = 64;
  spec.rope.dimensions = 16;
  spec.layers.assign(2, LayerSpec{});
  return spec;
}

// An encoder with a decoder behind it, and weights at which nothing is nearly linear.
struct Subject {
  Subject() : vision(testing::SmallVisionSpec()) {
    vision.output = 48;
    decoder = DecoderSpec(vision);
    layout.emplace(ParameterLayout::WithEncoder(vision, decoder));
    state = InitialState(decoder, *layout, 3);
    const auto large = testing::RandomVisionWeights(vision, 8);
    for (const Parameter& p : layout->parameters()) {
      const auto at = large.find(p.name);
      if (at != large.end()) std::copy(at->second.begin(), at->second.end(), state.weights.data() + p.offset);
    }
  }
  size_t encoder_end() const { return layout->Find("token_embd.weight")->offset; }
  size_t picture() const { return size_t{3} * vision.image_size * vision.image_size; }
  size_t prefix() const { return size_t{vision.prefix()} * vision.output; }

  // sum of `factors` times the prefixes of `pictures`, in double.
  double ReferenceSum(const std::vector<double>& weights, const std::vector<float>& pictures,
                      const std::vector<float>& factors) const {
    std::map<std::string, std::vector<double>> by_name;
    for (const Parameter& p : layout->parameters()) {
      const auto from = weights.begin() + static_cast<long>(p.offset);
      by_name[p.name].assign(from, from + static_cast<long>(p.count));
    }
    double sum = 0;
    for (size_t at = 0; at * picture() < pictures.size(); ++at) {
      const auto from = pictures.begin() + static_cast<long>(at * picture());
      const std::vector<double> rows = ReferencePrefix(vision, by_name, {from, from + static_cast<long>(picture())});
      for (size_t i = 0; i < rows.size(); ++i) sum += rows[i] * factors[at * prefix() + i];
    }
    return sum;
  }

  VisionSpec vision;
  ModelSpec decoder;
  std::optional<ParameterLayout> layout;
  TrainingState state;
};

TEST(EncoderTest, PrefixIsThatOfTheReference) {
  const Subject subject;
  ThreadPool pool(2);
  Encoder encoder(subject.vision, *subject.layout, ProductPrecision::kF32, pool);
  encoder.SetWeights(subject.state.weights.data());
  const std::vector<double> weights(subject.state.weights.data(),
                                    subject.state.weights.data() + subject.layout->floats());
  const std::vector<float> pictures = NormalFloats(2 * subject.picture(), 1);
  const float* prefix = encoder.Forward(pictures.data(), 2);
  for (size_t i = 0; i < 2 * subject.prefix(); i += 7) {
    std::vector<float> factors(2 * subject.prefix());
    factors[i] = 1;
    ASSERT_NEAR(prefix[i], subject.ReferenceSum(weights, pictures, factors), 2e-5);
  }
}

TEST(EncoderTest, GradientIsThatOfTheReference) {
  const Subject subject;
  ThreadPool pool(2);
  Encoder encoder(subject.vision, *subject.layout, ProductPrecision::kF32, pool);
  encoder.SetWeights(subject.state.weights.data());
  std::vector<double> weights(subject.state.weights.data(), subject.state.weights.data() + subject.layout->floats());
  const std::vector<float> pictures = NormalFloats(2 * subject.picture(), 1);
  const std::vector<float> factors = NormalFloats(2 * subject.prefix(), 2);
  std::vector<float> gradient(subject.layout->floats(), 77.0F);
  encoder.Forward(pictures.data(), 2);
  size_t end = subject.encoder_end();
  encoder.Backward(factors.data(), gradient.data(), [&](size_t begin, size_t part_end) {
    EXPECT_EQ(part_end, end);
    end = begin;
  });
  EXPECT_EQ(end, 0U);
  EXPECT_EQ(gradient[subject.encoder_end()], 77.0F);  // the decoder's is the decoder's

  std::mt19937 generator(1);
  for (const Parameter& p : subject.layout->parameters()) {
    if (p.offset >= subject.encoder_end()) break;
    double scale = 0;
    for (size_t i = 0; i < p.count; ++i) scale = std::max(scale, std::fabs(double{gradient[p.offset + i]}));
    EXPECT_GT(scale, 1e-3) << p.name;
    for (int sample = 0; sample < 3; ++sample) {
      const size_t at = p.offset + generator() % p.count;
      const double kept = weights[at];
      constexpr double kStep = 1e-5;
      weights[at] = kept + kStep;
      const double above = subject.ReferenceSum(weights, pictures, factors);
      weights[at] = kept - kStep;
      const double below = subject.ReferenceSum(weights, pictures, factors);
      weights[at] = kept;
      EXPECT_NEAR(gradient[at], (above - below) / (2 * kStep), 3e-5 * scale + 1e-6) << p.name << " " << at - p.offset;
    }
  }
}

TEST(EncoderTest, SameBitsOnEveryTargetAndThreadCount) {
  const Subject subject;
  const std::vector<float> pictures = NormalFloats(3 * subject.picture(), 4);
  const std::vector<float> factors = NormalFloats(3 * subject.prefix(), 5);
  for (const ProductPrecision precision : {ProductPrecision::kF32, ProductPrecision::kBf16}) {
    std::vector<float> first_prefix, first_gradient;
    ForEveryTargetAndThreadCount([&](ThreadPool& pool) {
      Encoder encoder(subject.vision, *subject.layout, precision, pool);
      encoder.SetWeights(subject.state.weights.data());
      const float* rows = encoder.Forward(pictures.data(), 3);
      const std::vector<float> prefix(rows, rows + 3 * subject.prefix());
      std::vector<float> gradient(subject.encoder_end());
      encoder.Backward(factors.data(), gradient.data(), [](size_t, size_t) {});
      if (first_prefix.empty()) {
        first_prefix = prefix;
        first_gradient = gradient;
      }
      for (const Parameter& p : subject.layout->parameters()) {
        if (p.offset >= subject.encoder_end()) break;
        ASSERT_EQ(std::memcmp(&gradient[p.offset], &first_gradient[p.offset], p.count * sizeof(float)), 0)
            << p.name << " " << CpuTargetName();
      }
      ASSERT_EQ(std::memcmp(prefix.data(), first_prefix.data(), prefix.size() * sizeof(float)), 0) << CpuTargetName();
    });
  }
}

TEST(EncoderTest, APictureIsTheSameInCompanyAndWithSharedWeights) {
  const Subject subject;
  ThreadPool pool(1);
  Encoder owner(subject.vision, *subject.layout, ProductPrecision::kF32, pool);
  Encoder encoder(subject.vision, *subject.layout, ProductPrecision::kF32, pool);
  owner.SetWeights(subject.state.weights.data());
  encoder.ShareWeights(owner);
  const std::vector<float> pictures = NormalFloats(2 * subject.picture(), 6);
  const float* both = encoder.Forward(pictures.data(), 2);
  const std::vector<float> expected(both + subject.prefix(), both + 2 * subject.prefix());
  const float* alone = owner.Forward(pictures.data() + subject.picture(), 1);
  EXPECT_EQ(std::vector<float>(alone, alone + subject.prefix()), expected);
}

TEST(EncoderTest, ExportedItGivesTheSamePrefix) {
  const Subject subject;
  const testing::TemporaryDirectory folder;
  const std::string path = folder.path() + "/encoder.gguf";
  const auto bytes =
      ExportEncoderGguf(subject.vision, *subject.layout, subject.state.weights.data(), DType::kF32, path);
  ASSERT_TRUE(bytes.ok()) << bytes.status().ToString();
  EXPECT_EQ(*bytes, std::filesystem::file_size(path));
  const auto source = OpenGgufWeights(path);
  ASSERT_TRUE(source.ok()) << source.status().ToString();
  ThreadPool pool(1);
  auto serving = VisionEncoder::Load(**source, pool);
  ASSERT_TRUE(serving.ok()) << serving.status().ToString();
  Encoder encoder(subject.vision, *subject.layout, ProductPrecision::kF32, pool);
  encoder.SetWeights(subject.state.weights.data());
  const std::vector<float> picture = NormalFloats(subject.picture(), 3);
  const float* expected = encoder.Forward(picture.data(), 1);
  const auto prefix = (*serving)->EncodeInput(picture);
  ASSERT_TRUE(prefix.ok()) << prefix.status().ToString();
  for (size_t i = 0; i < prefix->size(); ++i) ASSERT_NEAR((*prefix)[i], expected[i], 2e-5);
}

TEST(EncoderTest, WeightsThatAreNotFiniteAreNotExported) {
  Subject subject;
  const testing::TemporaryDirectory folder;
  subject.state.weights[subject.layout->Find("v.stem.1.bias")->offset] = std::numeric_limits<float>::infinity();
  const auto bytes = ExportEncoderGguf(subject.vision, *subject.layout, subject.state.weights.data(), DType::kF32,
                                       folder.path() + "/encoder.gguf");
  EXPECT_EQ(bytes.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

// The decoder's part of both is a decoder's: what exports and serves it needs to know of no encoder.
TEST(EncoderTest, TheDecoderLiesAsInALayoutOfItsOwn) {
  const Subject subject;
  const ParameterLayout alone(subject.decoder);
  EXPECT_EQ(subject.encoder_end() + alone.floats(), subject.layout->floats());
  for (const Parameter& p : alone.parameters()) {
    ASSERT_NE(subject.layout->Find(p.name), nullptr) << p.name;
    EXPECT_EQ(subject.layout->Find(p.name)->offset, subject.encoder_end() + p.offset) << p.name;
  }
}

TEST(EncoderTest, FirstWeightsDoNotDependOnTheDecodersDepth) {
  const Subject subject;
  ModelSpec deep = subject.decoder;
  deep.layers.assign(7, LayerSpec{});
  const TrainingState state = InitialState(subject.decoder, *subject.layout, 3);
  const TrainingState other = InitialState(deep, ParameterLayout::WithEncoder(subject.vision, deep), 3);
  EXPECT_EQ(std::memcmp(state.weights.data(), other.weights.data(), subject.encoder_end() * sizeof(float)), 0);
}

// A document of nine given rows and three tokens, and one of tokens alone.
SlotBatch PictureBatch(const Subject& subject) {
  SlotBatch batch;
  for (uint32_t i = 0; i < 12; ++i) {
    batch.tokens.push_back(i < subject.vision.prefix() ? kGivenRow : static_cast<int32_t>(i));
    batch.targets.push_back(i + 1 < subject.vision.prefix() ? -1 : static_cast<int32_t>(i + 5));
    batch.positions.push_back(i);
  }
  batch.starts = {0, 12, 14};
  for (uint32_t i = 0; i < 2; ++i) {
    batch.tokens.push_back(static_cast<int32_t>(20 + i));
    batch.targets.push_back(static_cast<int32_t>(2 + i));
    batch.positions.push_back(i);
  }
  batch.trained = 6;
  return batch;
}

TEST(EncoderTest, GivenRowsAreEmbeddingsToTheDecoder) {
  const Subject subject;
  ThreadPool pool(2);
  Decoder decoder(subject.decoder, *subject.layout, 16, {}, pool);
  decoder.SetWeights(subject.state.weights.data());
  const SlotBatch given_batch = PictureBatch(subject);
  SlotBatch token_batch = given_batch;
  // Each given row is the embedding of a token that occurs nowhere else.
  const size_t hidden = subject.decoder.hidden, embedding = subject.encoder_end();
  std::vector<float> given, d_given(9 * hidden, 5.0F);
  for (int32_t i = 0; i < 9; ++i) {
    token_batch.tokens[static_cast<size_t>(i)] = i;
    const float* row = subject.state.weights.data() + embedding + static_cast<size_t>(i) * hidden;
    given.insert(given.end(), row, row + hidden);
  }
  std::vector<float> of_tokens(subject.layout->floats()), of_given(subject.layout->floats());
  const auto nobody = [](size_t, size_t) {};
  const double loss = decoder.LossAndGradient(token_batch, 1, 0, of_tokens.data(), nobody);
  EXPECT_EQ(decoder.LossAndGradient(given_batch, 1, 0, of_given.data(), nobody, {given.data(), d_given.data()}), loss);
  EXPECT_EQ(decoder.Loss(given_batch, given.data()), loss);
  EXPECT_EQ(decoder.Logits(given_batch, given.data()), decoder.Logits(token_batch));
  EXPECT_EQ(std::memcmp(d_given.data(), of_tokens.data() + embedding, d_given.size() * sizeof(float)), 0);
  for (const Parameter& p : subject.layout->parameters()) {
    if (p.offset < embedding) continue;
    const size_t skipped = p.offset == embedding ? d_given.size() : 0;
    for (size_t i = 0; i < skipped; ++i) ASSERT_EQ(of_given[p.offset + i], 0.0F);
    ASSERT_EQ(
        std::memcmp(&of_given[p.offset + skipped], &of_tokens[p.offset + skipped], (p.count - skipped) * sizeof(float)),
        0)
        << p.name;
  }
}

// Steps down the gradient of both together, from a job's first weights: what a picture shows comes to be said of it.
TEST(EncoderTest, EncoderAndDecoderLearnToTellPicturesApart) {
  Subject subject;
  subject.state = InitialState(subject.decoder, *subject.layout, 7);
  ThreadPool pool(2);
  Encoder encoder(subject.vision, *subject.layout, ProductPrecision::kF32, pool);
  Decoder decoder(subject.decoder, *subject.layout, 16, {}, pool);
  // Four pictures that are of one colour each; what is said of each is another token.
  constexpr uint32_t kPictures = 4;
  std::vector<float> pictures;
  SlotBatch batch;
  batch.starts = {0};
  for (uint32_t picture = 0; picture < kPictures; ++picture) {
    for (uint32_t c = 0; c < 3; ++c) {
      const float value = picture == c ? 1.0F : -1.0F;
      pictures.insert(pictures.end(), subject.picture() / 3, value);
    }
    for (uint32_t i = 0; i < subject.vision.prefix(); ++i) {
      batch.tokens.push_back(kGivenRow);
      batch.targets.push_back(i + 1 < subject.vision.prefix() ? -1 : static_cast<int32_t>(3 + picture));
      batch.positions.push_back(i);
    }
    batch.starts.push_back(static_cast<uint32_t>(batch.tokens.size()));
  }
  batch.trained = kPictures;
  std::vector<float> gradient(subject.layout->floats()), d_given(kPictures * subject.prefix());
  const auto nobody = [](size_t, size_t) {};
  double first = 0, loss = 0;
  for (int step = 0; step < 60; ++step) {
    encoder.SetWeights(subject.state.weights.data());
    decoder.SetWeights(subject.state.weights.data());
    const float* prefix = encoder.Forward(pictures.data(), kPictures);
    loss = decoder.LossAndGradient(batch, 0, 0, gradient.data(), nobody, {prefix, d_given.data()});
    encoder.Backward(d_given.data(), gradient.data(), nobody);
    if (step == 0) first = loss;
    for (const Parameter& p : subject.layout->parameters()) {
      // The sign's direction, as AdamW begins.
      for (size_t i = p.offset; i < p.offset + p.count; ++i) {
        subject.state.weights[i] -= gradient[i] == 0 ? 0 : std::copysign(0.002F, gradient[i]);
      }
    }
  }
  EXPECT_NEAR(first / kPictures, std::log(29.0), 0.5);
  EXPECT_LT(loss, 0.2 * first);
}

}  // namespace
}  // namespace enigma::engine
