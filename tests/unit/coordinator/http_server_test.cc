#include "coordinator/gateway/http/http_server.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include "coordinator/gateway/http/url.h"
#include "rpc/certificate_authority.h"
#include "tests/unit/coordinator/http_client.h"
#include "tests/unit/coordinator/https_client.h"
#include "tests/unit/rpc/scratch_folder.h"

namespace enigma::coordinator::testing {
namespace {

namespace asio = boost::asio;

// Echoes what came: method, path, query and body; "/events" streams three events; "/hold" waits until the client goes.
asio::awaitable<void> Echo(std::atomic<int>& gone, HttpExchange& exchange) {
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
    auto server = HttpServer::Start(options, [this](HttpExchange& exchange) { return Echo(gone_, exchange); });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  bool Eventually(const std::function<bool()>& holds) {
    for (int i = 0; i < 1000 && !holds(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return holds();
  }
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
  noise.Send(std::string("\x16\x03\x01 no handshake at all", 26));
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

TEST_F(HttpServerTest, ManyConnectionsLeaveNothingBehind) {
  Start();
  for (int i = 0; i < 500; ++i) {
    RawHttp http(server_->port());
    if (i % 3 == 0) http.Send("GET /a HTTP/1.1\r\n");
    if (i % 3 == 1) http.Send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  EXPECT_TRUE(Eventually([this] { return server_->connections() == 0; }));
  EXPECT_EQ(Get(server_->port(), "/a").status, 200);
}

TEST_F(HttpServerTest, StopsWithinItsGrace) {
  Start();
  RawHttp idle(server_->port());
  RawHttp held(server_->port());
  held.Send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(Eventually([this] { return server_->connections() == 2; }));
  server_->Stop(absl::Milliseconds(200));
  EXPECT_EQ(server_->connections(), 0u);
  EXPECT_EQ(gone_, 1);
}

TEST_F(HttpServerTest, ABusyPortIsNamed) {
  Start();
  HttpServer::Options options;
  options.port = server_->port();
  const auto second = HttpServer::Start(options, [this](HttpExchange& exchange) { return Echo(gone_, exchange); });
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
