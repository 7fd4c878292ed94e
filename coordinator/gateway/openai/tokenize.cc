// POST /tokenize and /detokenize.
#include <memory>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "coordinator/gateway/openai/body.h"
#include "coordinator/gateway/openai/endpoint.h"
#include "coordinator/gateway/openai/logprobs_json.h"

namespace enigma::coordinator {
namespace {

constexpr size_t kTextBytesMax = 4 << 20;  // the work is done in one piece, on one of a few threads

absl::StatusOr<Json> Tokenized(const ApiContext& api, std::string_view body) {
  ENIGMA_ASSIGN_OR_RETURN(const Json json, ParseBody(body));
  Fields fields(json);
  const std::string model = fields.Text("model");
  const std::string text = fields.Text("prompt");
  const bool add_special = fields.Flag("add_special_tokens", true);
  const bool parse_special = fields.Flag("parse_special");
  ENIGMA_RETURN_IF_ERROR(fields.Finish());
  if (text.size() > kTextBytesMax) {
    return absl::OutOfRangeError(
        absl::StrCat("prompt: ", text.size(), " bytes are more than ", kTextBytesMax, " at once; send it in pieces"));
  }
  ENIGMA_ASSIGN_OR_RETURN(const KeyLease lease, AdmitRequest(api, model, 0));
  ENIGMA_ASSIGN_OR_RETURN(const TokenizerPtr tokenizer, TokenizerOf(api.plane, model));
  const std::vector<engine::TokenId> ids =
      tokenizer->Encode(text, {.add_special = add_special, .parse_special = parse_special});
  return Json{{"count", ids.size()}, {"tokens", ids}};
}

absl::StatusOr<Json> Detokenized(const ApiContext& api, std::string_view body) {
  ENIGMA_ASSIGN_OR_RETURN(const Json json, ParseBody(body));
  Fields fields(json);
  const std::string model = fields.Text("model");
  const Json& tokens = fields.Any("tokens");
  if (!tokens.is_array()) fields.Fail("tokens", "a list of token ids is wanted");
  ENIGMA_RETURN_IF_ERROR(fields.Finish());
  ENIGMA_ASSIGN_OR_RETURN(const KeyLease lease, AdmitRequest(api, model, 0));
  ENIGMA_ASSIGN_OR_RETURN(const TokenizerPtr tokenizer, TokenizerOf(api.plane, model));
  std::vector<engine::TokenId> ids;
  for (const Json& token : tokens) {
    if (!token.is_number_integer() || token.get<int64_t>() < 0 || token.get<int64_t>() >= tokenizer->vocab_size()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "tokens: ", token.dump(-1, ' ', true, Json::error_handler_t::replace), " is not a token of '", model, "'"));
    }
    ids.push_back(token.get<engine::TokenId>());
  }
  return Json{{"prompt", engine::Decode(*tokenizer, ids)}};
}

using Work = absl::StatusOr<Json> (*)(const ApiContext&, std::string_view);

// Runs the work off the server's threads and answers with what it gave.
boost::asio::awaitable<void> RunAndReply(ApiContext& api, HttpExchange& exchange, Work work) {
  auto result = std::make_shared<absl::StatusOr<Json>>(absl::CancelledError("not run"));
  std::function<void()> run = [mine = api, result, work, body = exchange.TakeBody()] { *result = work(mine, body); };
  absl::Status ran = co_await RunElsewhere(api, api.executor, exchange, std::move(run));
  if (!ran.ok()) co_return co_await ReplyError(exchange, std::move(ran));
  if (!result->ok()) co_return co_await ReplyError(exchange, result->status());
  HttpReply reply;
  reply.body = (*result)->dump(-1, ' ', false, Json::error_handler_t::replace);
  co_await exchange.Reply(std::move(reply));
}

}  // namespace

boost::asio::awaitable<void> TokenizeEndpoint(ApiContext& api, HttpExchange& exchange) {
  return RunAndReply(api, exchange, &Tokenized);
}

boost::asio::awaitable<void> DetokenizeEndpoint(ApiContext& api, HttpExchange& exchange) {
  return RunAndReply(api, exchange, &Detokenized);
}

}  // namespace enigma::coordinator
