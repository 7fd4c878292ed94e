#pragma once

#include <functional>
#include <string>
#include <utility>  // for Boost 1.74, which forgets it
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "coordinator/gateway/openai/body.h"
#include "coordinator/gateway/openai/choices.h"

namespace enigma::coordinator {

// What was made of one choice so far.
struct ChoiceText {
  std::string text;
  std::string finish_reason;
  std::vector<int32_t> ids;
  std::vector<enigma::v1::TokenLogprob> logprobs;           // one per id, where asked for
  std::vector<enigma::v1::TokenAlternatives> alternatives;  // likewise
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
};
void AddTo(ChoiceText& choice, const enigma::v1::GenerateChunk& chunk);

// Usage of all choices together; the prompt of n choices counts once.
Json UsageJson(const std::vector<ChoiceText>& choices, size_t choices_per_prompt);

// How an endpoint puts choices into JSON.
struct AnswerFormat {
  // The whole answer. `choices` are complete.
  std::function<Json(const std::vector<ChoiceText>& choices)> whole;
  // Chunks of a stream: the first of a choice (null: none), those with what came, the last ones with the finish reason.
  std::function<Json(size_t choice)> first;
  std::function<std::vector<Json>(size_t choice, const ChoiceText& added)> delta;
  std::function<std::vector<Json>(size_t choice, const std::string& finish_reason)> last;
  std::function<Json(const Json& usage)> usage;  // the chunk behind all choices
};

struct AnswerOptions {
  bool stream = false;
  bool include_usage = false;
  size_t choices_per_prompt = 1;
  absl::Duration ping = absl::Seconds(15);  // after which a stream with nothing to say sends a comment
  std::string model = {};                   // that answers; for a stream that begins before it has said anything
  std::function<void()> begins = {};        // called before the first of the answer is sent; may be null
};

inline constexpr int64_t kChoicesMost = 16;  // that a request may ask for, or have compared

// The fields n, stream and stream_options, which completions and chat share.
AnswerOptions ReadAnswerOptions(Fields& fields);

// Runs the choices to their end and answers the exchange: whole, or event by event with pings while nothing comes. An
// error before the first event or ping is returned, and nothing was sent; later it is an event, and the stream ends
// without [DONE].
boost::asio::awaitable<absl::Status> Answer(HttpExchange& exchange, Choices& choices, AnswerFormat format,
                                            AnswerOptions options);

}  // namespace enigma::coordinator
