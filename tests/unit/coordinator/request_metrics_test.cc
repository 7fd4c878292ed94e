// The metrics of requests: each token once, and gauges that come back to nothing however a request ends.
#include <future>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/coordinator_fixture.h"
#include "tests/unit/coordinator/http_client.h"

namespace enigma::coordinator::testing {
namespace {

class RequestMetricsTest : public CoordinatorTest {
 protected:
  void ServeAtMost(size_t running_max, size_t waiting_max = 256) {
    Coordinator::Options options = Options();
    options.running_max = running_max;
    options.waiting_max = waiting_max;
    Serve(options);
  }
  // Of the series with these labels beside the model's; -1 where there is none.
  double Value(const std::string& name, const std::string& labels = "") {
    const std::string text = Get(coordinator_->http_port(), "/metrics").body;
    for (const std::string& series : {absl::StrCat(name, "{", labels, "model_name=\"stories\"} "),
                                      absl::StrCat(name, "{model_name=\"stories\"", labels, "} ")}) {
      const size_t at = text.find("\n" + series);
      double value = 0;
      if (at == std::string::npos) continue;
      const size_t from = at + 1 + series.size();
      if (absl::SimpleAtod(text.substr(from, text.find('\n', from) - from), &value)) return value;
    }
    return -1;
  }
  double Ended(const std::string& reason) {
    return Value("vllm:request_success_total", absl::StrCat("finished_reason=\"", reason, "\","));
  }
  bool NothingIsUnderWay() {
    return Eventually(
        [&] { return Value("vllm:num_requests_running") == 0 && Value("vllm:num_requests_waiting") == 0; });
  }
};

TEST_F(RequestMetricsTest, EveryTokenCountsOnceAndEveryTimeIsObserved) {
  Serve();
  for (uint32_t tokens = 1; tokens <= 4; ++tokens) {
    ASSERT_TRUE(Generate(Ask("stories", "Once upon a time", tokens)).status.ok());
  }
  EXPECT_EQ(Value("vllm:prompt_tokens_total"), 4 * 5);
  EXPECT_EQ(Value("vllm:generation_tokens_total"), 1 + 2 + 3 + 4);
  EXPECT_EQ(Ended("length"), 4);
  EXPECT_EQ(Value("vllm:time_to_first_token_seconds_count"), 4);
  EXPECT_EQ(Value("vllm:inter_token_latency_seconds_count"), 0 + 1 + 2 + 3);
  EXPECT_EQ(Value("vllm:time_per_output_token_seconds_count"), 0 + 1 + 2 + 3);
  EXPECT_EQ(Value("vllm:request_time_per_output_token_seconds_count"), 3) << "one token has no gap";
  for (const char* of_requests :
       {"e2e_request_latency_seconds", "request_queue_time_seconds", "request_prefill_time_seconds",
        "request_decode_time_seconds", "request_inference_time_seconds", "request_prompt_tokens",
        "request_generation_tokens", "request_params_max_tokens"}) {
    EXPECT_EQ(Value(absl::StrCat("vllm:", of_requests, "_count")), 4) << of_requests;
  }
  EXPECT_EQ(Value("vllm:request_generation_tokens_sum"), 10);
  EXPECT_TRUE(NothingIsUnderWay());
}

TEST_F(RequestMetricsTest, GaugesComeBackToNothingHoweverARequestEnds) {
  ServeAtMost(/*running_max=*/1);
  pipelines_.SetManner(FakePipelines::Manner::kHold);
  const auto hold = [&](grpc::ClientContext& context) {
    return inference_->Generate(&context, Ask("stories", "a", 9));
  };
  const auto under_way = [&](double running, double waiting) {
    return Eventually(
        [&] { return Value("vllm:num_requests_running") == running && Value("vllm:num_requests_waiting") == waiting; });
  };
  const auto first_token = [&](double so_far) {
    return Eventually([&] { return Value("vllm:generation_tokens_total") == so_far; });
  };
  {  // Cancelled: the one that runs, and the one that waits.
    grpc::ClientContext running;
    grpc::ClientContext waiting;
    const auto one = hold(running);
    ASSERT_TRUE(under_way(1, 0));
    const auto two = hold(waiting);
    ASSERT_TRUE(under_way(1, 1));
    ASSERT_TRUE(first_token(1));
    waiting.TryCancel();
    two->Finish();
    ASSERT_TRUE(under_way(1, 0));
    running.TryCancel();
    one->Finish();
    EXPECT_TRUE(NothingIsUnderWay());
    EXPECT_EQ(Ended("abort"), 2);
  }
  {  // A client of HTTP that closes its connection.
    RawHttp http(coordinator_->http_port());
    const std::string body = R"({"model": "stories", "prompt": "a", "max_tokens": 9, "stream": true})";
    http.Send(
        absl::StrCat("POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: ", body.size(), "\r\n\r\n", body));
    ASSERT_TRUE(under_way(1, 0));
    ASSERT_TRUE(first_token(2));
    http.Close();
    EXPECT_TRUE(NothingIsUnderWay());
    EXPECT_EQ(Ended("abort"), 3);
  }
  {  // The worker gives it up.
    auto answer = std::async(std::launch::async, [this] { return Generate(Ask("stories", "a", 9)); });
    ASSERT_TRUE(under_way(1, 0));
    ASSERT_TRUE(first_token(3));
    workers_[0]->GiveUp(pipelines_.opened().back().sequence(), "no room");
    EXPECT_FALSE(answer.get().status.ok());
    EXPECT_TRUE(NothingIsUnderWay());
    EXPECT_EQ(Ended("error"), 1);
  }
  {  // The node dies, with one that runs and one that waits.
    auto one = std::async(std::launch::async, [this] { return Generate(Ask("stories", "a", 9)); });
    ASSERT_TRUE(under_way(1, 0));
    ASSERT_TRUE(first_token(4));
    auto two = std::async(std::launch::async, [this] { return Generate(Ask("stories", "a", 9)); });
    ASSERT_TRUE(under_way(1, 1));
    workers_[0]->Kill();
    EXPECT_FALSE(one.get().status.ok());
    EXPECT_FALSE(two.get().status.ok());
    EXPECT_TRUE(NothingIsUnderWay());
    EXPECT_EQ(Ended("error"), 3);
  }
  EXPECT_EQ(Value("vllm:generation_tokens_total"), 4);
  EXPECT_EQ(Value("vllm:e2e_request_latency_seconds_count"), 6);
}

TEST_F(RequestMetricsTest, WhatIsRefusedIsCountedAsThatAlone) {
  ServeAtMost(/*running_max=*/1, /*waiting_max=*/1);
  pipelines_.SetManner(FakePipelines::Manner::kHold);
  grpc::ClientContext context;
  const auto running = inference_->Generate(&context, Ask("stories", "a", 9));
  ASSERT_TRUE(Eventually([&] { return Value("vllm:num_requests_running") == 1; }));
  grpc::ClientContext waiting_context;
  const auto waiting = inference_->Generate(&waiting_context, Ask("stories", "a", 9));
  ASSERT_TRUE(Eventually([&] { return Value("vllm:num_requests_waiting") == 1; }));
  const double prompt_tokens = Value("vllm:prompt_tokens_total");
  EXPECT_EQ(Generate(Ask("stories", "a", 9)).status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  const auto refused = [&] { return Value("vllm:admission_rejections_total", ",reason=\"queue_full\""); };
  EXPECT_EQ(refused(), 1);
  // Once for each request, whatever it asks for and however many inputs it has.
  EXPECT_EQ(Post(port(), "/v1/embeddings", R"({"model": "stories", "input": ["a", "b", "c"]})").status, 503);
  EXPECT_EQ(refused(), 2);
  enigma::v1::EmbedRequest embed;
  embed.set_model("stories");
  embed.add_input()->set_text("a");
  enigma::v1::EmbedReply reply;
  grpc::ClientContext embed_context;
  EXPECT_EQ(inference_->Embed(&embed_context, embed, &reply).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(refused(), 3);
  EXPECT_EQ(
      Post(port(), "/v1/chat/completions", R"({"model": "stories", "messages": [{"role": "user", "content": "a"}]})")
          .status,
      503);
  EXPECT_EQ(refused(), 4);
  EXPECT_EQ(Post(port(), "/v1/completions", R"({"model": "stories", "prompt": "a"})").status, 503);
  EXPECT_EQ(refused(), 5);
  EXPECT_EQ(Post(port(), "/v1/completions", R"({"model": "stories", "prompt": ["a", "b"], "n": 8})").status, 503);
  EXPECT_EQ(refused(), 6);
  EXPECT_EQ(Value("vllm:prompt_tokens_total"), prompt_tokens);
  EXPECT_EQ(Ended("error"), -1);
  waiting_context.TryCancel();
  waiting->Finish();
  context.TryCancel();
  running->Finish();
  EXPECT_TRUE(NothingIsUnderWay());
}

TEST_F(RequestMetricsTest, TheCacheOfAReplicaIsDescribed) {
  Serve();
  const std::string blocks = std::to_string(workers_[0]->loaded().at(0).kv_blocks());
  EXPECT_TRUE(Eventually([&] {
    return Get(coordinator_->http_port(), "/metrics")
               .body.find(
                   absl::StrCat("vllm:cache_config_info{block_size=\"32\",model_name=\"stories\",num_gpu_blocks=\"",
                                blocks, "\"} 1")) != std::string::npos;
  }));
}

}  // namespace
}  // namespace enigma::coordinator::testing
