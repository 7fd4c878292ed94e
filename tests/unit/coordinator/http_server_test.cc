#include "coordinator/gateway/http/http_server.h"

#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include "coordinator/gateway/http/url.h"
#include "rpc/certificate_authority.h"
#include "tests/support/eventually.h"
#include "tests/unit/coordinator/http_client.h"
#include "tests/unit/coordinator/https_client.h"
#include "tests/unit/rpc/scratch_folder.h"

namespace enigma::coordinator::testing {
namespace {

namespace asio = boost::asio;
using enigma::testing::Eventually;

// Echoes what came: method, path, query and body; "/events" streams three events; "/hold" waits until the client goes.
asio::awaitable<void> Echo(std::atomic<int>& held, std::atomic<int>& gone, HttpExchange& exchange) {
  const HttpRequest& request = exchange.request();
  if (request.path == "/throw") throw std::runtime_error("on purpose");
  if (request.path == "/events") {
    co_await exchange.StartEvents(HttpHeaders());
    for (int i = 0; i < 3; ++i) {
      std::string event = absl::StrCat("data: ", i, "\n\n");
      co_await exchange.SendEvents(std::move(event));
      co_await exchange.Wait(absl::Milliseconds(1));
    }
    co_await exchange.EndEvents();
    co_return;
  }
  if (request.path == "/hold") {
    ++held;
    while (!exchange.gone()) co_await exchange.Wait(absl::InfiniteDuration());
    ++gone;
    co_return;
  }
  if (request.path == "/woken") {
    std::thread([wake = exchange.Waker()] { wake(); }).detach();
    co_await exchange.Wait(absl::InfiniteDuration());
  }
  HttpReply reply;
  reply.content_type = "text/plain";
  reply.body = absl::StrCat(request.method, " ", request.path, " ", request.query, " ", request.body.size());
  co_await exchange.Reply(std::move(reply));
}

class HttpServerTest : public ::testing::Test {
 protected:
  void Start(HttpServer::Options options = {}) {
    options.port = 0;
    auto server = HttpServer::Start(options, [this](HttpExchange& exchange) { return Echo(held_, gone_, exchange); });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::atomic<int> held_{0};
  std::atomic<int> gone_{0};
  std::unique_ptr<HttpServer> server_;
};

class HttpsServerTest : public HttpServerTest {
 protected:
  struct Authority {
    std::unique_ptr<CertificateAuthority> ca;
    std::optional<ServerCertificate> certificate;
  };
  Authority Make(const std::string& name) {
    auto ca = CertificateAuthority::LoadOrCreate(folder_ / name);
    EXPECT_TRUE(ca.ok()) << ca.status();
    auto certificate = (*ca)->IssueForServer({"localhost", "127.0.0.1", "gate.example"});
    EXPECT_TRUE(certificate.ok()) << certificate.status();
    return {*std::move(ca), *std::move(certificate)};
  }
  const ScratchFolder folder_;
};

TEST_F(HttpsServerTest, ClientsThatTrustTheCaAndAskForAKnownNameAreServed) {
  const Authority authority = Make("ca");
  Start({.certificate = authority.certificate});
  for (const std::string host : {"localhost", "gate.example", "127.0.0.1"}) {
    HttpsClient client(server_->port(), authority.ca->certificate_pem(), host);
    EXPECT_EQ(client.error(), "") << host;
    EXPECT_NE(client.Get("/a").find("GET /a  0"), std::string::npos) << host;
  }
  EXPECT_NE(HttpsClient(server_->port(), authority.ca->certificate_pem(), "other.example").error(), "");
  EXPECT_NE(HttpsClient(server_->port(), Make("another").ca->certificate_pem(), "localhost").error(), "");
}

TEST_F(HttpsServerTest, PlainHttpIsToldToUseHttps) {
  Start({.certificate = Make("ca").certificate});
  RawHttp http(server_->port());
  http.Send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  const HttpAnswer answer = http.Read();
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(answer.body.find("https://"), std::string::npos) << answer.body;
  EXPECT_TRUE(http.ClosedWithin(5000));
  RawHttp noise(server_->port());
  noise.Send(std::string("\x16\x03\x01\x00\x05hello", 10));
  EXPECT_TRUE(Eventually([&] { return server_->connections() == 0; })) << "neither holds its place";
}

TEST_F(HttpsServerTest, AClientThatLeavesIsNoticed) {
  const Authority authority = Make("ca");
  Start({.certificate = authority.certificate});
  HttpsClient client(server_->port(), authority.ca->certificate_pem(), "localhost");
  client.Send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  client.Close();
  EXPECT_TRUE(Eventually([&] { return gone_ == 1; }));
}

TEST_F(HttpsServerTest, ARenewedCertificateIsShownToNewConnections) {
  const Authority before = Make("before");
  const Authority after = Make("after");
  std::atomic<bool> renew{false};
  HttpServer::Options options;
  options.certificate = before.certificate;
  options.renewal_every = absl::Milliseconds(20);
  options.renewed_certificate = [&] {
    return renew.exchange(false) ? after.certificate : std::optional<ServerCertificate>();
  };
  Start(options);
  HttpsClient old(server_->port(), before.ca->certificate_pem(), "localhost");
  ASSERT_EQ(old.error(), "");
  renew = true;
  EXPECT_TRUE(Eventually(
      [&] { return HttpsClient(server_->port(), after.ca->certificate_pem(), "localhost").error().empty(); }));
  EXPECT_NE(old.Get("/a").find("GET /a  0"), std::string::npos) << "a connection that is open goes on";
  server_.reset();  // before what it asks for certificates
}

TEST_F(HttpServerTest, AnswersRequestsOfOneConnectionInTheirOrder) {
  Start();
  RawHttp http(server_->port());
  http.Send("GET /a?x=1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_EQ(http.Read().body, "GET /a x=1 0");
  EXPECT_EQ(http.Read().body, "POST /b  3");
  http.Send("GET /%7Bc%7d HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(http.Read().body, "GET /{c}  0");
}

TEST_F(HttpServerTest, StreamsEventsAndGoesOn) {
  Start();
  RawHttp http(server_->port());
  http.Send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
  const HttpAnswer events = http.Read();
  EXPECT_EQ(events.headers.at("content-type"), "text/event-stream; charset=utf-8");
  EXPECT_EQ(events.Events(), (std::vector<std::string>{"0", "1", "2"}));
  http.Send("GET /after HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(http.Read().body, "GET /after  0");
}

TEST_F(HttpServerTest, AnOldClientGetsEventsUntilTheConnectionEnds) {
  Start();
  RawHttp http(server_->port());
  http.Send("GET /events HTTP/1.0\r\n\r\n");
  const HttpAnswer events = http.Read();
  EXPECT_FALSE(events.headers.contains("transfer-encoding"));
  EXPECT_EQ(events.Events(), (std::vector<std::string>{"0", "1", "2"}));
}

TEST_F(HttpServerTest, NoticesAClientThatCloses) {
  Start();
  {
    RawHttp http(server_->port());
    http.Send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_TRUE(Eventually([this] { return gone_ == 1 && server_->connections() == 0; }));
}

TEST_F(HttpServerTest, NoticesAClientThatClosesBehindItsNextRequest) {
  Start();
  {
    RawHttp http(server_->port());
    http.Send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\nGET /a HTTP/1.1\r\n");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    http.Send("Host: x\r\n\r\n");
  }
  EXPECT_TRUE(Eventually([this] { return gone_ == 1 && server_->connections() == 0; }));
}

TEST_F(HttpServerTest, WhatIsSentDuringAnAnswerIsTheNextRequest) {
  Start();
  for (int i = 0; i < 20; ++i) {
    RawHttp http(server_->port());
    http.Send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
    http.ReadUntil("data: 1");
    const std::string padding(static_cast<size_t>(i) * 3000, 'a');
    http.Send(absl::StrCat("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: ", padding.size(), "\r\n\r\n", padding));
    EXPECT_EQ(http.Read().Events().size(), 3u);
    EXPECT_EQ(http.Read().body, absl::StrCat("POST /b  ", padding.size()));
  }
}

TEST_F(HttpServerTest, OtherThreadsWakeAnExchange) {
  Start();
  EXPECT_EQ(Get(server_->port(), "/woken").body, "GET /woken  0");
}

TEST_F(HttpServerTest, AHandlerThatThrowsIsAnErrorOfTheServer) {
  Start();
  const HttpAnswer answer = Get(server_->port(), "/throw");
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.body.find("on purpose"), std::string::npos) << "what went wrong inside is for the log";
}

TEST_F(HttpServerTest, RefusesWhatIsTooLargeOrNoHttp) {
  HttpServer::Options options;
  options.header_bytes_max = 4096;
  options.body_bytes_max = 1000;
  Start(options);
  const auto status = [this](const std::string& bytes) {
    RawHttp http(server_->port());
    http.Send(bytes);
    return http.Read().status;
  };
  EXPECT_EQ(status(absl::StrCat("GET / HTTP/1.1\r\nHost: x\r\nA: ", std::string(8000, 'a'), "\r\n\r\n")), 431);
  EXPECT_EQ(status("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n"), 413);
  EXPECT_EQ(status(absl::StrCat("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n",
                                std::string(2000, 'a'), "\r\n0\r\n\r\n")),
            413);
  EXPECT_EQ(status("nonsense\r\n\r\n"), 400);
  EXPECT_EQ(status("GET nowhere HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
  EXPECT_EQ(status("GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
  EXPECT_EQ(status("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"), 400);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
}

TEST_F(HttpServerTest, DropsThoseWhoSendTooSlowly) {
  HttpServer::Options options;
  options.request_timeout = absl::Milliseconds(300);
  options.idle_timeout = absl::Milliseconds(300);
  Start(options);
  RawHttp idle(server_->port());
  RawHttp slow(server_->port());
  RawHttp half(server_->port());
  half.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
  bool sent = true;
  for (int i = 0; i < 200 && sent; ++i) {
    sent = slow.Send(i == 0 ? "GET / HTTP/1.1\r\n" : "A: b\r\n");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_FALSE(sent) << "a byte now and then must not keep a request open";
  EXPECT_TRUE(idle.ClosedWithin(10'000));
  EXPECT_TRUE(half.ClosedWithin(10'000));
  EXPECT_TRUE(Eventually([this] { return server_->connections() == 0; }));
}

size_t OpenDescriptors() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

TEST_F(HttpServerTest, TenThousandConnectionsLeaveNoDescriptorBehind) {
  Start();
  Get(server_->port(), "/a");
  ASSERT_TRUE(Eventually([this] { return server_->connections() == 0; }));
  const size_t before = OpenDescriptors();
  for (int i = 0; i < 10'000; ++i) {
    RawHttp http(server_->port());
    if (i % 4 == 1) http.Send("GET /a HTTP/1.1\r\n");
    if (i % 4 == 2) http.Send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    if (i % 4 == 3) http.Send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc");
  }
  // Served after all of them, so that none is left to be accepted.
  EXPECT_EQ(Get(server_->port(), "/a").status, 200);
  // A connection stops counting just before its socket closes.
  EXPECT_TRUE(Eventually([&] { return server_->connections() == 0 && OpenDescriptors() <= before; }))
      << OpenDescriptors() << " descriptors, " << before << " before";
}

// A client that sends its whole body before it reads must still find the refusal, not a reset connection.
TEST_F(HttpServerTest, ARefusalReachesAClientThatIsStillSending) {
  HttpServer::Options options;
  options.body_bytes_max = 1000;
  Start(options);
  for (const bool in_headers : {false, true}) {
    RawHttp http(server_->port());
    http.Send(in_headers ? "POST / HTTP/1.1\r\nHost: x\r\nA: "
                         : "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n");
    const std::string part(1'000'000, 'a');
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(http.Send(part)) << i;
    EXPECT_EQ(http.Read().status, in_headers ? 431 : 413);
  }
}

TEST_F(HttpServerTest, TheBodiesOfAllConnectionsHaveALimitTogether) {
  HttpServer::Options options;
  options.body_bytes_free = 1000;
  options.bodies_bytes_max = 100'000;
  Start(options);
  const auto post = [](size_t bytes) {
    return absl::StrCat("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: ", bytes, "\r\n\r\n");
  };
  // Which of two bodies that come at the same time is refused is not said, so a try begins anew with both.
  std::optional<RawHttp> slow;
  EXPECT_TRUE(Eventually([&] {
    slow.emplace(server_->port());
    slow->Send(absl::StrCat(post(90'000), std::string(89'999, 'a')));
    RawHttp second(server_->port());
    second.Send(absl::StrCat(post(50'000), std::string(50'000, 'a')));
    const HttpAnswer refused = second.Read();
    RawHttp small(server_->port());
    small.Send(absl::StrCat(post(900), std::string(900, 'a')));
    EXPECT_EQ(small.Read().body, "POST /a  900") << "small bodies always have room";
    slow->Send("a");
    return slow->Read().body == "POST /a  90000" && refused.status == 503 && refused.headers.contains("retry-after") &&
           refused.headers.contains("retry-after-ms");
  }));
  // What it had is free again, though its connection stays open; also after one that left in the middle.
  for (int i = 0; i < 3; ++i) {
    RawHttp left(server_->port());
    left.Send(absl::StrCat(post(90'000), std::string(80'000, 'a')));
  }
  EXPECT_TRUE(Eventually([&] {
    RawHttp large(server_->port());
    large.Send(absl::StrCat(post(99'000), std::string(99'000, 'a')));
    return large.Read().body == "POST /a  99000";
  }));
}

TEST_F(HttpServerTest, GarbageBehindARequestIsRefusedAfterItsAnswer) {
  Start();
  for (const std::string garbage : {"\x16\x03\x01\x02", "GET\r\n\r\n", "}{\r\n\r\n", "POST / HTTP/9.9\r\n\r\n"}) {
    RawHttp http(server_->port());
    http.Send(absl::StrCat("GET /a HTTP/1.1\r\nHost: x\r\n\r\n", garbage, "\r\n\r\n"));
    EXPECT_EQ(http.Read().status, 200);
    EXPECT_EQ(http.Read().status, 400) << garbage;
    EXPECT_TRUE(http.ClosedWithin(10'000)) << garbage;
  }
}

// Two ends that disagree about where a body ends see different requests.
TEST_F(HttpServerTest, WhereABodyEndsIsNeverInDoubt) {
  Start();
  for (const std::string headers :
       {"Content-Length: 3\r\nContent-Length: 4\r\n", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "Content-Length: 3, 4\r\n", "Content-Length: +3\r\n",
        "Content-Length: 99999999999999999999\r\n", "Content-Length : 3\r\n"}) {
    RawHttp http(server_->port());
    http.Send(absl::StrCat("POST /a HTTP/1.1\r\nHost: x\r\n", headers, "\r\nabcd"));
    EXPECT_EQ(http.Read().status, 400) << headers;
    EXPECT_TRUE(http.ClosedWithin(10'000)) << headers;
  }
}

TEST_F(HttpServerTest, AHalfClosedConnectionEnds) {
  Start();
  RawHttp quick(server_->port());
  quick.Send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  quick.HalfClose();
  EXPECT_EQ(quick.Read().status, 200);
  EXPECT_TRUE(quick.ClosedWithin(10'000));
  RawHttp held(server_->port());
  held.Send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
  held.HalfClose();
  EXPECT_TRUE(held.ClosedWithin(10'000)) << "it cannot be told from a client that is gone";
  EXPECT_TRUE(Eventually([this] { return server_->connections() == 0; }));
}

TEST_F(HttpServerTest, ThoseWhoSendSlowlyHoldUpNobodyElse) {
  Start();
  std::vector<std::unique_ptr<RawHttp>> slow;
  for (int i = 0; i < 300; ++i) {
    slow.push_back(std::make_unique<RawHttp>(server_->port()));
    slow.back()->Send(i % 2 == 0 ? "GET /a HT" : "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc");
  }
  ASSERT_TRUE(Eventually([this] { return server_->connections() == 300; }));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(Get(server_->port(), "/a").status, 200);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST_F(HttpServerTest, TooManyConnectionsAreClosedAtOnce) {
  HttpServer::Options options;
  options.connections_max = 2;
  Start(options);
  RawHttp first(server_->port());
  RawHttp second(server_->port());
  ASSERT_TRUE(Eventually([this] { return server_->connections() == 2; }));
  RawHttp third(server_->port());
  EXPECT_TRUE(third.ClosedWithin(10'000));
  first.Close();
  ASSERT_TRUE(Eventually([this] { return server_->connections() == 1; }));
  EXPECT_EQ(Get(server_->port(), "/a").status, 200);
}

TEST_F(HttpServerTest, StopsWithinItsGrace) {
  Start();
  RawHttp idle(server_->port());
  RawHttp held(server_->port());
  held.Send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(Eventually([this] { return server_->connections() == 2 && held_ == 1; }));
  server_->Stop(absl::Milliseconds(200));
  EXPECT_EQ(server_->connections(), 0u);
  EXPECT_EQ(gone_, 1);
}

TEST_F(HttpServerTest, ABusyPortIsNamed) {
  Start();
  HttpServer::Options options;
  options.port = server_->port();
  const auto second =
      HttpServer::Start(options, [this](HttpExchange& exchange) { return Echo(held_, gone_, exchange); });
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.status().message().find(std::to_string(server_->port())), absl::string_view::npos);
}

TEST(SplitTarget, PathsAndQueries) {
  std::string path, query;
  EXPECT_TRUE(SplitTarget("/a%20b/c?d=%20&e", path, query));
  EXPECT_EQ(path, "/a b/c");
  EXPECT_EQ(query, "d=%20&e");
  for (const char* bad : {"", "a", "*", "/%", "/%1", "/%g0", "/%00", "/%0a"}) {
    EXPECT_FALSE(SplitTarget(bad, path, query)) << bad;
  }
}

}  // namespace
}  // namespace enigma::coordinator::testing
