// POST /v1/embeddings.
#include "coordinator/gateway/embeddings.h"

#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "coordinator/gateway/embed_inputs.h"
#include "coordinator/gateway/openai/body.h"
#include "coordinator/gateway/openai/endpoint.h"
#include "coordinator/gateway/openai/sampling_fields.h"

namespace enigma::coordinator {
namespace {

struct EmbeddingPlan {
  enigma::v1::EmbedRequest request;
  bool base64 = false;
};

// False when it is neither a text nor a list of token ids.
bool ReadInput(const Json& json, enigma::v1::EmbedInput& input) {
  if (json.is_string()) {
    input.set_text(json.get<std::string>());
    return true;
  }
  if (!json.is_array()) return false;
  input.mutable_ids();  // an empty list is one, too, and is refused as empty
  for (const Json& id : json) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() > INT32_MAX) return false;
    input.mutable_ids()->add_ids(id.get<int32_t>());
  }
  return true;
}

void ReadInputs(Fields& fields, enigma::v1::EmbedRequest& request) {
  const Json& input = fields.Any("input");
  const bool one = input.is_string() || IsTokenIds(input);
  if (!one && !input.is_array()) {
    return fields.Fail("input", "a string, a list of token ids, or a list of these is wanted");
  }
  if (!one && input.size() > kEmbedInputsMost) {  // before they are copied
    return fields.Fail("input",
                       absl::StrCat(input.size(), " inputs at once; at most ", kEmbedInputsMost, " are taken"));
  }
  const size_t count = one ? 1 : input.size();
  for (size_t i = 0; i < count; ++i) {
    if (ReadInput(one ? input : input[i], *request.add_input())) continue;
    return fields.Fail(one ? "input" : absl::StrCat("input[", i, "]"), "a string or a list of token ids is wanted");
  }
}

absl::StatusOr<EmbeddingPlan> ReadEmbeddingPlan(std::string_view text) {
  ENIGMA_ASSIGN_OR_RETURN(const Json body, ParseBody(text));
  Fields fields(body);
  EmbeddingPlan plan;
  plan.request.set_model(fields.Text("model"));
  if (plan.request.model().empty()) fields.Fail("model", "no model is named");
  ReadInputs(fields, plan.request);
  const std::string format = fields.Text("encoding_format", "float");
  plan.base64 = format == "base64";
  if (!plan.base64 && format != "float") fields.Fail("encoding_format", "it is one of float and base64");
  plan.request.set_dimensions(static_cast<uint32_t>(fields.Integer("dimensions", 1, INT32_MAX).value_or(0)));
  const std::string pooling = fields.Text("pooling", "mean");
  plan.request.set_pooling(pooling == "last" ? enigma::v1::POOLING_LAST : enigma::v1::POOLING_MEAN);
  if (pooling != "last" && pooling != "mean") fields.Fail("pooling", "it is one of mean and last");
  plan.request.set_priority(ReadPriority(fields));
  fields.Ignore("user");
  ENIGMA_RETURN_IF_ERROR(fields.Finish());
  ENIGMA_RETURN_IF_ERROR(CheckEmbedRequest(plan.request));
  return plan;
}

// The shortest text that reads back as the same float.
void AppendNumber(std::string& out, float value) {
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  out.append(text.data(), end);
}

void AppendVector(std::string& out, const enigma::v1::Embedding& embedding, bool base64) {
  const auto& values = embedding.values();
  if (base64) {
    static_assert(std::endian::native == std::endian::little, "the wire's floats are little-endian");
    std::string bytes(static_cast<size_t>(values.size()) * sizeof(float), '\0');
    std::memcpy(bytes.data(), values.data(), bytes.size());
    absl::StrAppend(&out, "\"", absl::Base64Escape(bytes), "\"");
    return;
  }
  out += '[';
  for (int i = 0; i < values.size(); ++i) {
    if (i > 0) out += ',';
    AppendNumber(out, values[i]);
  }
  out += ']';
}

// By hand, because a long answer would be many millions of nodes of JSON.
std::string EmbeddingsBody(const enigma::v1::EmbedReply& reply, bool base64) {
  std::string body = R"({"object":"list","data":[)";
  for (int i = 0; i < reply.embeddings_size(); ++i) {
    absl::StrAppend(&body, i > 0 ? "," : "", R"({"object":"embedding","index":)", i, R"(,"embedding":)");
    AppendVector(body, reply.embeddings(i), base64);
    body += '}';
  }
  absl::StrAppend(&body, R"(],"model":)", Json(reply.model()).dump(-1, ' ', false, Json::error_handler_t::replace),
                  R"(,"usage":{"prompt_tokens":)", reply.prompt_tokens(), R"(,"total_tokens":)", reply.prompt_tokens(),
                  "}}");
  return body;
}

// Waits for the end, for the deadline, or for the client to go.
boost::asio::awaitable<absl::Status> EndOf(ApiContext& api, HttpExchange& exchange, Embeddings& embeddings,
                                           absl::Duration deadline) {
  while (!embeddings.end()) {
    const absl::Duration left = deadline - api.plane.clock.Monotonic();
    if (exchange.gone()) {
      embeddings.Cancel();
    } else if (left <= absl::ZeroDuration()) {
      embeddings.Fail(absl::DeadlineExceededError("the deadline of the request passed before its answer was complete"));
    } else {
      co_await exchange.Wait(left);
    }
  }
  co_return *embeddings.end();
}

}  // namespace

boost::asio::awaitable<void> EmbeddingsEndpoint(ApiContext& api, HttpExchange& exchange) {
  absl::StatusOr<EmbeddingPlan> plan = co_await ReadBody(api, exchange, &ReadEmbeddingPlan);
  if (!plan.ok()) co_return co_await ReplyError(exchange, plan.status());
  absl::StatusOr<Admission> admission = AdmitRequests(api, std::span(&plan->request, 1), EstimateTokens(plan->request));
  if (!admission.ok()) co_return co_await ReplyError(exchange, admission.status());

  const bool base64 = plan->base64;
  const SpecialistKeeper::Hold hold = api.router.Use(plan->request.model());
  const auto embeddings = Embeddings::Make(api.plane, std::move(plan->request), exchange.Waker());
  if (!api.executor.TryRun([embeddings, charge = admission->lease.charge()] { embeddings->Begin(charge); })) {
    embeddings->Fail(absl::ResourceExhaustedError("too many requests wait for tokenisation; try again later"));
  }
  absl::Status end = co_await EndOf(api, exchange, *embeddings, admission->deadline);
  auto reply = std::make_shared<HttpReply>();
  if (end.ok()) {
    std::function<void()> write = [embeddings, reply, base64] {
      const enigma::v1::EmbedReply found = embeddings->TakeReply();
      reply->body = EmbeddingsBody(found, base64);
      reply->headers = {{"x-enigma-model", found.model()}, {"x-enigma-node", absl::StrJoin(found.nodes(), ",")}};
    };
    end = co_await RunElsewhere(api, api.executor, exchange, std::move(write));
  }
  admission->lease.End(embeddings->tokens_used());  // before the client hears of it and asks again
  if (!end.ok()) co_return co_await ReplyError(exchange, std::move(end));
  HttpReply whole = std::move(*reply);
  co_await exchange.Reply(std::move(whole));
}

}  // namespace enigma::coordinator
