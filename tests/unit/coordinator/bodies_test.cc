// Bodies of requests that are large, or made to cost.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/unit/coordinator/coordinator_fixture.h"
#include "tests/unit/coordinator/http_client.h"

namespace enigma::coordinator::testing {
namespace {

using nlohmann::json;

class BodiesTest : public CoordinatorTest {};

// What parsers of JSON take more than linear time for, and more memory than it looks.
TEST_F(BodiesTest, BodiesThatAreCheapToSendAreCheapToRefuse) {
  Serve();
  const auto repeated = [](std::string_view piece, size_t bytes) {
    std::string text;
    while (text.size() < bytes) text += piece;
    text.back() = ' ';  // the last comma
    return text;
  };
  std::string keys;
  for (int i = 0; i < 500'000; ++i) absl::StrAppend(&keys, "\"k", i, "\":1,");
  keys.back() = ' ';
  const auto told = [this](const std::string& body, const char* path = "/v1/completions") {
    const auto start = std::chrono::steady_clock::now();
    const HttpAnswer answer = Post(port(), path, body);
    EXPECT_EQ(answer.status / 100, 4) << answer.body;
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20)) << answer.body;
    return answer.body;
  };
  constexpr size_t kBytes = 8'000'000;
  using ::testing::HasSubstr;
  EXPECT_THAT(told(absl::StrCat("{\"x\":[", repeated("{},", kBytes), "]}")), HasSubstr("values"));
  EXPECT_THAT(told(absl::StrCat("{", keys, "}")), HasSubstr("fields"));
  EXPECT_THAT(told(std::string(kBytes, '[')), HasSubstr("deeper"));
  EXPECT_THAT(told(repeated("{\"a\":", kBytes)), HasSubstr("deeper"));
  const std::string words = repeated("once upon ", kBytes);
  EXPECT_THAT(told(json({{"model", "stories"}, {"prompt", words}}).dump()), HasSubstr("8000000 bytes"))
      << "refused by its length, before it is tokenised";
  EXPECT_THAT(told(json({{"model", "stories"}, {"prompt", words}, {"n", 16}}).dump()),
              ::testing::AnyOf(HasSubstr("8000000 bytes"), HasSubstr("all choices together")));
  EXPECT_THAT(told(json({{"model", "stories"}, {"input", {"a", words}}}).dump(), "/v1/embeddings"),
              HasSubstr("input[1]: 8000000 bytes"));
  EXPECT_THAT(told(json({{"model", "stories"}, {"prompt", words}}).dump(), "/tokenize"), HasSubstr("in pieces"));
  std::string ids = absl::StrCat("{\"model\":\"stories\",\"prompt\":[", repeated("5,", 1'000'000), "5]}");
  std::replace(ids.begin(), ids.end(), ' ', ',');
  EXPECT_THAT(told(ids), HasSubstr("tokens are too long"));
}

// Sends bodies at once, and asks for what costs nothing until they are answered.
struct Waits {
  absl::Duration whole;    // until the last of them was answered
  absl::Duration longest;  // of the others' requests meanwhile
};
Waits SendAtOnce(int port, const std::string& body, int bodies) {
  std::vector<std::unique_ptr<RawHttp>> large;
  for (int i = 0; i < bodies; ++i) {
    RawHttp& http = *large.emplace_back(std::make_unique<RawHttp>(port));
    http.Send(absl::StrCat("POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: ", body.size(), "\r\n\r\n"));
    http.Send(std::string_view(body).substr(0, body.size() - 1));
  }
  const absl::Time sent = absl::Now();
  for (const auto& http : large) http->Send(std::string_view(body).substr(body.size() - 1));
  std::atomic<int> answered = 0;
  std::vector<std::thread> clients;
  for (const auto& http : large) {
    clients.emplace_back([&answered, &http] {
      EXPECT_EQ(http->Read().status, 400);
      ++answered;
    });
  }
  Waits waits;
  while (answered < bodies) {
    const absl::Time asked = absl::Now();
    EXPECT_EQ(Get(port, "/health").status, 200);
    waits.longest = std::max(waits.longest, absl::Now() - asked);
  }
  waits.whole = absl::Now() - sent;
  for (std::thread& client : clients) client.join();
  return waits;
}

#ifdef ENIGMA_SANITIZED
constexpr int kValues = 60'000;
#else
constexpr int kValues = 450'000;
#endif

// A body of megabytes takes a moment to be read, in which the server's threads serve the others.
TEST_F(BodiesTest, LargeBodiesHoldNobodyUp) {
  Serve();
  std::string values;
  for (int i = 0; i < kValues; ++i) values += R"({"a":1},)";
  const std::string body = absl::StrCat(R"({"model":"stories","prompt":[)", values, "0]}");
  const absl::Duration one = SendAtOnce(port(), body, 1).whole;
  // As many as the server has threads. One that is late by itself, on a busy machine, is not so every time.
  std::vector<absl::Duration> longest;
  for (int i = 0; i < 5; ++i) longest.push_back(SendAtOnce(port(), body, 2).longest);
  const absl::Duration least = *std::min_element(longest.begin(), longest.end());
  RecordProperty("one_body_ms", static_cast<int>(absl::ToInt64Milliseconds(one)));
  RecordProperty("longest_wait_ms", static_cast<int>(absl::ToInt64Milliseconds(least)));
  EXPECT_LT(least, one / 3) << "the others waited for the bodies";
}

// What reads a body outlasts the patience of a server that ends, and must not outlast the server.
TEST_F(BodiesTest, AServerThatEndsWaitsForWhoReadsABody) {
  Serve();
  std::string values;
  for (int i = 0; i < 450'000; ++i) values += R"({"a":1},)";
  const std::string body = absl::StrCat(R"({"model":"stories","prompt":[)", values, "0]}");
  RawHttp http(port());
  http.Send(
      absl::StrCat("POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: ", body.size(), "\r\n\r\n", body));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  coordinator_.reset();
}

}  // namespace
}  // namespace enigma::coordinator::testing
