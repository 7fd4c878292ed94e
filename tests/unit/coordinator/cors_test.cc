// The HTTP API as pages of other sites meet it in a browser.
#include "coordinator/gateway/openai/cors.h"

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/coordinator_fixture.h"
#include "tests/unit/coordinator/http_client.h"

namespace enigma::coordinator::testing {
namespace {

using ::testing::HasSubstr;

TEST(CorsPolicyTest, TakesOriginsAsBrowsersWriteThem) {
  for (const std::string good : {"https://app.example", "http://localhost:3000", "http://[::1]:8080", "null", "*",
                                 "chrome-extension://abcdef"}) {
    EXPECT_TRUE(CorsPolicy::Create({good}).ok()) << good;
  }
  for (const std::string bad : {"", "app.example", "https://", "https://app.example/", "https://app.example/x",
                                "https://App.example", "https://a.example, https://b.example", "https://*.example"}) {
    const auto refused = CorsPolicy::Create({"https://fine.example", bad});
    EXPECT_FALSE(refused.ok()) << bad;
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr("\"" + bad + "\""));
  }
}

class CorsTest : public CoordinatorTest {
 protected:
  void Serve(const std::vector<std::string>& origins) {
    Coordinator::Options options = Options();
    options.cors_origins = origins;
    StartCoordinator(options);
  }
  HttpAnswer Ask(const std::string& method, const std::string& path, const std::vector<std::string>& headers) {
    RawHttp http(coordinator_->http_port());
    std::string head = absl::StrCat(method, " ", path, " HTTP/1.1\r\nHost: 127.0.0.1:", coordinator_->http_port(),
                                    "\r\nConnection: close\r\n");
    for (const std::string& header : headers) absl::StrAppend(&head, header, "\r\n");
    http.Send(head + "\r\n");
    return http.Read();
  }
  HttpAnswer Preflight(const std::string& origin) {
    return Ask("OPTIONS", "/v1/chat/completions",
               {"Origin: " + origin, "Access-Control-Request-Method: POST",
                "Access-Control-Request-Headers: authorization, content-type, x-stainless-os"});
  }
};

TEST_F(CorsTest, IsOffUnlessSitesAreListed) {
  Serve({});
  EXPECT_EQ(Preflight("https://app.example").status, 405);
  const HttpAnswer health = Ask("GET", "/health", {"Origin: https://app.example"});
  EXPECT_EQ(health.status, 200);
  EXPECT_EQ(health.headers.count("access-control-allow-origin"), 0u);
  EXPECT_EQ(health.headers.count("vary"), 0u);
  // What a machine may do without a key, the pages that somebody visits on it may not.
  EXPECT_EQ(Ask("GET", "/v1/models", {"Origin: https://app.example"}).status, 403);
  EXPECT_EQ(Ask("GET", "/v1/models", {"Origin: null"}).status, 403);
  EXPECT_EQ(Ask("GET", "/v1/models", {}).status, 200);
  EXPECT_EQ(Ask("GET", "/v1/models", {absl::StrCat("Origin: http://127.0.0.1:", coordinator_->http_port())}).status,
            200)
      << "its own pages";
}

TEST_F(CorsTest, ListedSitesAreAnsweredAndOthersAreNot) {
  Serve({"https://app.example", "http://localhost:3000"});
  const HttpAnswer asked = Preflight("https://app.example");
  EXPECT_EQ(asked.status, 204);
  EXPECT_EQ(asked.body, "");
  EXPECT_EQ(asked.headers.at("access-control-allow-origin"), "https://app.example");
  EXPECT_EQ(asked.headers.at("access-control-allow-methods"), "POST");
  EXPECT_EQ(asked.headers.at("access-control-allow-headers"), "authorization, content-type, x-stainless-os");
  EXPECT_EQ(asked.headers.at("access-control-max-age"), "600");
  EXPECT_EQ(asked.headers.at("vary"), "Origin");
  const HttpAnswer models = Ask("GET", "/v1/models", {"Origin: http://localhost:3000"});
  EXPECT_EQ(models.status, 200);
  EXPECT_EQ(models.headers.at("access-control-allow-origin"), "http://localhost:3000");
  EXPECT_THAT(models.headers.at("access-control-expose-headers"), HasSubstr("Retry-After"));
  EXPECT_EQ(models.headers.at("access-control-allow-credentials"), "true");
  // Errors too, or the page could not say what went wrong.
  const HttpAnswer error = Ask("GET", "/v1/models/absent", {"Origin: https://app.example"});
  EXPECT_EQ(error.status, 404);
  EXPECT_EQ(error.headers.at("access-control-allow-origin"), "https://app.example");

  for (const std::string other :
       {"https://app.example.evil.example", "http://app.example", "https://app.example:444"}) {
    const HttpAnswer refused = Preflight(other);
    EXPECT_EQ(refused.status, 403) << other;
    EXPECT_EQ(refused.headers.count("access-control-allow-origin"), 0u) << other;
    EXPECT_EQ(refused.headers.at("vary"), "Origin") << other;
    EXPECT_EQ(Ask("GET", "/v1/models", {"Origin: " + other}).status, 403) << other;
  }
  EXPECT_EQ(Ask("OPTIONS", "/nowhere", {"Origin: https://app.example", "Access-Control-Request-Method: GET"}).status,
            404);
}

TEST_F(CorsTest, EverySiteMeansNoCredentials) {
  Serve({"*"});
  const HttpAnswer models = Ask("GET", "/v1/models", {"Origin: https://anybody.example"});
  EXPECT_EQ(models.status, 200);
  EXPECT_EQ(models.headers.at("access-control-allow-origin"), "*");
  EXPECT_EQ(models.headers.count("access-control-allow-credentials"), 0u);
  EXPECT_EQ(Preflight("https://anybody.example").status, 204);
  const HttpAnswer strange = Ask("OPTIONS", "/v1/models",
                                 {"Origin: https://anybody.example", "Access-Control-Request-Method: GET",
                                  "Access-Control-Request-Headers: x;y=\"z\""});
  EXPECT_EQ(strange.headers.count("access-control-allow-headers"), 0u) << "what is no name is not given back";
}

}  // namespace
}  // namespace enigma::coordinator::testing
