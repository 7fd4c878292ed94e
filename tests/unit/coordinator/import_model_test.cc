// What becomes of a model in service whose name another one is to take.
#include "coordinator/operations/import_model.h"

#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/synthetic_models.h"
#include "tests/unit/coordinator/bare_plane.h"

namespace enigma::coordinator {
namespace {

using ::testing::HasSubstr;

class ImportModelTest : public BarePlaneTest {
 protected:
  // A shipped model in service, as an operator asked for it.
  void ServeShipped() {
    ModelImport import = Import("q8_0");
    import.shipped = true;
    const auto model = ImportModel(plane_, import);
    ASSERT_TRUE(model.ok()) << model.status();
    Replica replica;
    replica.id = 1;
    replica.wanted = 1;
    replica.model = *model;
    replicas_.Add(replica);
    ASSERT_TRUE(replicas_.MarkReady(1).ok());
    WantedPlacement wanted;
    wanted.id = 1;
    wanted.model = "numbers";
    ASSERT_TRUE(wanted_.Add(wanted).ok());
  }
  static ModelImport Import(const std::string& type) {
    ModelImport import;
    import.path = enigma::testing::SyntheticModelPath("tiny", type);
    import.name = "numbers";
    import.also_in_service = true;
    return import;
  }
  ReplicaState StateOfReplica() const {
    const std::optional<Replica> replica = replicas_.Find(1);
    return replica ? replica->state : ReplicaState::kFailed;
  }
};

TEST_F(ImportModelTest, OneThatIsRefusedTheNameEndsNothing) {
  // As by a job that starts from the one that is there.
  models_.SetGuard([](std::string_view, ModelChange change) {
    return change == ModelChange::kTake ? absl::FailedPreconditionError("a job starts from it") : absl::OkStatus();
  });
  ServeShipped();
  const absl::Status refused = ImportModel(plane_, Import("f32")).status();
  EXPECT_THAT(std::string(refused.message()), HasSubstr("a job starts from it"));
  EXPECT_EQ(StateOfReplica(), ReplicaState::kReady);
}

TEST_F(ImportModelTest, OneThatGetsTheNameEndsWhatStoodThereAndItStaysWanted) {
  ServeShipped();
  const auto taken = ImportModel(plane_, Import("f32"));
  ASSERT_TRUE(taken.ok()) << taken.status();
  EXPECT_EQ(StateOfReplica(), ReplicaState::kFailed);
  EXPECT_EQ(wanted_.List().size(), 1u);
}

}  // namespace
}  // namespace enigma::coordinator
