// Keys of the API: how they are kept, and whom the coordinator lets in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/gateway/access.h"
#include "coordinator/state/api_key_registry.h"
#include "coordinator/store/memory_store.h"
#include "tests/support/message_of.h"
#include "tests/unit/coordinator/set_clock.h"

namespace enigma::coordinator {
namespace {

using ::enigma::testing::MessageOf;

using ::testing::HasSubstr;
using ::testing::Not;

ApiKey Named(std::string name) {
  ApiKey key;
  key.name = std::move(name);
  return key;
}

// --- the registry

class ApiKeyRegistryTest : public ::testing::Test {
 protected:
  SetClock clock_;
  MemoryStore store_;
  ApiKeyRegistry keys_{store_, clock_};
};

TEST_F(ApiKeyRegistryTest, ASecretFindsItsKeyAndNothingElseDoes) {
  ApiKey wanted = Named("ci");
  wanted.models = {"demo"};
  wanted.quota = {60, 1000, 2};
  const auto made = keys_.Create(wanted);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->secret.size(), 4 + 64u);
  EXPECT_TRUE(made->secret.starts_with("enk-"));
  EXPECT_EQ(made->key->id.size(), 12u);
  const auto found = keys_.Check(made->secret);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ((*found)->id, made->key->id);
  EXPECT_EQ((*found)->quota.requests_per_minute, 60u);
  EXPECT_TRUE((*found)->MayUse("demo"));
  EXPECT_FALSE((*found)->MayUse("other"));

  const auto second = keys_.Create(Named("laptop"));
  ASSERT_TRUE(second.ok());
  EXPECT_NE(second->secret, made->secret);
  EXPECT_TRUE(second->key->MayUse("other")) << "no models named: all";
  std::string wrong = made->secret;
  wrong.back() = wrong.back() == '0' ? '1' : '0';
  for (const std::string& secret : {wrong, made->secret.substr(0, 20), made->secret + "0", std::string(), made->key->id,
                                    std::string("ci"), made->key->secret_hash}) {
    const auto refused = keys_.Check(secret);
    EXPECT_TRUE(absl::IsUnauthenticated(refused.status()));
    if (!secret.empty()) {
      EXPECT_THAT(MessageOf(refused.status()), Not(HasSubstr(secret)));
    }
  }
}

TEST_F(ApiKeyRegistryTest, OnlyTheHashIsStored) {
  const auto made = keys_.Create(Named("ci"));
  ASSERT_TRUE(made.ok());
  ASSERT_TRUE(keys_.Check(made->secret).ok());
  ASSERT_TRUE(keys_.SaveLastUses().ok());
  int records = 0;
  ASSERT_TRUE(store_
                  .Scan("",
                        [&](std::string_view key, std::string_view value) {
                          ++records;
                          EXPECT_EQ(key, "key/" + made->key->id);
                          EXPECT_THAT(std::string(value), Not(HasSubstr(made->secret.substr(4))));
                          return absl::OkStatus();
                        })
                  .ok());
  EXPECT_EQ(records, 1);
}

TEST_F(ApiKeyRegistryTest, KeysSurviveARestartAsTheyWere) {
  ApiKey wanted = Named("ci");
  wanted.models = {"a", "b"};
  wanted.quota = {1, uint64_t{5'000'000'000}, 3, enigma::v1::PRIORITY_NORMAL};
  wanted.expires = clock_.Now() + absl::Hours(1);
  const auto made = keys_.Create(wanted);
  const auto revoked = keys_.Create(Named("old"));
  ASSERT_TRUE(made.ok() && revoked.ok());
  ASSERT_TRUE(keys_.Check(made->secret).ok());
  const absl::Time used = clock_.Now();
  ASSERT_TRUE(keys_.Revoke("old").ok());

  ApiKeyRegistry again(store_, clock_);
  ASSERT_TRUE(again.Restore().ok());
  const auto found = again.Check(made->secret);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ((*found)->name, "ci");
  EXPECT_EQ((*found)->models, wanted.models);
  EXPECT_EQ((*found)->quota.tokens_per_minute, uint64_t{5'000'000'000});
  EXPECT_EQ((*found)->quota.priority_max, enigma::v1::PRIORITY_NORMAL);
  EXPECT_EQ((*found)->expires, wanted.expires);
  const auto refused = again.Check(revoked->secret);
  EXPECT_TRUE(absl::IsUnauthenticated(refused.status()));
  EXPECT_THAT(MessageOf(refused.status()), HasSubstr("revoked"));
  for (const auto& listed : again.List()) {
    if (listed.key->name == "ci") {
      EXPECT_EQ(listed.last_used, used) << "written when the other key was revoked";
    }
  }
  clock_.Advance(absl::Hours(1));
  const auto expired = again.Check(made->secret);
  EXPECT_TRUE(absl::IsUnauthenticated(expired.status()));
  EXPECT_THAT(MessageOf(expired.status()), HasSubstr("expired"));
  EXPECT_FALSE(again.HasUsableKey());
}

TEST_F(ApiKeyRegistryTest, RevocationIsAtOnceAndForEver) {
  const auto by_name = keys_.Create(Named("a"));
  const auto by_id = keys_.Create(Named("b"));
  ASSERT_TRUE(by_name.ok() && by_id.ok());
  EXPECT_TRUE(keys_.HasUsableKey());
  ASSERT_TRUE(keys_.Revoke("a").ok());
  const auto revoked = keys_.Revoke(by_id->key->id);
  ASSERT_TRUE(revoked.ok());
  EXPECT_EQ(revoked->key->revoked, clock_.Now());
  EXPECT_FALSE(keys_.HasUsableKey());
  clock_.StepWall(-absl::Hours(1));
  EXPECT_FALSE(keys_.Check(by_name->secret).ok());
  EXPECT_FALSE(keys_.Check(by_id->secret).ok());
  EXPECT_EQ(keys_.Revoke(by_id->key->id)->key->revoked, revoked->key->revoked) << "once";
  EXPECT_TRUE(absl::IsNotFound(keys_.Revoke("a").status())) << "no key that is not revoked has the name";
  EXPECT_TRUE(absl::IsNotFound(keys_.Revoke("nobody").status()));
  ASSERT_TRUE(keys_.Create(Named("a")).ok()) << "the name is free again";
}

TEST_F(ApiKeyRegistryTest, WhatIsWrongWithANewKeyIsNamed) {
  ASSERT_TRUE(keys_.Create(Named("taken")).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(keys_.Create(Named("taken")).status()));
  const auto field = [this](ApiKey key) { return MessageOf(keys_.Create(std::move(key)).status()); };
  EXPECT_THAT(field(Named("")), HasSubstr("name: "));
  EXPECT_THAT(field(Named(std::string(65, 'a'))), HasSubstr("name: "));
  EXPECT_THAT(field(Named("a\nb")), HasSubstr("name: "));
  EXPECT_THAT(field(Named("\xff")), HasSubstr("name: "));
  ApiKey models = Named("m");
  models.models = {"a", ""};
  EXPECT_THAT(field(models), HasSubstr("models: "));
  models.models.assign(ApiKeyRegistry::kModelsMax + 1, "a");
  EXPECT_THAT(field(models), HasSubstr("models: "));
  ApiKey over = Named("e");
  over.expires = clock_.Now();
  EXPECT_THAT(field(over), HasSubstr("expires: "));
  EXPECT_EQ(keys_.List().size(), 1u);
}

TEST_F(ApiKeyRegistryTest, KeysOfNoUseAreForgottenAfterAMonth) {
  ApiKey brief = Named("brief");
  brief.expires = clock_.Now() + absl::Hours(1);
  ASSERT_TRUE(keys_.Create(brief).ok());
  ASSERT_TRUE(keys_.Create(Named("revoked")).ok());
  ASSERT_TRUE(keys_.Revoke("revoked").ok());
  ASSERT_TRUE(keys_.Create(Named("good")).ok());
  clock_.Advance(absl::Hours(24 * 29));
  ASSERT_TRUE(keys_.Create(Named("next")).ok());
  EXPECT_EQ(keys_.List().size(), 4u);
  clock_.Advance(absl::Hours(24 * 2));
  ASSERT_TRUE(keys_.Create(Named("last")).ok());
  EXPECT_EQ(keys_.List().size(), 3u);
  ApiKeyRegistry again(store_, clock_);
  ASSERT_TRUE(again.Restore().ok());
  EXPECT_EQ(again.List().size(), 3u);
}

TEST_F(ApiKeyRegistryTest, ADamagedRecordIsNamed) {
  ASSERT_TRUE(keys_.Create(Named("ci")).ok());
  for (const char* record : {"no json", "{}", R"({"id": "0", "name": "a", "secret_sha256": "zz"})"}) {
    ASSERT_TRUE(store_.Put("key/0", record).ok());
    ApiKeyRegistry again(store_, clock_);
    const absl::Status status = again.Restore();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(MessageOf(status), HasSubstr("key/0"));
  }
}

// --- access over HTTP

TEST(AccessTest, WhoMayAskOverHttp) {
  SetClock clock;
  MemoryStore store;
  ApiKeyRegistry keys(store, clock);
  Metrics metrics;
  const auto good = keys.Create(Named("good"));
  const auto revoked = keys.Create(Named("revoked"));
  ApiKey brief = Named("brief");
  brief.expires = clock.Now() + absl::Seconds(1);
  const auto expired = keys.Create(brief);
  ASSERT_TRUE(good.ok() && revoked.ok() && expired.ok());
  ASSERT_TRUE(keys.Revoke("revoked").ok());
  clock.Advance(absl::Seconds(2));

  const std::string wrong = "enk-" + std::string(64, '0');
  // What is let in: nobody, a caller without a key, or one with the key.
  enum class Let { kNo, kPlain, kKey };
  struct Case {
    std::string header;
    Let remote, here, remote_no_auth, here_no_auth;
  };
  const std::vector<Case> cases = {
      {"", Let::kNo, Let::kPlain, Let::kPlain, Let::kPlain},
      {"Bearer " + good->secret, Let::kKey, Let::kKey, Let::kKey, Let::kKey},
      {"bearer   " + good->secret + " ", Let::kKey, Let::kKey, Let::kKey, Let::kKey},
      {"Bearer " + wrong, Let::kNo, Let::kNo, Let::kNo, Let::kNo},
      {"Bearer " + revoked->secret, Let::kNo, Let::kNo, Let::kNo, Let::kNo},
      {"Bearer " + expired->secret, Let::kNo, Let::kNo, Let::kNo, Let::kNo},
      {"Bearer sk-something", Let::kNo, Let::kNo, Let::kPlain, Let::kPlain},
      {"Bearer ", Let::kNo, Let::kNo, Let::kPlain, Let::kPlain},
      {"Basic dXNlcjpwYXNz", Let::kNo, Let::kNo, Let::kPlain, Let::kPlain},
      {good->secret, Let::kNo, Let::kNo, Let::kPlain, Let::kPlain},
  };
  double refused = 0;
  for (const bool no_auth : {false, true}) {
    const Access access(Authoriser::ForCluster("c"), no_auth, keys, metrics);
    for (const Case& c : cases) {
      for (const bool here : {false, true}) {
        const absl::StatusOr<Caller> caller = access.ForHttp(c.header, here);
        const Let expected = no_auth ? (here ? c.here_no_auth : c.remote_no_auth) : (here ? c.here : c.remote);
        const std::string what = c.header + (here ? " here" : " remote") + (no_auth ? " no_auth" : "");
        if (expected == Let::kNo) {
          refused += 1;
          EXPECT_TRUE(absl::IsUnauthenticated(caller.status())) << what;
          EXPECT_THAT(MessageOf(caller.status()), Not(HasSubstr(wrong))) << "secrets are not said again";
          continue;
        }
        ASSERT_TRUE(caller.ok()) << what << caller.status();
        EXPECT_EQ(caller->key != nullptr, expected == Let::kKey) << what;
        if (caller->key != nullptr) {
          EXPECT_EQ(caller->who, "key " + good->key->id);
        }
      }
    }
  }
  EXPECT_EQ(metrics.Counter(Metric::kUnauthorisedCalls).Value(), refused);
}

TEST(AccessTest, HostsOfThisMachine) {
  for (const char* host : {"127.0.0.1", "127.1.2.3", "::1", "localhost"}) EXPECT_TRUE(IsLoopbackHost(host)) << host;
  for (const char* host : {"0.0.0.0", "::", "", "10.0.0.1", "128.0.0.1", "example.com"}) {
    EXPECT_FALSE(IsLoopbackHost(host)) << host;
  }
}

}  // namespace
}  // namespace enigma::coordinator
