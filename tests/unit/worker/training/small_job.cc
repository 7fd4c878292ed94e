#include "tests/unit/worker/training/small_job.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "engine/checkpoint/safetensors.h"
#include "engine/spec/gguf_writer.h"
#include "engine/spec/training_presets.h"
#include "engine/tensor/thread_pool.h"
#include "engine/training/export_model.h"
#include "engine/training/import_model.h"
#include "engine/training/rank_trainer.h"
#include "engine/training/state_file.h"
#include "tests/support/test_data.h"
#include "tests/unit/engine/text/small_vocabularies.h"
#include "tests/unit/engine/training/small_picture_encoder.h"

namespace enigma::worker {

SmallJob::SmallJob(const std::string& folder) {
  const std::string path = folder + "/tokenizer.gguf";
  const engine::GgufMetadata vocabulary = engine::testing::BytePairVocabulary("gpt-2");
  EXPECT_TRUE((*engine::GgufWriter::Create(path, vocabulary, {}))->Finish().ok());
  vocabulary_ = enigma::testing::ReadFileOrDie(path);
  const auto tokenizer = *engine::Tokenizer::FromGguf(vocabulary);

  engine::TokenSetBuilder builder(*tokenizer);
  for (uint32_t document = 0; document < 60; ++document) {
    std::vector<engine::TokenId> ids;
    uint32_t token = document;
    for (uint32_t i = 0; i < 6 + document * 7 % 30; ++i) {
      ids.push_back(static_cast<engine::TokenId>(token % 200));
      token = token * 3 + 1 + (i * document % 5 == 0 ? 1 : 0);
    }
    const std::vector<uint8_t> trained(ids.size(), 1);
    const auto part = document % 10 == 9 ? engine::TokenSet::Part::kValidation : engine::TokenSet::Part::kTraining;
    EXPECT_TRUE(builder.Add(part, ids, trained).ok());
  }
  tokens_ = *builder.Finish();

  engine::TrainingPreset preset = engine::TrainingPresets().front();
  preset.layers = 2;
  preset.hidden = 64;
  preset.heads = 4;
  preset.kv_heads = 2;
  preset.ffn = 96;
  config.spec = engine::SpecOfPreset(preset, engine::testing::kBpTokens, 64, true);
  config.steps = 60;
  config.context = 32;
  config.sequences_per_step = 6;
  config.slots = 6;
  config.learning_rate = 3e-3;
  config.warmup_steps = 5;
  config.checkpoint_seconds = 1e6;
  config.dropout = 0.1;
}

void SmallJob::AdaptABaseModel(const std::string& folder) {
  const engine::ParameterLayout layout(config.spec);
  const engine::TrainingState base = engine::InitialState(config.spec, layout, 5);
  const engine::GgufMetadata vocabulary = engine::testing::BytePairVocabulary("gpt-2");
  base_path_ = folder + "/base.gguf";
  EXPECT_TRUE(
      engine::ExportGguf({config.spec, layout, base.weights.data(), vocabulary}, engine::DType::kF16, base_path_).ok());
  base_ = *engine::BuildManifest(**engine::GgufFile::Open(base_path_), "base");
  config.base_model = "base";
  config.lora = {.rank = 4, .alpha = 8, .targets = {"attn_q", "ffn_down"}};
  config.learning_rate = 0.03;
}

void SmallJob::LearnFromPictures(uint8_t brightest) {
  constexpr engine::TokenId kPicture = 250, kEnd = 249;
  config.pictures.encoder = engine::testing::SmallPictureEncoder(config.spec.hidden);
  config.pictures.token = kPicture;
  config.pictures.flip = true;
  config.pictures.crop_side_min = 0.8F;
  const auto tokenizer = *engine::Tokenizer::FromGguf(engine::testing::BytePairVocabulary("gpt-2"));
  engine::TokenSetBuilder texts(*tokenizer);
  engine::PictureSetBuilder squares(config.pictures.encoder.image_size);
  for (uint32_t document = 0; document < 40; ++document) {
    const uint32_t colour = document % 3, brightness = document / 3 % 2;
    engine::Image image = engine::Image::Blank(20, 20);
    for (size_t at = colour; at < image.rgb.size(); at += 3) {
      image.rgb[at] = brightness == 0 ? uint8_t{90} : static_cast<uint8_t>(brightest + document % 5);
    }
    squares.Add(image);
    std::vector<engine::TokenId> ids(config.pictures.encoder.prefix(), kPicture);
    ids.insert(ids.end(), {static_cast<engine::TokenId>(colour), static_cast<engine::TokenId>(10 + brightness), kEnd});
    std::vector<uint8_t> trained(ids.size(), 0);
    std::fill(trained.end() - 3, trained.end(), uint8_t{1});
    const auto part = document >= 36 ? engine::TokenSet::Part::kValidation : engine::TokenSet::Part::kTraining;
    EXPECT_TRUE(texts.Add(part, ids, trained).ok());
  }
  tokens_ = *texts.Finish();
  pictures_ = *squares.Finish();
}

void SmallJob::PlacePieces(const std::string& layers_dir) const {
  std::filesystem::create_directories(layers_dir);
  const auto file = *engine::GgufFile::Open(base_path_);
  for (const engine::Blob& blob : base_.blobs) {
    std::vector<uint8_t> bytes(blob.bytes);
    EXPECT_TRUE(engine::ReadBlob(*file, blob, 0, bytes).ok());
    std::ofstream(layers_dir + "/" + engine::HexOf(blob.hash), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
}

engine::AlignedBuffer<float> SmallJob::BaseWeights() const {
  engine::ThreadPool pool(1);
  const engine::ParameterLayout layout(config.spec);
  engine::TrainingState base = engine::EmptyState(layout);
  EXPECT_TRUE(engine::ImportWeights(**engine::OpenGgufWeights(base_path_), layout, base, pool).ok());
  return std::move(base.weights);
}

v1::PrepareRank SmallJob::Order(SmallJobFiles& files) const {
  v1::PrepareRank order;
  order.set_job(3);
  order.set_name("small");
  order.set_config_json(engine::TrainingConfigToJson(config));
  const std::span<const uint8_t> tokens = tokens_->bytes();
  *order.mutable_token_set() = files.Add("tokens.bin", std::string(tokens.begin(), tokens.end()));
  *order.mutable_tokenizer() = files.Add("tokenizer.gguf", vocabulary_);
  if (pictures_ != nullptr) {
    const std::span<const uint8_t> pictures = pictures_->bytes();
    *order.mutable_picture_set() = files.Add("pictures.bin", std::string(pictures.begin(), pictures.end()));
  }
  order.set_orphan_seconds(60);
  if (!base_path_.empty()) order.set_base_manifest_json(engine::ManifestToJson(base_));
  return order;
}

engine::TrainingState SmallJob::Expected(uint64_t steps) const {
  engine::ThreadPool pool(1);
  const engine::ParameterLayout layout = engine::ParameterLayout::OfJob(config);
  absl::StatusOr<engine::SlotLoader> slots =
      engine::SlotLoader::Create(tokens_, engine::SlotOptionsOf(config), pictures_);
  const auto trainer =
      *engine::RankTrainer::Create({.config = config,
                                    .slots = std::make_shared<const engine::SlotLoader>(*std::move(slots)),
                                    .state = engine::InitialState(config.spec, layout, config.seed),
                                    .base = base_path_.empty() ? engine::AlignedBuffer<float>() : BaseWeights()},
                                   pool);
  const std::vector<uint32_t> owners(config.slots, 0);
  for (uint64_t step = 0; step < steps; ++step) EXPECT_TRUE(trainer->Step(nullptr, owners, 0).ok());
  engine::TrainingState state = engine::EmptyState(layout);
  const engine::TrainingState& end = trainer->state();
  state.step = end.step;
  state.tokens = end.tokens;
  state.exponents = end.exponents;
  const size_t bytes = layout.floats() * sizeof(float);
  std::memcpy(state.weights.data(), end.weights.data(), bytes);
  std::memcpy(state.first_moments.data(), end.first_moments.data(), bytes);
  std::memcpy(state.second_moments.data(), end.second_moments.data(), bytes);
  return state;
}

engine::TrainingState SmallJob::Read(const std::string& checkpoint) const {
  const auto file = engine::SafetensorsFile::Parse(
      {reinterpret_cast<const uint8_t*>(checkpoint.data()), checkpoint.size()}, "the checkpoint");
  EXPECT_TRUE(file.ok()) << file.status();
  std::string beside;  // the configuration: what the state belongs to as well
  if (pictures_ != nullptr) beside = engine::HexOf(pictures_->hash());
  if (!base_path_.empty()) beside = engine::HexOf(base_.id);
  auto state = engine::ReadState(**file, engine::ParameterLayout::OfJob(config),
                                 {.config = engine::Sha256Of(engine::TrainingConfigToJson(config) + beside),
                                  .token_set = tokens_->hash(),
                                  .precision = config.precision});
  EXPECT_TRUE(state.ok()) << state.status();
  return *std::move(state);
}

bool SmallJob::SameBits(const engine::TrainingState& a, const engine::TrainingState& b) const {
  const engine::ParameterLayout layout = engine::ParameterLayout::OfJob(config);
  if (a.step != b.step || a.tokens != b.tokens || a.exponents != b.exponents) return false;
  for (const engine::Parameter& parameter : layout.parameters()) {
    const auto same = [&](const engine::AlignedBuffer<float>& x, const engine::AlignedBuffer<float>& y) {
      return std::memcmp(x.data() + parameter.offset, y.data() + parameter.offset, parameter.count * sizeof(float)) ==
             0;
    };
    if (!same(a.weights, b.weights) || !same(a.first_moments, b.first_moments) ||
        !same(a.second_moments, b.second_moments)) {
      return false;
    }
  }
  return true;
}

}  // namespace enigma::worker
