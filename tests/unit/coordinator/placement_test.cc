#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "coordinator/placement/explain.h"
#include "coordinator/placement/planner.h"
#include "coordinator/placement/search.h"

namespace enigma::coordinator {
namespace {

constexpr double kGiga = 1e9;

ModelShape Shape(size_t layers, uint64_t layer_bytes, uint64_t output_bytes = 0) {
  ModelShape shape;
  shape.layers.assign(layers, {layer_bytes, 2.0 * static_cast<double>(layer_bytes)});
  shape.output.bytes = output_bytes;
  shape.wire_row_bytes = 4096;
  return shape;
}

CandidateNode Node(const std::string& id, uint64_t memory, double speed) { return {id, id, memory, speed, speed * 10}; }

std::vector<std::vector<Link>> EvenLinks(size_t nodes, double round_trip = 100e-6, double speed = kGiga) {
  return {nodes, std::vector<Link>(nodes, Link{round_trip, speed})};
}

// Every ordered choice of nodes and every cut.
double BruteForce(const Problem& problem, uint32_t stages) {
  double best = std::numeric_limits<double>::infinity();
  std::vector<size_t> nodes;
  std::vector<uint32_t> cuts = {0};
  const std::function<void()> extend = [&] {
    const uint32_t done = cuts.back();
    if (done == problem.layers()) {
      if (stages == 0 || nodes.size() == stages) best = std::min(best, problem.PipelineSeconds({nodes, cuts, 0}));
      return;
    }
    for (size_t node = 0; node < problem.node_count(); ++node) {
      if (std::find(nodes.begin(), nodes.end(), node) != nodes.end()) continue;
      for (uint32_t last = done + 1; last <= problem.layers(); ++last) {
        if (!problem.Fits(node, done, last)) continue;
        nodes.push_back(node);
        cuts.push_back(last);
        extend();
        nodes.pop_back();
        cuts.pop_back();
      }
    }
  };
  extend();
  return best;
}

Problem RandomProblem(std::mt19937& random, size_t nodes, size_t layers) {
  ModelShape shape = Shape(layers, 0);
  for (auto& layer : shape.layers) layer.bytes = 50 + random() % 100;
  shape.output.bytes = random() % 200;
  shape.kv_block_bytes = random() % 10;
  shape.workspace_first = random() % 20;
  shape.workspace_middle = random() % 20;
  shape.workspace_last = random() % 40;
  shape.workspace_whole = random() % 50;
  std::vector<CandidateNode> candidates;
  std::vector<std::vector<Link>> links(nodes, std::vector<Link>(nodes));
  for (size_t i = 0; i < nodes; ++i) {
    candidates.push_back(
        Node("n" + std::to_string(i), 100 + random() % 900, 100.0 + static_cast<double>(random() % 900)));
    for (Link& link : links[i])
      link = {static_cast<double>(random() % 100) / 500, 1000.0 + static_cast<double>(random() % 50000)};
  }
  return {std::move(shape), std::move(candidates), std::move(links), 1 + static_cast<uint32_t>(random() % 4)};
}

TEST(SearchTest, ExactEqualsBruteForceOnRandomCases) {
  std::mt19937 random(7);
  int feasible = 0;
  for (int round = 0; round < 300; ++round) {
    const Problem problem = RandomProblem(random, 1 + random() % 4, 1 + random() % 6);
    const auto stages = static_cast<uint32_t>(random() % 4);
    const double expected = BruteForce(problem, stages);
    const auto found = SearchExact(problem, stages);
    ASSERT_EQ(found.has_value(), std::isfinite(expected)) << "round " << round;
    if (!found) continue;
    ++feasible;
    EXPECT_NEAR(found->decode_seconds, expected, 1e-9 * expected) << "round " << round;
    EXPECT_NEAR(problem.PipelineSeconds(*found), found->decode_seconds, 1e-12);
    if (stages != 0) {
      EXPECT_EQ(found->nodes.size(), stages);
    }
    for (size_t i = 0; i < found->nodes.size(); ++i) {
      EXPECT_TRUE(problem.Fits(found->nodes[i], found->cuts[i], found->cuts[i + 1]));
    }
    EXPECT_GE(expected, DecodeSecondsAtLeast(problem) * (1 - 1e-9)) << "the bound must be one";
  }
  EXPECT_GT(feasible, 100);
}

TEST(SearchTest, BeamNeverBeatsExactAndFindsWhatItClaims) {
  std::mt19937 random(11);
  for (int round = 0; round < 100; ++round) {
    const Problem problem = RandomProblem(random, 2 + random() % 4, 2 + random() % 8);
    const auto exact = SearchExact(problem, 0);
    const auto beam = SearchBeam(problem, 0);
    if (!beam) continue;
    ASSERT_TRUE(exact.has_value());
    EXPECT_LE(exact->decode_seconds, beam->decode_seconds * (1 + 1e-9));
    EXPECT_NEAR(problem.PipelineSeconds(*beam), beam->decode_seconds, 1e-9);
  }
}

TEST(SearchTest, TenNodesAndEightyLayersAreExactInReasonableTime) {
#ifdef ENIGMA_SANITIZED  // each node more multiplies the subsets
  constexpr int kNodes = 7;
#else
  constexpr int kNodes = 10;
#endif
  std::mt19937 random(3);
  std::vector<CandidateNode> nodes;
  for (int i = 0; i < kNodes; ++i) {
    const double speed = 1e9 + static_cast<double>(random() % 1000) * 1e6;
    nodes.push_back(Node("n" + std::to_string(i), (240 << 20) / kNodes, speed));
  }
  const Problem problem(Shape(80, 2 << 20), nodes, EvenLinks(kNodes), 1);
  EXPECT_TRUE(SearchExact(problem, 0).has_value());
}

TEST(BalanceTest, EvensOutStagesWithinTheSlack) {
  const Problem problem(Shape(12, 100), {Node("a", 1 << 20, 1000), Node("b", 1 << 20, 990), Node("c", 1 << 20, 980)},
                        EvenLinks(3, 0), 1);
  const auto found = SearchExact(problem, 3);
  ASSERT_TRUE(found.has_value());
  const Pipeline balanced = Balance(problem, *found, 0.10);
  EXPECT_EQ(balanced.cuts, (std::vector<uint32_t>{0, 4, 8, 12}));
  EXPECT_LE(balanced.decode_seconds, found->decode_seconds * 1.1);
  EXPECT_EQ(Balance(problem, *found, 0.0).decode_seconds, found->decode_seconds);
}

PlacementSnapshot Snapshot(ModelShape shape, std::vector<CandidateNode> nodes, uint32_t stages = 0) {
  PlacementSnapshot snapshot;
  snapshot.shape = std::move(shape);
  snapshot.context = 64;
  snapshot.stages = stages;
  snapshot.links = EvenLinks(nodes.size());
  snapshot.candidates = std::move(nodes);
  return snapshot;
}

TEST(PlannerTest, AForcedCutKeepsUnlikeStagesBusy) {
  // One stream is fastest with all but a layer on the fast node; many streams want stages that take equally long.
  const Placement placement =
      PlanPlacement(Snapshot(Shape(22, 1000), {Node("fast", 1 << 20, 3000), Node("slow", 1 << 20, 2000)}, 2));
  ASSERT_EQ(placement.reply.stages_size(), 2);
  for (const auto& stage : placement.reply.stages()) {
    const uint32_t layers = stage.last_layer() - stage.first_layer();
    EXPECT_NEAR(layers, stage.node_id() == "fast" ? 13 : 9, 1) << stage.node_id();
  }
}

TEST(PlannerTest, PrefersOneNodeWhenTheModelFitsAndSaysWhyOthersAreOut) {
  const Placement placement =
      PlanPlacement(Snapshot(Shape(4, 1000), {Node("slow", 1 << 20, kGiga), Node("fast", 1 << 20, 2 * kGiga)}));
  ASSERT_TRUE(placement.reply.feasible());
  ASSERT_EQ(placement.reply.stages_size(), 1);
  EXPECT_EQ(placement.reply.stages(0).node_id(), "fast");
  EXPECT_EQ(placement.reply.stages(0).last_layer(), 4u);
  ASSERT_EQ(placement.reply.verdicts_size(), 2);
  EXPECT_FALSE(placement.reply.verdicts(0).used());
  EXPECT_NE(placement.reply.verdicts(0).reason().find("fits on one node"), std::string::npos);
  EXPECT_TRUE(placement.reply.verdicts(1).used());
}

TEST(PlannerTest, OfNodesAboutAsFastTheLeastBusyIsTaken) {
  const auto chosen = [](double share, uint32_t on_fast, uint32_t on_near, uint64_t near_memory = 1 << 20) {
    std::vector<CandidateNode> nodes = {Node("fast", 1 << 20, kGiga), Node("near", near_memory, 0.8 * kGiga),
                                        Node("slow", 1 << 20, 0.7 * kGiga)};
    nodes[0].stages = on_fast;
    nodes[1].stages = on_near;
    PlacementSnapshot snapshot = Snapshot(Shape(4, 1000), std::move(nodes));
    snapshot.speed_share_min = share;
    return PlanPlacement(snapshot);
  };
  EXPECT_EQ(chosen(0.75, 0, 0).reply.stages(0).node_id(), "fast") << "nobody has more to do";
  EXPECT_EQ(chosen(0.75, 1, 1).reply.stages(0).node_id(), "fast") << "nor here";
  const Placement placement = chosen(0.75, 2, 1);
  EXPECT_EQ(placement.reply.stages(0).node_id(), "near") << "the slow one has nothing to do, but is too slow";
  EXPECT_NE(placement.reply.verdicts(0).reason().find("this one has more to do (2 stages"), std::string::npos)
      << placement.reply.verdicts(0).reason();
  EXPECT_EQ(chosen(1, 2, 1).reply.stages(0).node_id(), "fast") << "where only equals count";
  EXPECT_EQ(chosen(0.75, 2, 1, 1000).reply.stages(0).node_id(), "fast") << "where the other has no room";
}

TEST(PlannerTest, DropsANodeThatOnlySlowsThingsDown) {
  const Placement placement = PlanPlacement(
      Snapshot(Shape(8, 100'000), {Node("a", 600'000, kGiga), Node("b", 600'000, kGiga), Node("snail", 600'000, 1e6)}));
  ASSERT_TRUE(placement.reply.feasible());
  EXPECT_EQ(placement.reply.stages_size(), 2);
  for (const auto& stage : placement.reply.stages()) EXPECT_NE(stage.node_id(), "snail");
  EXPECT_NE(placement.reply.verdicts(2).reason().find("slow"), std::string::npos);
}

TEST(PlannerTest, ForcedStagesCutEvenly) {
  const Placement placement = PlanPlacement(
      Snapshot(Shape(5, 1000), {Node("a", 1 << 20, kGiga), Node("b", 1 << 20, kGiga), Node("c", 1 << 20, kGiga)}, 3));
  ASSERT_TRUE(placement.reply.feasible()) << placement.reply.infeasible_reason();
  ASSERT_EQ(placement.reply.stages_size(), 3);
  uint32_t next = 0;
  for (const auto& stage : placement.reply.stages()) {
    EXPECT_EQ(stage.first_layer(), next);
    EXPECT_LE(stage.last_layer() - stage.first_layer(), 2u);
    next = stage.last_layer();
  }
  EXPECT_EQ(next, 5u);
  EXPECT_GT(placement.reply.pipeline_tokens_per_second(), placement.reply.decode_tokens_per_second());
}

TEST(PlannerTest, TakesFewerSequencesBeforeItGivesUp) {
  ModelShape shape = Shape(2, 1000);
  shape.kv_block_bytes = 100;  // two blocks for a sequence of 64 tokens: 400 bytes for both layers
  PlacementSnapshot snapshot = Snapshot(shape, {Node("a", 3200, kGiga)});
  snapshot.sequences = 8;
  const Placement placement = PlanPlacement(snapshot);
  ASSERT_TRUE(placement.reply.feasible());
  EXPECT_EQ(placement.reply.kv_blocks(), 4u);
}

TEST(PlannerTest, InfeasibleSaysByHowManyBytes) {
  // 4,000 bytes of weights against 0.9 * 2 * 1,000 usable.
  const Placement placement = PlanPlacement(Snapshot(Shape(4, 1000), {Node("a", 1000, kGiga), Node("b", 1000, kGiga)}));
  EXPECT_FALSE(placement.reply.feasible());
  EXPECT_NE(placement.reply.infeasible_reason().find("2,200 bytes are missing"), std::string::npos)
      << placement.reply.infeasible_reason();
}

TEST(PlannerTest, ACutThatDoesNotFitSaysWhatEachNodeLacks) {
  // Enough in all (3 * 0.9 * 1,500), but no node holds two layers and four are to be placed.
  const Placement placement =
      PlanPlacement(Snapshot(Shape(4, 1000), {Node("a", 1500, kGiga), Node("b", 1500, kGiga), Node("c", 1500, kGiga)}));
  EXPECT_FALSE(placement.reply.feasible());
  EXPECT_NE(placement.reply.infeasible_reason().find("650 bytes more on every node"), std::string::npos)
      << placement.reply.infeasible_reason();
}

TEST(PlannerTest, WrongNumbersOfStagesAreNamed) {
  const std::vector<CandidateNode> two = {Node("a", 1 << 20, kGiga), Node("b", 1 << 20, kGiga)};
  EXPECT_NE(PlanPlacement(Snapshot(Shape(4, 10), two, 3)).reply.infeasible_reason().find("3 stages need 3 nodes"),
            std::string::npos);
  EXPECT_NE(PlanPlacement(Snapshot(Shape(4, 10), two, 9)).reply.infeasible_reason().find("only 4 layers"),
            std::string::npos);
  // The reasons given for each node fit the reason given for all.
  EXPECT_EQ(PlanPlacement(Snapshot(Shape(4, 10), two, 3)).reply.verdicts(0).reason(),
            "usable, but there are fewer usable nodes (2) than the 3 stages asked for");
  EXPECT_EQ(PlanPlacement(Snapshot(Shape(4, 10), two, 9)).reply.verdicts(1).reason(),
            "usable, but the model has fewer layers (4) than the 9 stages asked for");
  EXPECT_NE(PlanPlacement(Snapshot(Shape(4, 10), {})).reply.infeasible_reason().find("no node"), std::string::npos);
}

TEST(PlannerTest, ABrokenLinkIsNotUsed) {
  PlacementSnapshot snapshot =
      Snapshot(Shape(4, 1000), {Node("a", 3000, kGiga), Node("b", 3000, 2 * kGiga), Node("c", 3000, kGiga)}, 2);
  for (size_t other : {size_t{0}, size_t{2}}) {
    snapshot.links[1][other].round_trip_seconds = std::numeric_limits<double>::infinity();
    snapshot.links[other][1].round_trip_seconds = std::numeric_limits<double>::infinity();
  }
  const Placement placement = PlanPlacement(snapshot);
  ASSERT_TRUE(placement.reply.feasible());
  for (const auto& stage : placement.reply.stages()) EXPECT_NE(stage.node_id(), "b");
}

TEST(PlannerTest, LinksAreNotNeededWhereTheyDecideNothing) {
  PlacementSnapshot fits = Snapshot(Shape(4, 1000), {Node("a", 1 << 20, kGiga), Node("b", 1 << 20, kGiga)});
  EXPECT_FALSE(NeedsLinks(fits));
  fits.stages = 2;
  EXPECT_TRUE(NeedsLinks(fits));
  EXPECT_TRUE(NeedsLinks(Snapshot(Shape(4, 1000), {Node("a", 3000, kGiga), Node("b", 3000, kGiga)})));
}

TEST(PlannerTest, BeyondTenNodesABoundIsPrinted) {
  std::vector<CandidateNode> nodes;
  for (int i = 0; i < 14; ++i) nodes.push_back(Node("n" + std::to_string(i), 3000, kGiga));
  const Placement placement = PlanPlacement(Snapshot(Shape(20, 1000), nodes));
  ASSERT_TRUE(placement.reply.feasible()) << placement.reply.infeasible_reason();
  EXPECT_EQ(placement.reply.stages_size(), 10);
  EXPECT_NE(placement.reply.method().find("beam (at most"), std::string::npos) << placement.reply.method();
}

TEST(ExplainTest, BytesAreLegible) {
  EXPECT_EQ(BytesText(999), "999 bytes");
  EXPECT_EQ(BytesText(1000), "1,000 bytes");
  EXPECT_EQ(BytesText(1234567), "1,234,567 bytes (1.2 MiB)");
}

PlacementSnapshot WithEncoder(std::vector<CandidateNode> nodes, uint64_t encoder) {
  PlacementSnapshot snapshot;
  snapshot.shape = Shape(4, 1'000'000);
  snapshot.context = 32;
  snapshot.candidates = std::move(nodes);
  snapshot.links = EvenLinks(snapshot.candidates.size());
  snapshot.encoder = {encoder, 0};
  return snapshot;
}

std::string EncoderOf(const PlacementSnapshot& snapshot) {
  const enigma::v1::PlanReply reply = PlanPlacement(snapshot).reply;
  return reply.feasible() ? reply.encoder().node_id() : "none: " + reply.infeasible_reason();
}

TEST(EncoderPlacementTest, GoesApartWhereThatCostsNothing) {
  EXPECT_EQ(EncoderOf(WithEncoder({Node("a", 100'000'000, 10 * kGiga), Node("b", 100'000'000, 9 * kGiga)}, 1000)), "b");
  EXPECT_EQ(EncoderOf(WithEncoder({Node("a", 100'000'000, 10 * kGiga), Node("b", 100'000'000, 4 * kGiga)}, 1000)), "a")
      << "a slow node would take more than twice as long";
  EXPECT_EQ(EncoderOf(WithEncoder({Node("a", 100'000'000, 10 * kGiga), Node("b", 500, 9 * kGiga)}, 1000)), "a");
  EXPECT_EQ(EncoderOf(WithEncoder({Node("a", 100'000'000, 10 * kGiga)}, 1000)), "a");
}

TEST(EncoderPlacementTest, StagesMakeRoomForIt) {
  // Together they fit on no node, and the decoder alone on the faster one, where the encoder alone would fit, too.
  const std::vector<CandidateNode> nodes = {Node("a", 6'000'000, 10 * kGiga), Node("b", 4'600'000, 9 * kGiga)};
  const enigma::v1::PlanReply reply = PlanPlacement(WithEncoder(nodes, 5'000'000)).reply;
  ASSERT_TRUE(reply.feasible()) << reply.infeasible_reason();
  EXPECT_EQ(reply.encoder().node_id(), "a");
  ASSERT_EQ(reply.stages_size(), 1);
  EXPECT_EQ(reply.stages(0).node_id(), "b");
  for (const auto& verdict : reply.verdicts()) EXPECT_TRUE(verdict.used()) << verdict.node_id();
}

TEST(EncoderPlacementTest, LinksAreNeededWhereStagesMayMakeRoomForIt) {
  const std::vector<CandidateNode> nodes = {Node("a", 6'000'000, 10 * kGiga), Node("b", 4'600'000, 9 * kGiga)};
  EXPECT_FALSE(NeedsLinks(WithEncoder(nodes, 0)));
  EXPECT_FALSE(NeedsLinks(WithEncoder(nodes, 1000)));
  EXPECT_TRUE(NeedsLinks(WithEncoder(nodes, 5'000'000)));
}

TEST(EncoderPlacementTest, ANodeWhoseProgramKnowsNoneGetsNone) {
  std::vector<CandidateNode> nodes = {Node("a", 100'000'000, 10 * kGiga), Node("b", 100'000'000, 9 * kGiga)};
  nodes[1].encodes_pictures = false;
  const enigma::v1::PlanReply beside = PlanPlacement(WithEncoder(nodes, 1000)).reply;
  EXPECT_EQ(beside.encoder().node_id(), "a");
  ASSERT_EQ(beside.verdicts_size(), 2);
  EXPECT_NE(beside.verdicts(1).reason().find("; its program is too old for image encoders"), std::string::npos)
      << beside.verdicts(1).reason();
  EXPECT_FALSE(beside.verdicts(1).used());
  // Only the old one has room for it.
  nodes[0].memory_free_bytes = 6'000'000;
  EXPECT_NE(EncoderOf(WithEncoder(nodes, 5'000'000)), "b");
  EXPECT_EQ(EncoderOf(WithEncoder({nodes[1]}, 1000)).find("none: "), 0u);
  nodes[0].encodes_pictures = false;
  const enigma::v1::PlanReply none = PlanPlacement(WithEncoder(nodes, 1000)).reply;
  EXPECT_FALSE(none.feasible());
  EXPECT_NE(none.infeasible_reason().find("the program of every node is too old"), std::string::npos)
      << none.infeasible_reason();
  for (const auto& verdict : none.verdicts()) EXPECT_NE(verdict.reason().find("too old"), std::string::npos);
}

TEST(EncoderPlacementTest, WhatHasNoRoomIsSaid) {
  const enigma::v1::PlanReply reply =
      PlanPlacement(WithEncoder({Node("a", 100'000'000, 10 * kGiga)}, 200'000'000)).reply;
  EXPECT_FALSE(reply.feasible());
  EXPECT_NE(reply.infeasible_reason().find("the image encoder needs 200,000,000 bytes"), std::string::npos);
  ASSERT_EQ(reply.verdicts_size(), 1);
  EXPECT_FALSE(reply.verdicts(0).used());
}

}  // namespace
}  // namespace enigma::coordinator
