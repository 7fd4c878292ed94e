#include "coordinator/gateway/openai/answer.h"

#include <utility>

#include <absl/strings/str_cat.h>

#include "coordinator/gateway/openai/api_error.h"

namespace enigma::coordinator {
namespace {

std::string EventOf(const Json& json) {
  return absl::StrCat("data: ", json.dump(-1, ' ', false, Json::error_handler_t::replace), "\n\n");
}

HttpHeaders HeadersOf(const enigma::v1::GenerateChunk& first) {
  HttpHeaders headers;
  if (!first.model().empty()) headers.emplace_back("x-enigma-model", first.model());
  std::string nodes;
  for (const std::string& node : first.nodes()) absl::StrAppend(&nodes, nodes.empty() ? "" : ",", node);
  if (!nodes.empty()) headers.emplace_back("x-enigma-node", nodes);
  return headers;
}

boost::asio::awaitable<absl::Status> AnswerWhole(HttpExchange& exchange, Choices& choices, const AnswerFormat& format,
                                                 const AnswerOptions& options) {
  std::vector<ChoiceText> texts(choices.size());
  HttpHeaders headers;
  while (!choices.done()) {
    const auto event = co_await choices.Next(absl::InfiniteDuration());
    if (!event) continue;
    if (event->end && !event->end->ok()) co_return *event->end;
    if (event->end) continue;
    if (headers.empty()) headers = HeadersOf(event->chunk);
    AddTo(texts[event->choice], event->chunk);
  }
  HttpReply reply;
  reply.body = format.whole(texts).dump(-1, ' ', false, Json::error_handler_t::replace);
  reply.headers = std::move(headers);
  if (options.begins) options.begins();
  co_await exchange.Reply(std::move(reply));
  co_return absl::OkStatus();
}

// What a chunk gives to a client that reads along.
std::string EventsOf(const AnswerFormat& format, const AnswerOptions& options, const Choices::Event& event,
                     ChoiceText& total, bool& begun) {
  std::string bytes;
  const auto add = [&](Json chunk) {
    // Who asked for usage finds the field in every chunk, and null before the last.
    if (options.include_usage) chunk["usage"] = nullptr;
    bytes += EventOf(chunk);
  };
  if (!begun) {
    begun = true;
    if (Json first = format.first(event.choice); !first.is_null()) add(std::move(first));
  }
  ChoiceText added;
  AddTo(added, event.chunk);
  total.prompt_tokens += added.prompt_tokens;
  total.completion_tokens += added.completion_tokens;
  if (!added.text.empty() || !added.logprobs.empty()) {
    for (Json& chunk : format.delta(event.choice, added)) add(std::move(chunk));
  }
  if (!added.finish_reason.empty()) {
    for (Json& chunk : format.last(event.choice, added.finish_reason)) add(std::move(chunk));
  }
  return bytes;
}

boost::asio::awaitable<absl::Status> AnswerEvents(HttpExchange& exchange, Choices& choices, const AnswerFormat& format,
                                                  const AnswerOptions& options) {
  std::vector<ChoiceText> totals(choices.size());
  std::vector<bool> begun(choices.size());
  bool open = false;
  bool has_chunks = false;
  while (!choices.done()) {
    const auto event = co_await choices.Next(options.ping);
    if (!event) {
      if (choices.done()) continue;
      // Proxies cut connections on which nothing moves, also those of requests that wait for their turn.
      if (!open) {
        open = true;
        HttpHeaders headers;
        if (!options.model.empty()) headers.emplace_back("x-enigma-model", options.model);
        co_await exchange.StartEvents(std::move(headers));
      }
      std::string ping = ": ping\n\n";
      if (!co_await exchange.SendEvents(std::move(ping))) co_return absl::OkStatus();
      continue;
    }
    if (event->end && !event->end->ok()) {
      if (!open) co_return *event->end;
      std::string bytes = absl::StrCat("data: ", ErrorJson(ErrorOf(*event->end)), "\n\n");
      co_await exchange.SendEvents(std::move(bytes));
      co_await exchange.EndEvents();
      co_return absl::OkStatus();
    }
    if (event->end) continue;
    if (!std::exchange(has_chunks, true) && options.begins) options.begins();
    if (!open) {
      open = true;
      HttpHeaders headers = HeadersOf(event->chunk);
      co_await exchange.StartEvents(std::move(headers));
    }
    bool has_begun = begun[event->choice];
    std::string bytes = EventsOf(format, options, *event, totals[event->choice], has_begun);
    begun[event->choice] = has_begun;
    if (!co_await exchange.SendEvents(std::move(bytes))) co_return absl::OkStatus();
  }
  std::string tail;
  if (options.include_usage) tail = EventOf(format.usage(UsageJson(totals, options.choices_per_prompt)));
  tail += "data: [DONE]\n\n";
  co_await exchange.SendEvents(std::move(tail));
  co_await exchange.EndEvents();
  co_return absl::OkStatus();
}

}  // namespace

void AddTo(ChoiceText& choice, const enigma::v1::GenerateChunk& chunk) {
  choice.text += chunk.text();
  if (!chunk.finish_reason().empty()) choice.finish_reason = chunk.finish_reason();
  choice.ids.insert(choice.ids.end(), chunk.ids().begin(), chunk.ids().end());
  choice.logprobs.insert(choice.logprobs.end(), chunk.logprobs().begin(), chunk.logprobs().end());
  choice.alternatives.insert(choice.alternatives.end(), chunk.alternatives().begin(), chunk.alternatives().end());
  choice.prompt_tokens += chunk.prompt_ids_size();
  choice.completion_tokens += chunk.ids_size();
}

Json UsageJson(const std::vector<ChoiceText>& choices, size_t choices_per_prompt) {
  int64_t prompt = 0;
  int64_t completion = 0;
  for (size_t i = 0; i < choices.size(); ++i) {
    if (i % choices_per_prompt == 0) prompt += choices[i].prompt_tokens;
    completion += choices[i].completion_tokens;
  }
  return {{"prompt_tokens", prompt}, {"completion_tokens", completion}, {"total_tokens", prompt + completion}};
}

AnswerOptions ReadAnswerOptions(Fields& fields) {
  AnswerOptions options;
  options.choices_per_prompt = static_cast<size_t>(fields.Integer("n", 1, kChoicesMost).value_or(1));
  options.stream = fields.Flag("stream");
  if (const Json& stream = fields.Any("stream_options"); !stream.is_null()) {
    Fields inner(stream, "stream_options");
    options.include_usage = inner.Flag("include_usage");
    inner.Ignore("include_obfuscation");
    fields.Adopt(inner.Finish());
    if (!options.stream) fields.Fail("stream_options", "it goes with stream: true only");
  }
  return options;
}

boost::asio::awaitable<absl::Status> Answer(HttpExchange& exchange, Choices& choices, AnswerFormat format,
                                            AnswerOptions options) {
  if (options.stream) co_return co_await AnswerEvents(exchange, choices, format, options);
  co_return co_await AnswerWhole(exchange, choices, format, options);
}

}  // namespace enigma::coordinator
