// Jobs that train an image encoder with the decoder behind it.
#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/collective/in_process_links.h"
#include "engine/collective/ring_communicator.h"
#include "engine/spec/training_memory.h"
#include "engine/training/rank_trainer.h"
#include "tests/unit/engine/training/small_picture_encoder.h"
#include "tests/unit/engine/training/trained_ranks.h"

namespace enigma::engine {
namespace {

using ::testing::HasSubstr;

constexpr uint32_t kPictureToken = 60, kEndToken = 59;

TrainingConfig PictureConfig() {
  TrainingConfig config = testing::SmallConfig();
  config.pictures.encoder = testing::SmallPictureEncoder(config.spec.hidden);
  config.pictures.token = kPictureToken;
  config.learning_rate = 3e-3;
  return config;
}

// Pictures of one colour of three, of some brightness; of each it is said which colour, and how bright.
struct Pictures {
  explicit Pictures(const TrainingConfig& config, uint32_t count = 36) : builder(config.spec.vocab, Sha256{}) {
    PictureSetBuilder set(20);
    // Those for validation stand behind the others, in both.
    for (const auto part : {TokenSet::Part::kTraining, TokenSet::Part::kValidation}) {
      for (uint32_t i = 0; i < count; ++i) {
        if ((i % 9 == 8) != (part == TokenSet::Part::kValidation)) continue;
        const uint32_t colour = i % 3, brightness = i / 3 % 2;
        Image image = Image::Blank(20, 20);
        for (size_t at = colour; at < image.rgb.size(); at += 3) {
          image.rgb[at] = static_cast<uint8_t>(brightness == 0 ? 90 : 220 + i % 5);
        }
        set.Add(image);
        std::vector<TokenId> ids(config.pictures.encoder.prefix(), kPictureToken);
        ids.insert(ids.end(), {static_cast<TokenId>(10 + colour), static_cast<TokenId>(20 + brightness), kEndToken});
        std::vector<uint8_t> trained(ids.size(), 0);
        std::fill(trained.end() - 3, trained.end(), uint8_t{1});
        EXPECT_TRUE(builder.Add(part, ids, trained).ok());
      }
    }
    tokens = *builder.Finish();
    pictures = *set.Finish();
  }

  absl::StatusOr<SlotLoader> Loader(const TrainingConfig& config) const {
    return SlotLoader::Create(tokens,
                              {.context = config.context,
                               .sequences_per_step = config.sequences_per_step,
                               .slots = config.slots,
                               .seed = 3,
                               .picture_rows = config.pictures.encoder.prefix(),
                               .picture_token = config.pictures.token},
                              pictures);
  }

  TokenSetBuilder builder;
  std::shared_ptr<const TokenSet> tokens;
  std::shared_ptr<const PictureSet> pictures;
};

struct PictureRank {
  PictureRank(const TrainingConfig& config, int threads) : pool(threads) {
    auto loader = Pictures(config).Loader(config);
    EXPECT_TRUE(loader.ok()) << loader.status();
    auto made = RankTrainer::Create({.config = config,
                                     .slots = std::make_shared<SlotLoader>(*std::move(loader)),
                                     .state = InitialState(config.spec, ParameterLayout::OfJob(config), config.seed),
                                     .base = {}},
                                    pool);
    EXPECT_TRUE(made.ok()) << made.status();
    trainer = *std::move(made);
  }
  StepResult Step(Communicator* communicator, const std::vector<uint32_t>& owners) {
    const auto result = trainer->Step(communicator, owners, 0);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *result : StepResult{};
  }
  ThreadPool pool;
  std::unique_ptr<RankTrainer> trainer;
};

TEST(PictureJobTest, BatchesNameTheirPictures) {
  const TrainingConfig config = PictureConfig();
  const auto loader = Pictures(config).Loader(config);
  ASSERT_TRUE(loader.ok()) << loader.status();
  size_t pieces = 0;
  for (uint32_t slot = 0; slot < config.slots; ++slot) {
    const SlotBatch batch = loader->Load(0, slot);
    ASSERT_EQ(batch.pictures.size() + 1, batch.starts.size());
    for (size_t p = 0; p < batch.pictures.size(); ++p, ++pieces) {
      ASSERT_EQ(batch.starts[p + 1] - batch.starts[p], config.pictures.encoder.prefix() + 2);
      for (uint32_t i = 0; i < config.pictures.encoder.prefix(); ++i) {
        ASSERT_EQ(batch.tokens[batch.starts[p] + i], -1);
        ASSERT_EQ(batch.targets[batch.starts[p] + i] == -1, i + 1 < config.pictures.encoder.prefix());
      }
      // Which colour is said is that of the picture's.
      const Image picture = loader->pictures()->Picture(batch.pictures[p]);
      const auto colour = static_cast<size_t>(batch.tokens[batch.starts[p] + config.pictures.encoder.prefix()] - 10);
      EXPECT_GT(picture.rgb[colour], 80);
    }
  }
  EXPECT_GE(pieces, config.sequences_per_step);
}

TEST(PictureJobTest, LearnsToSayWhatIsSeen) {
  TrainingConfig config = PictureConfig();
  config.steps = 300;
  config.learning_rate = 5e-3;
  PictureRank rank(config, 2);
  const std::vector<uint32_t> owners(config.slots, 0);
  const double first = rank.Step(nullptr, owners).loss;
  double last = first;
  for (uint64_t step = 1; step < config.steps; ++step) last = rank.Step(nullptr, owners).loss;
  // Without looking, a colour of three and a brightness of two cost ln 6 over the three tokens of a text.
  EXPECT_LT(last, 0.5 * std::log(6.0) / 3) << first;
  const auto validation = rank.trainer->Validate(nullptr);
  ASSERT_TRUE(validation.ok()) << validation.status();
  EXPECT_LT(*validation, 0.5 * std::log(6.0) / 3);
}

TEST(PictureJobTest, SameStateWithAnyThreadsAndRanks) {
  const TrainingConfig config = PictureConfig();
  constexpr uint64_t kSteps = 3;
  PictureRank alone(config, 1);
  for (uint64_t step = 0; step < kSteps; ++step) alone.Step(nullptr, std::vector<uint32_t>(config.slots, 0));
  PictureRank threads(config, 3);
  for (uint64_t step = 0; step < kSteps; ++step) threads.Step(nullptr, std::vector<uint32_t>(config.slots, 0));
  testing::ExpectSameState(threads.trainer->state(), alone.trainer->state());

  InProcessNetwork network(2);
  std::vector<std::unique_ptr<PictureRank>> ranks;
  for (int r = 0; r < 2; ++r) ranks.push_back(std::make_unique<PictureRank>(config, 1));
  std::vector<uint32_t> owners(config.slots, 0);
  for (size_t slot = 0; slot < owners.size(); slot += 2) owners[slot] = 1;
  testing::OnRanks(2, [&](uint32_t r) {
    const auto communicator = MakeRingCommunicator(network.Join(r));
    for (uint64_t step = 0; step < kSteps; ++step) ranks[r]->Step(communicator.get(), owners);
  });
  testing::ExpectSameState(ranks[0]->trainer->state(), alone.trainer->state());
  testing::ExpectSameState(ranks[1]->trainer->state(), alone.trainer->state());
}

TEST(PictureJobTest, PicturesAndTextsMustBelongTogether) {
  const TrainingConfig config = PictureConfig();
  const Pictures data(config);
  const auto complaint = [&](const SlotLoader::Options& change, std::shared_ptr<const PictureSet> pictures) {
    const auto loader = SlotLoader::Create(data.tokens, change, std::move(pictures));
    return std::string(loader.status().message());
  };
  const SlotLoader::Options good = {.context = config.context,
                                    .sequences_per_step = 7,
                                    .slots = 7,
                                    .picture_rows = config.pictures.encoder.prefix(),
                                    .picture_token = kPictureToken};
  EXPECT_EQ(complaint(good, data.pictures), "");
  SlotLoader::Options options = good;
  options.picture_rows = 5;
  EXPECT_THAT(complaint(options, data.pictures), HasSubstr("text 0 has 7 tokens, 4 of them a picture's"));
  options = good;
  options.context = 5;
  EXPECT_THAT(complaint(options, data.pictures), HasSubstr("fit a context of 5"));
  options = good;
  options.picture_token = kEndToken;
  EXPECT_THAT(complaint(options, data.pictures), HasSubstr("it can only be read"));
  EXPECT_THAT(complaint(good, *PictureSetBuilder(8).Finish()), HasSubstr("there are 0 pictures for 36 texts"));
}

TEST(PictureJobTest, ConfigurationIsCheckedAndTravels) {
  const TrainingConfig config = PictureConfig();
  EXPECT_TRUE(CheckTrainingConfig(config).ok()) << CheckTrainingConfig(config);
  const auto read = TrainingConfigFromJson(TrainingConfigToJson(config));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(TrainingConfigToJson(*read), TrainingConfigToJson(config));
  // Who knows nothing of pictures must not take part.
  EXPECT_THAT(TrainingConfigToJson(config), HasSubstr("\"format\":3,"));
  EXPECT_EQ(read->pictures.encoder.stem, config.pictures.encoder.stem);
  EXPECT_EQ(read->pictures.encoder.deviation, config.pictures.encoder.deviation);
  EXPECT_EQ(ParameterLayout::OfJob(*read).floats(), ParameterLayout::OfJob(config).floats());
  EXPECT_FALSE(TrainingConfigFromJson(TrainingConfigToJson(testing::SmallConfig()))->pictures.used());

  TrainingConfig plain = config;
  plain.pictures = {};
  EXPECT_GT(TrainingMemoryBytes(config), TrainingMemoryBytes(plain));
  const auto complaint = [&](const std::function<void(TrainingConfig&)>& change) {
    TrainingConfig changed = config;
    change(changed);
    return std::string(CheckTrainingConfig(changed).message());
  };
  EXPECT_THAT(complaint([](auto& c) { c.pictures.encoder.output = 48; }), HasSubstr("does not fit a decoder of 32"));
  EXPECT_THAT(complaint([](auto& c) { c.pictures.token = 61; }), HasSubstr("pictures.token is 61"));
  EXPECT_THAT(complaint([](auto& c) { c.pictures.crop_side_min = 0; }), HasSubstr("crop_side_min"));
  EXPECT_THAT(complaint([](auto& c) { c.pictures.encoder.heads = 5; }), HasSubstr("attention.head_count"));
  EXPECT_THAT(complaint([](auto& c) { c.lora.rank = 4; }), HasSubstr("not LoRA's factors"));
}

TEST(PictureJobTest, BatchesWithoutPicturesAreRefused) {
  const TrainingConfig config = PictureConfig();
  auto loader =
      SlotLoader::Create(Pictures(config).tokens, {.context = config.context, .sequences_per_step = 7, .slots = 7});
  ASSERT_TRUE(loader.ok()) << loader.status();
  ThreadPool pool(1);
  const auto made = RankTrainer::Create({.config = config,
                                         .slots = std::make_shared<SlotLoader>(*std::move(loader)),
                                         .state = InitialState(config.spec, ParameterLayout::OfJob(config), 1),
                                         .base = {}},
                                        pool);
  EXPECT_THAT(std::string(made.status().message()), HasSubstr("pictures are not those of the configuration"));
}

}  // namespace
}  // namespace enigma::engine
