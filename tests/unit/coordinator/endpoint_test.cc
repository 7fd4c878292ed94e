// Where the work of a request is done, and what it counts for until it is.
#include "coordinator/gateway/openai/endpoint.h"

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <absl/synchronization/notification.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/bare_plane.h"

namespace enigma::coordinator {
namespace {

namespace asio = boost::asio;

// Of a client that sent a body and has gone, or waits.
class FakeExchange final : public HttpExchange {
 public:
  FakeExchange(std::string body, bool gone) : gone_(gone) { request_.body = std::move(body); }

  const HttpRequest& request() const override { return request_; }
  std::string TakeBody() override { return std::exchange(request_.body, std::string()); }
  void AddHeaders(HttpHeaders) override {}
  asio::awaitable<void> Reply(HttpReply) override { co_return; }
  asio::awaitable<void> StartEvents(HttpHeaders) override { co_return; }
  asio::awaitable<bool> SendEvents(std::string) override { co_return false; }
  asio::awaitable<void> EndEvents() override { co_return; }
  bool answered() const override { return false; }
  bool gone() const override { return gone_; }
  asio::awaitable<void> Wait(absl::Duration timeout) override {
    woken_.WaitForNotificationWithTimeout(timeout);
    co_return;
  }
  std::function<void()> Waker() override {
    return [this] { woken_.Notify(); };
  }

 private:
  HttpRequest request_;
  const bool gone_;
  absl::Notification woken_;
};

class EndpointTest : public BarePlaneTest {
 protected:
  // What reading the body gives; notes the thread that read it.
  absl::StatusOr<size_t> Read(FakeExchange& exchange) {
    ApiContext api = api_;
    auto pass = intake_.Enter(exchange.request().body.size());
    EXPECT_TRUE(pass.ok());
    api.pass = std::make_shared<Intake::Pass>(*std::move(pass));
    absl::StatusOr<size_t> result = absl::UnknownError("not run");
    asio::io_context context;
    asio::co_spawn(context, ReadInto(api, exchange, result), asio::detached);
    context.run();
    return result;
  }

  asio::awaitable<void> ReadInto(const ApiContext& api, HttpExchange& exchange, absl::StatusOr<size_t>& result) {
    std::function<absl::StatusOr<size_t>(std::string_view)> read = [this](std::string_view body) {
      reader_ = std::this_thread::get_id();
      return body.size();
    };
    result = co_await ReadBody(api, exchange, std::move(read));
  }

  CorsPolicy cors_;
  std::thread::id reader_;
  Executor executor_{1};
  Executor schema_executor_{1};
  SpecialistRegistry registry_;
  SpecialistKeeper keeper_{plane_, registry_, {}};
  RequestRouter router_{plane_, registry_, keeper_, {}};
  SpecialistsOffice office_{plane_, registry_, ""};
  ApiContext api_{plane_, executor_, schema_executor_, cors_, router_, office_, absl::Hours(1), absl::Seconds(15)};
};

TEST_F(EndpointTest, SmallBodiesAreReadWhereTheyAreAndLargeOnesElsewhere) {
  FakeExchange small(std::string(kBodyBytesReadAtOnce, ' '), /*gone=*/false);
  EXPECT_EQ(Read(small).value_or(0), kBodyBytesReadAtOnce);
  EXPECT_EQ(reader_, std::this_thread::get_id());
  EXPECT_TRUE(small.request().body.empty());
  FakeExchange large(std::string(kBodyBytesReadAtOnce + 1, ' '), /*gone=*/false);
  EXPECT_EQ(Read(large).value_or(0), kBodyBytesReadAtOnce + 1);
  EXPECT_NE(reader_, std::this_thread::get_id());
  EXPECT_TRUE(intake_.AwaitNone(absl::Seconds(20)));
}

// Else clients that send and go could fill the memory with bodies that nobody counts.
TEST_F(EndpointTest, ABodyThatWaitsToBeReadCountsThoughItsClientHasGone) {
  absl::Notification may_go_on;
  ASSERT_TRUE(schema_executor_.TryRun([&may_go_on] { may_go_on.WaitForNotification(); }));
  FakeExchange exchange(std::string(kBodyBytesReadAtOnce + 1, ' '), /*gone=*/true);
  EXPECT_TRUE(absl::IsCancelled(Read(exchange).status()));
  EXPECT_EQ(intake_.inside(), 1u);
  may_go_on.Notify();
  EXPECT_TRUE(intake_.AwaitNone(absl::Seconds(20)));
  EXPECT_NE(reader_, std::thread::id());
}

TEST_F(EndpointTest, ABodyThatWaitsToBeReadWaitsNoLongerThanItsDeadline) {
  absl::Notification may_go_on;
  ASSERT_TRUE(schema_executor_.TryRun([&may_go_on] { may_go_on.WaitForNotificationWithTimeout(absl::Seconds(20)); }));
  FakeExchange exchange(std::string(kBodyBytesReadAtOnce + 1, ' '), /*gone=*/false);
  api_.deadline = clock_.Monotonic() + absl::Milliseconds(50);
  EXPECT_TRUE(absl::IsDeadlineExceeded(Read(exchange).status()));
  may_go_on.Notify();
  EXPECT_TRUE(intake_.AwaitNone(absl::Seconds(20)));
}

TEST_F(EndpointTest, SchemasThatAreNewGoWhereTheyHoldNobodyUp) {
  enigma::v1::SamplingParams sampling;
  EXPECT_EQ(&ExecutorFor(api_, sampling), &executor_);
  sampling.set_json_schema(R"({"type": "null"})");
  EXPECT_EQ(&ExecutorFor(api_, sampling), &schema_executor_);
  ASSERT_TRUE(schemas_.Check(sampling.json_schema()).ok());
  EXPECT_EQ(&ExecutorFor(api_, sampling), &executor_) << "compiled already";
}

}  // namespace
}  // namespace enigma::coordinator
