#include <gtest/gtest.h>

#include "coordinator/state/model_registry.h"
#include "coordinator/state/node_registry.h"
#include "coordinator/state/replica_registry.h"
#include "coordinator/state/token_registry.h"
#include "coordinator/state/wanted_registry.h"
#include "coordinator/store/memory_store.h"

namespace enigma::coordinator {
namespace {

class SetClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::UnixEpoch() + elapsed_; }
  absl::Duration Monotonic() const override { return elapsed_; }
  void Advance(absl::Duration by) { elapsed_ += by; }

 private:
  absl::Duration elapsed_ = absl::Seconds(1000);
};

enigma::v1::WorkerHello Hello(const std::string& id, const std::string& host, uint64_t incarnation) {
  enigma::v1::WorkerHello hello;
  hello.set_node_id(id);
  hello.set_host_name(host);
  hello.set_incarnation(incarnation);
  hello.set_grpc_port(50053);
  hello.add_addresses("10.0.0.5");
  hello.add_addresses("fe80::1");
  return hello;
}

TEST(NodeStateTest, OnlyTheLegalMovesAreLegal) {
  const NodeState all[] = {NodeState::kAbsent, NodeState::kReady, NodeState::kDead};
  int legal = 0;
  for (const NodeState from : all) {
    for (const NodeState to : all) legal += MayMove(from, to) ? 1 : 0;
  }
  EXPECT_EQ(legal, 3);
  EXPECT_TRUE(MayMove(NodeState::kAbsent, NodeState::kReady));
  EXPECT_TRUE(MayMove(NodeState::kReady, NodeState::kDead));
  EXPECT_TRUE(MayMove(NodeState::kDead, NodeState::kReady));
}

TEST(ReplicaStateTest, OnlyTheLegalMovesAreLegal) {
  EXPECT_TRUE(MayMove(ReplicaState::kLoading, ReplicaState::kReady));
  EXPECT_TRUE(MayMove(ReplicaState::kLoading, ReplicaState::kFailed));
  EXPECT_TRUE(MayMove(ReplicaState::kReady, ReplicaState::kFailed));
  EXPECT_FALSE(MayMove(ReplicaState::kFailed, ReplicaState::kReady));
  EXPECT_FALSE(MayMove(ReplicaState::kReady, ReplicaState::kLoading));
}

TEST(NodeTest, EndpointsAreItsAddressesThenWhereItCameFrom) {
  EXPECT_EQ(EndpointsOf(Hello("n", "h", 1), "10.0.0.5"),
            (std::vector<std::string>{"10.0.0.5:50053", "[fe80::1]:50053"}));
  EXPECT_EQ(EndpointsOf(Hello("n", "h", 1), "127.0.0.1").back(), "127.0.0.1:50053");
}

TEST(NodeRegistryTest, ASecondLiveProcessWithOneIdIsRefusedWithBothHosts) {
  MemoryStore store;
  SetClock clock;
  NodeRegistry nodes(store, clock);
  ASSERT_TRUE(nodes.Attend(Hello("n1", "alpha", 1), "").ok());
  const absl::Status second = nodes.Attend(Hello("n1", "beta", 2), "");
  ASSERT_TRUE(absl::IsAlreadyExists(second));
  EXPECT_NE(second.ToString().find("alpha"), std::string::npos);
  EXPECT_NE(second.ToString().find("beta"), std::string::npos);
  EXPECT_FALSE(nodes.Heartbeat("n1", 2, {}));
  EXPECT_FALSE(nodes.MarkDead("n1", 2, "not its own"));
  EXPECT_TRUE(nodes.MarkDead("n1", 1, "gone"));
  EXPECT_TRUE(nodes.Attend(Hello("n1", "beta", 2), "").ok());
}

TEST(NodeRegistryTest, SilenceIsDeathAndTheListenerHears) {
  MemoryStore store;
  SetClock clock;
  NodeRegistry nodes(store, clock);
  std::vector<std::string> heard;
  nodes.SetListener([&](const Node& node) { heard.push_back(node.id + ":" + std::string(NodeStateName(node.state))); });
  ASSERT_TRUE(nodes.Attend(Hello("n1", "a", 1), "").ok());
  ASSERT_TRUE(nodes.Attend(Hello("n2", "b", 1), "").ok());
  clock.Advance(absl::Milliseconds(800));
  enigma::v1::Heartbeat heartbeat;
  heartbeat.set_memory_free_bytes(77);
  ASSERT_TRUE(nodes.Heartbeat("n1", 1, heartbeat));
  clock.Advance(absl::Milliseconds(300));
  EXPECT_EQ(nodes.MarkSilentDead(absl::Seconds(1)), 1u);
  EXPECT_EQ(heard, (std::vector<std::string>{"n1:ready", "n2:ready", "n2:dead"}));
  EXPECT_EQ(nodes.Find("n1")->hello.capability().memory_free_bytes(), 77u);
  EXPECT_NE(nodes.Find("n2")->state_reason.find("silent"), std::string::npos);
  EXPECT_FALSE(nodes.Heartbeat("n2", 1, heartbeat)) << "the dead must attend again";
}

TEST(NodeRegistryTest, IsKnownAfterARestartAndAbsentUntilItAttends) {
  MemoryStore store;
  SetClock clock;
  {
    NodeRegistry nodes(store, clock);
    ASSERT_TRUE(nodes.Attend(Hello("n1", "alpha", 1), "").ok());
  }
  NodeRegistry nodes(store, clock);
  ASSERT_TRUE(nodes.Restore().ok());
  ASSERT_TRUE(nodes.Find("n1").has_value());
  EXPECT_EQ(nodes.Find("n1")->state, NodeState::kAbsent);
  ASSERT_TRUE(nodes.Attend(Hello("n1", "alpha", 5), "").ok());
  EXPECT_EQ(nodes.Find("n1")->state, NodeState::kReady);
}

TEST(NodeRegistryTest, ResolvesIdsAndHostNames) {
  MemoryStore store;
  SetClock clock;
  NodeRegistry nodes(store, clock);
  ASSERT_TRUE(nodes.Attend(Hello("n1", "alpha", 1), "").ok());
  ASSERT_TRUE(nodes.Attend(Hello("n2", "beta", 1), "").ok());
  ASSERT_TRUE(nodes.Attend(Hello("n3", "beta", 1), "").ok());
  EXPECT_EQ(nodes.Resolve("n2")->id, "n2");
  EXPECT_EQ(nodes.Resolve("alpha")->id, "n1");
  EXPECT_TRUE(absl::IsFailedPrecondition(nodes.Resolve("beta").status()));
  const auto unknown = nodes.Resolve("gamma");
  EXPECT_TRUE(absl::IsNotFound(unknown.status()));
  EXPECT_NE(unknown.status().ToString().find("n1 (alpha)"), std::string::npos);
}

TEST(NodeRegistryTest, ResolvesTheShortIdsThatAreShown) {
  MemoryStore store;
  SetClock clock;
  NodeRegistry nodes(store, clock);
  const std::string one = "3f9c01de77aa", other = "3f9c01de88bb", third = "abcd0000ffff";
  ASSERT_TRUE(nodes.Attend(Hello(one, "alpha", 1), "").ok());
  ASSERT_TRUE(nodes.Attend(Hello(other, "beta", 1), "").ok());
  ASSERT_TRUE(nodes.Attend(Hello(third, "gamma", 1), "").ok());
  EXPECT_EQ(nodes.Resolve(third.substr(0, 8))->id, third);
  EXPECT_EQ(nodes.Resolve(one.substr(0, 9))->id, one);
  EXPECT_TRUE(absl::IsNotFound(nodes.Resolve("abc").status())) << "too short to name a machine";
  const absl::Status several = nodes.Resolve(one.substr(0, 8)).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(several)) << several;
  for (const std::string& label : {one + " (alpha)", other + " (beta)"}) {
    EXPECT_NE(several.ToString().find(label), std::string::npos) << several;
  }
  EXPECT_EQ(several.ToString().find(third), std::string::npos) << several;
  // A host may be called like the beginning of another's id.
  ASSERT_TRUE(nodes.Attend(Hello("0123456789ab", "abcd0000", 1), "").ok());
  EXPECT_EQ(nodes.Resolve("abcd0000")->id, "0123456789ab");
}

TEST(CorruptRecordTest, EveryRegistryNamesTheKeyOfADamagedRecord) {
  SetClock clock;
  for (const std::string key : {"node/n1", "model/m", "wanted/3"}) {
    for (const std::string value : {"", "{", "[]", "{\"name\":7}", "\xff\xfe"}) {
      MemoryStore store;
      ASSERT_TRUE(store.Put(key, value).ok());
      NodeRegistry nodes(store, clock);
      ModelRegistry models(store);
      WantedRegistry wanted(store);
      absl::Status status = nodes.Restore();
      if (status.ok()) status = models.Restore();
      if (status.ok()) status = wanted.Restore();
      EXPECT_TRUE(absl::IsDataLoss(status)) << key << " = " << value << ": " << status;
      EXPECT_NE(status.ToString().find(key), std::string::npos) << status;
    }
  }
  MemoryStore store;
  ASSERT_TRUE(store.Put("token/t", "{\"id\":\"t\",\"verifier\":\"00\",\"expires_unix_ms\":1}").ok());
  const auto token = TokenRegistry(store).Find("t");
  EXPECT_TRUE(absl::IsDataLoss(token.status()));
  EXPECT_NE(token.status().ToString().find("token/t"), std::string::npos);
}

TEST(TokenRegistryTest, KeepsTokensUntilTheyExpire) {
  MemoryStore store;
  TokenRegistry tokens(store);
  ASSERT_TRUE(tokens.Add({"aa", std::string(32, '\x01'), absl::FromUnixSeconds(100)}).ok());
  ASSERT_TRUE(tokens.Add({"bb", std::string(32, '\x02'), absl::FromUnixSeconds(200)}).ok());
  EXPECT_EQ(tokens.Find("aa")->verifier, std::string(32, '\x01'));
  ASSERT_TRUE(tokens.RemoveExpired(absl::FromUnixSeconds(150)).ok());
  EXPECT_TRUE(absl::IsNotFound(tokens.Find("aa").status()));
  EXPECT_EQ(tokens.Find("bb")->expires, absl::FromUnixSeconds(200));
}

TEST(WantedRegistryTest, SurvivesARestartWithItsOptions) {
  MemoryStore store;
  {
    WantedRegistry wanted(store);
    WantedPlacement placement;
    placement.id = wanted.ReserveId();
    placement.model = "m";
    placement.options.set_stages(3);
    placement.last_nodes = {"a", "b", "c"};
    ASSERT_TRUE(wanted.Add(placement).ok());
  }
  WantedRegistry wanted(store);
  ASSERT_TRUE(wanted.Restore().ok());
  ASSERT_EQ(wanted.List().size(), 1u);
  const WantedPlacement restored = wanted.List().front();
  EXPECT_EQ(restored.options.stages(), 3u);
  EXPECT_EQ(restored.last_nodes, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_GT(wanted.ReserveId(), restored.id);
  ASSERT_TRUE(wanted.RemoveModel("m").ok());
  WantedRegistry after(store);
  ASSERT_TRUE(after.Restore().ok());
  EXPECT_TRUE(after.List().empty());
}

ModelPtr MakeModel(const std::string& name, uint8_t content) {
  auto model = std::make_shared<Model>();
  model->name = name;
  model->path = "/models/" + name + ".gguf";
  model->layers = 2;
  model->manifest.model = name;
  model->manifest.id.fill(content);
  engine::Blob head;
  head.kind = engine::BlobKind::kHead;
  head.hash.fill(content);
  head.bytes = 10;
  model->manifest.blobs.push_back(head);
  model->manifest_json = engine::ManifestToJson(model->manifest);
  return model;
}

TEST(ModelRegistryTest, FindsModelsAndPiecesAndNamesWhatIsKnown) {
  MemoryStore store;
  ModelRegistry models(store);
  ASSERT_TRUE(models.Add(MakeModel("one", 1)).ok());
  ASSERT_TRUE(models.Add(MakeModel("two", 2)).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(models.Add(MakeModel("one", 9))));
  EXPECT_TRUE(models.Add(MakeModel("one", 1)).ok()) << "the same content again";
  EXPECT_TRUE(models.Add(MakeModel("two", 3), /*replace=*/true).ok());
  EXPECT_EQ((*models.Find("two"))->manifest.id, MakeModel("two", 3)->manifest.id);
  ASSERT_TRUE(models.Add(MakeModel("two", 2), /*replace=*/true).ok());
  const auto unknown = models.Find("three");
  EXPECT_TRUE(absl::IsNotFound(unknown.status()));
  EXPECT_NE(unknown.status().ToString().find("one, two"), std::string::npos);
  EXPECT_EQ(models.FindPiece(std::string(32, '\x02'))->model->name, "two");
  EXPECT_TRUE(absl::IsNotFound(models.FindPiece(std::string(32, '\x07')).status()));
  ASSERT_TRUE(models.Remove("two").ok());
  EXPECT_TRUE(absl::IsNotFound(models.FindPiece(std::string(32, '\x02')).status()));
}

ModelPtr MakeSeeingModel(const std::string& name, uint8_t content, uint8_t encoder_content) {
  auto model = std::make_shared<Model>(*MakeModel(name, content));
  const ModelPtr other = MakeModel(name, encoder_content);
  ImageEncoder encoder;
  encoder.path = "/models/encoder.gguf";
  encoder.file_bytes = 77;
  encoder.modified_ns = 5;
  encoder.parameters = 6;
  encoder.image_size = 24;
  encoder.rows = 9;
  encoder.manifest = other->manifest;
  encoder.manifest.file_bytes = 100;
  engine::Sha256Hasher id;
  id.Update(encoder.manifest.blobs[0].hash.data(), 32);
  encoder.manifest.id = id.Finish();
  encoder.manifest_json = engine::ManifestToJson(encoder.manifest);
  engine::Sha256Hasher own;
  own.Update(model->manifest.blobs[0].hash.data(), 32);
  model->manifest.id = own.Finish();
  model->manifest.file_bytes = 100;
  model->manifest_json = engine::ManifestToJson(model->manifest);
  model->encoder = std::move(encoder);
  return model;
}

TEST(ModelRegistryTest, AnEncoderIsPartOfWhatAModelIs) {
  MemoryStore store;
  ModelRegistry models(store);
  ASSERT_TRUE(models.Add(MakeSeeingModel("eye", 1, 2)).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(models.Add(MakeSeeingModel("eye", 1, 3)))) << "the same decoder behind another eye";
  ModelRegistry restored(store);
  ASSERT_TRUE(restored.Restore().ok());
  const auto found = restored.Find("eye");
  ASSERT_TRUE(found.ok());
  ASSERT_TRUE((*found)->encoder.has_value());
  EXPECT_EQ((*found)->encoder->path, "/models/encoder.gguf");
  EXPECT_EQ((*found)->encoder->file_bytes, 77u);
  EXPECT_EQ((*found)->encoder->modified_ns, 5);
  EXPECT_EQ((*found)->encoder->parameters, 6u);
  EXPECT_EQ((*found)->encoder->image_size, 24u);
  EXPECT_EQ((*found)->encoder->rows, 9u);
  EXPECT_EQ((*found)->ContentId(), MakeSeeingModel("eye", 1, 2)->ContentId());
  EXPECT_NE((*found)->ContentId(), MakeSeeingModel("eye", 1, 3)->ContentId());
  EXPECT_FALSE(restored.FindPiece(std::string(32, '\x01'))->of_encoder);
  const auto piece = restored.FindPiece(std::string(32, '\x02'));
  ASSERT_TRUE(piece.ok());
  EXPECT_TRUE(piece->of_encoder);
  EXPECT_EQ(piece->blob, &(*found)->encoder->manifest.blobs[0]);
}

TEST(ModelRegistryTest, AGuardIsAskedBeforeAnythingChanges) {
  MemoryStore store;
  ModelRegistry models(store);
  ASSERT_TRUE(models.Add(MakeModel("one", 1)).ok());
  std::vector<std::pair<std::string, ModelChange>> asked;
  models.SetGuard([&](std::string_view name, ModelChange change) {
    asked.emplace_back(name, change);
    return absl::FailedPreconditionError("somebody needs it");
  });
  EXPECT_TRUE(absl::IsFailedPrecondition(models.Add(MakeModel("two", 2))));
  EXPECT_TRUE(absl::IsFailedPrecondition(models.Add(MakeModel("one", 2), /*replace=*/true)));
  EXPECT_TRUE(absl::IsFailedPrecondition(models.Remove("one")));
  EXPECT_TRUE(models.Add(MakeModel("one", 1)).ok()) << "the same content is no change";
  const std::vector<std::pair<std::string, ModelChange>> all = {
      {"two", ModelChange::kAdd}, {"one", ModelChange::kReplace}, {"one", ModelChange::kRemove}};
  EXPECT_EQ(asked, all);
  EXPECT_TRUE(absl::IsNotFound(models.Find("two").status()));
  EXPECT_EQ((*models.Find("one"))->manifest.id, MakeModel("one", 1)->manifest.id);
}

TEST(ModelRegistryTest, NamesAreChecked) {
  for (const std::string good : {"a", "llama-3.2:1b", "org/model_v1"}) EXPECT_TRUE(CheckModelName(good).ok()) << good;
  for (const std::string bad : {"", "-a", "a b", "a\n", ".hidden", "auto"})
    EXPECT_FALSE(CheckModelName(bad).ok()) << bad;
  EXPECT_FALSE(CheckModelName(std::string(200, 'a')).ok());
}

TEST(ReplicaRegistryTest, NeverGivesAnIdTwiceAndKeepsTheFirstReason) {
  MemoryStore store;
  uint64_t first = 0;
  {
    ReplicaRegistry replicas(store);
    first = *replicas.NextId();
  }
  ReplicaRegistry replicas(store);
  Replica replica;
  replica.id = *replicas.NextId();
  EXPECT_GT(replica.id, first);
  replica.model = MakeModel("m", 1);
  replicas.Add(replica);
  EXPECT_TRUE(replicas.MarkReady(replica.id).ok());
  EXPECT_TRUE(replicas.MarkFailed(replica.id, "one"));
  EXPECT_FALSE(replicas.MarkFailed(replica.id, "two"));
  EXPECT_EQ(replicas.Find(replica.id)->failure, "one");
  EXPECT_TRUE(replicas.Find(replica.id)->was_ready);
  EXPECT_FALSE(replicas.MarkReady(replica.id).ok());
}

}  // namespace
}  // namespace enigma::coordinator
