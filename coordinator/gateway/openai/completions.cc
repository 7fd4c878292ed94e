// POST /v1/completions and the plain POST /generate.
#include <algorithm>
#include <functional>
#include <memory>
#include <span>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "base/status_macros.h"
#include "coordinator/gateway/openai/answer.h"
#include "coordinator/gateway/openai/body.h"
#include "coordinator/gateway/openai/endpoint.h"
#include "coordinator/gateway/openai/logprobs_json.h"
#include "coordinator/gateway/openai/response_format.h"
#include "coordinator/gateway/openai/routed.h"
#include "coordinator/gateway/openai/sampling_fields.h"
#include "coordinator/gateway/prompt.h"

namespace enigma::coordinator {
namespace {

constexpr size_t kPromptsMost = 64;
constexpr uint32_t kDefaultTokens = 16;  // OpenAI's

struct CompletionPlan {
  std::string model;
  std::vector<enigma::v1::GenerateRequest> prompts;
  bool echo = false;
  AnswerOptions options;
  bool logprobs = false;
  size_t top_logprobs = 0;
};

void ReadPrompt(const Json& prompt, Fields& fields, enigma::v1::GenerateRequest& request) {
  if (prompt.is_string()) {
    request.set_prompt(prompt.get<std::string>());
    return;
  }
  for (const Json& id : prompt) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() > kTokensMost) {
      return fields.Fail("prompt", "a list of token ids holds something else");
    }
    request.mutable_prompt_ids()->add_ids(id.get<int32_t>());
  }
}

void ReadPrompts(Fields& fields, const enigma::v1::GenerateRequest& shared, CompletionPlan& plan) {
  const Json& prompt = fields.Any("prompt");
  const bool one = prompt.is_string() || IsTokenIds(prompt);
  if (!one && !(prompt.is_array() && !prompt.empty())) {
    return fields.Fail("prompt", "a string, a list of token ids, or a list of these is wanted");
  }
  const Json list = one ? Json::array({prompt}) : prompt;
  if (list.size() > kPromptsMost)
    return fields.Fail("prompt", absl::StrCat("at most ", kPromptsMost, " prompts at once"));
  for (const Json& item : list) {
    if (!item.is_string() && !IsTokenIds(item))
      return fields.Fail("prompt", "each prompt is a string or a list of token ids");
    ReadPrompt(item, fields, plan.prompts.emplace_back(shared));
  }
}

absl::StatusOr<CompletionPlan> ReadCompletionPlan(std::string_view text) {
  absl::StatusOr<Json> body = ParseBody(text);
  if (!body.ok()) return body.status();
  Fields fields(*body);
  CompletionPlan plan;
  plan.model = fields.Text("model");
  if (plan.model.empty()) fields.Fail("model", "no model is named");
  enigma::v1::GenerateRequest shared;
  shared.set_model(plan.model);
  *shared.mutable_sampling() = ReadSampling(fields);
  ReadResponseFormat(fields, *shared.mutable_sampling());
  shared.set_priority(ReadPriority(fields));
  const auto budget = fields.Integer("max_tokens", 1, kTokensMost);
  shared.mutable_sampling()->set_max_tokens(budget ? static_cast<uint32_t>(*budget) : kDefaultTokens);
  if (const auto top = fields.Integer("logprobs", 0, 5)) {
    plan.logprobs = true;
    plan.top_logprobs = static_cast<size_t>(*top);
    shared.mutable_sampling()->set_top_logprobs(std::max<uint32_t>(1, static_cast<uint32_t>(*top)));
  }
  plan.options = ReadAnswerOptions(fields);
  plan.echo = fields.Flag("echo");
  if (plan.echo && plan.logprobs) {
    fields.Fail("logprobs",
                "beside echo they would be those of the prompt's tokens, too, which this server does not "
                "compute; leave logprobs or echo out");
  }
  if (const auto best = fields.Integer("best_of", 1, kChoicesMost);
      best && *best != static_cast<int64_t>(plan.options.choices_per_prompt)) {
    fields.Fail("best_of", "this server returns every choice it makes; leave it out or give what n says");
  }
  fields.Refuse("suffix", "", "this server cannot fill in before a suffix");
  ReadUnsupported(fields);
  ReadPrompts(fields, shared, plan);
  if (const absl::Status status = fields.Finish(); !status.ok()) return status;
  return plan;
}

// What stands before the answers to each prompt, where asked for; a prompt of ids is shown as its text.
// INVALID_ARGUMENT for ids that have none.
absl::StatusOr<std::vector<std::string>> EchoesOf(const CompletionPlan& plan, const TokenizerPtr& tokenizer) {
  std::vector<std::string> echoes(plan.prompts.size());
  if (!plan.echo) return echoes;
  for (size_t i = 0; i < plan.prompts.size(); ++i) {
    const enigma::v1::GenerateRequest& prompt = plan.prompts[i];
    if (!prompt.has_prompt_ids()) {
      echoes[i] = prompt.prompt();
      continue;
    }
    const auto& ids = prompt.prompt_ids().ids();
    ENIGMA_RETURN_IF_ERROR(CheckIds("prompt", ids, tokenizer->vocab_size(), plan.model));
    echoes[i] = engine::Decode(*tokenizer, {ids.begin(), ids.end()});
  }
  return echoes;
}

// `tokenizer` may be null where no log probabilities are asked for.
AnswerFormat CompletionFormat(const CompletionPlan& plan, TokenizerPtr tokenizer, std::vector<std::string> echoes) {
  const Json head = {{"id", NewAnswerId("cmpl-")},
                     {"object", "text_completion"},
                     {"created", absl::ToUnixSeconds(absl::Now())},
                     {"model", plan.model}};
  const auto choice_json = [](size_t index, const std::string& text, const Json& logprobs, const Json& finish) {
    return Json{{"text", text}, {"index", index}, {"logprobs", logprobs}, {"finish_reason", finish}};
  };
  const auto logprobs_json = [tokenizer, wanted = plan.logprobs, top = plan.top_logprobs](const ChoiceText& choice,
                                                                                          size_t& offset) {
    return wanted ? CompletionLogprobs(choice, *tokenizer, top, offset) : Json();
  };
  const auto echo_of = [echoes = std::move(echoes), n = plan.options.choices_per_prompt](size_t choice) {
    return echoes[choice / n];
  };
  const auto chunk = [head, choice_json](size_t index, const std::string& text, const Json& logprobs,
                                         const Json& finish) {
    Json json = head;
    json["choices"] = Json::array({choice_json(index, text, logprobs, finish)});
    return json;
  };
  AnswerFormat format;
  format.whole = [=, n = plan.options.choices_per_prompt](const std::vector<ChoiceText>& choices) {
    Json json = head;
    json["choices"] = Json::array();
    for (size_t i = 0; i < choices.size(); ++i) {
      size_t offset = 0;
      const Json logprobs = logprobs_json(choices[i], offset);
      json["choices"].push_back(choice_json(i, echo_of(i) + choices[i].text, logprobs, choices[i].finish_reason));
    }
    json["usage"] = UsageJson(choices, n);
    return json;
  };
  format.first = [=](size_t choice) {
    return echo_of(choice).empty() ? Json() : chunk(choice, echo_of(choice), Json(), Json());
  };
  // Of the next token of each choice.
  std::vector<size_t> offsets(plan.prompts.size() * plan.options.choices_per_prompt);
  format.delta = [=](size_t choice, const ChoiceText& added) mutable {
    const Json logprobs = logprobs_json(added, offsets[choice]);
    return std::vector{chunk(choice, added.text, logprobs, Json())};
  };
  format.last = [=](size_t choice, const std::string& reason) {
    return std::vector{chunk(choice, "", Json(), reason)};
  };
  format.usage = [=](const Json& usage) {
    Json json = head;
    json["choices"] = Json::array();
    json["usage"] = usage;
    return json;
  };
  return format;
}

absl::StatusOr<enigma::v1::GenerateRequest> ReadPlain(ControlPlane& plane, const Caller& caller,
                                                      std::string_view text) {
  ENIGMA_ASSIGN_OR_RETURN(const Json body, ParseBody(text));
  Fields fields(body);
  enigma::v1::GenerateRequest request;
  request.set_model(fields.Text("model"));
  if (request.model().empty()) {
    // The plain form needs no model where only one answers.
    std::vector<ModelPtr> models = plane.models.List();
    std::erase_if(models, [&caller](const ModelPtr& model) { return !caller.MayUse(model->name); });
    if (models.size() == 1) request.set_model(models[0]->name);
  }
  if (request.model().empty()) fields.Fail("model", "several models are here, or none; name one");
  request.set_prompt(fields.Text("prompt"));
  *request.mutable_sampling() = ReadSampling(fields);
  request.set_priority(ReadPriority(fields));
  if (const auto budget = fields.Integer("max_gen", 1, kTokensMost)) {
    request.mutable_sampling()->set_max_tokens(static_cast<uint32_t>(*budget));
  }
  ENIGMA_RETURN_IF_ERROR(fields.Finish());
  return request;
}

boost::asio::awaitable<absl::Status> CheckFormat(ApiContext& api, HttpExchange& exchange,
                                                 const enigma::v1::SamplingParams& sampling) {
  if (!sampling.has_json_schema()) co_return absl::OkStatus();
  auto checked = std::make_shared<absl::Status>();
  std::function<void()> check = [&plane = api.plane, checked, sampling] {
    *checked = CheckResponseFormat(plane, sampling);
  };
  const absl::Status ran = co_await RunElsewhere(api, ExecutorFor(api, sampling), exchange, std::move(check));
  co_return ran.ok() ? *checked : ran;
}

// By the plan's model. An error: nothing was sent.
boost::asio::awaitable<absl::Status> AnswerCompletionBy(ApiContext& api, HttpExchange& exchange,
                                                        std::shared_ptr<CompletionPlan> plan, Admission admission,
                                                        AnswerTurn turn) {
  absl::StatusOr<TokenizerPtr> tokenizer = TokenizerPtr();
  if (plan->logprobs || plan->echo) tokenizer = TokenizerOf(api.plane, plan->model);
  absl::StatusOr<std::vector<std::string>> echoes = tokenizer.ok() ? EchoesOf(*plan, *tokenizer) : tokenizer.status();
  absl::Status ready = echoes.status();
  if (ready.ok()) ready = co_await CheckFormat(api, exchange, plan->prompts[0].sampling());
  if (!ready.ok()) co_return ready;
  Choices choices(api.plane, api.executor, exchange, admission.deadline, std::move(admission.lease));
  const AnswerFormat format = CompletionFormat(*plan, *tokenizer, *std::move(echoes));
  for (const enigma::v1::GenerateRequest& prompt : plan->prompts) {
    for (size_t i = 0; i < plan->options.choices_per_prompt; ++i) {
      enigma::v1::GenerateRequest request = prompt;
      request.set_choice(static_cast<uint32_t>(i));
      choices.Start({.starts_with_token = turn.routed}, std::move(request));
    }
  }
  plan->options.ping = api.ping;
  plan->options.model = plan->model;
  plan->options.begins = std::move(turn.begins);
  co_return co_await Answer(exchange, choices, format, plan->options);
}

// Several prompts go to one model: to that of the first.
absl::StatusOr<RoutableRequest> Describe(const CompletionPlan& plan) {
  for (const enigma::v1::GenerateRequest& prompt : plan.prompts) {
    if (prompt.has_prompt_ids()) return RoutableRequestOf(prompt);
  }
  return RoutableRequestOf(plan.prompts.front());
}

// The plain form: one prompt, answered whole.
boost::asio::awaitable<absl::Status> AnswerPlainBy(ApiContext& api, HttpExchange& exchange,
                                                   std::shared_ptr<enigma::v1::GenerateRequest> request,
                                                   Admission admission, AnswerTurn turn) {
  AnswerFormat format;
  format.whole = [model = request->model()](const std::vector<ChoiceText>& choices) {
    return Json{{"model", model},
                {"text", choices[0].text},
                {"finish_reason", choices[0].finish_reason},
                {"prompt_tokens", choices[0].prompt_tokens},
                {"completion_tokens", choices[0].completion_tokens}};
  };
  Choices choices(api.plane, api.executor, exchange, admission.deadline, std::move(admission.lease));
  choices.Start({.starts_with_token = turn.routed}, *request);
  AnswerOptions options;
  options.begins = std::move(turn.begins);
  co_return co_await Answer(exchange, choices, std::move(format), std::move(options));
}

}  // namespace

boost::asio::awaitable<void> Completions(ApiContext& api, HttpExchange& exchange) {
  absl::StatusOr<CompletionPlan> read = co_await ReadBody(api, exchange, &ReadCompletionPlan);
  if (!read.ok()) co_return co_await ReplyError(exchange, read.status());
  const auto plan = std::make_shared<CompletionPlan>(*std::move(read));
  EndpointAnswer how;
  how.model = plan->model;
  how.describe = [plan] { return Describe(*plan); };
  how.use = [plan](const std::string& model) {
    plan->model = model;
    for (enigma::v1::GenerateRequest& prompt : plan->prompts) prompt.set_model(model);
  };
  how.admit = [&api, plan](bool routed) {
    uint64_t tokens = 0;
    for (const enigma::v1::GenerateRequest& prompt : plan->prompts) {
      tokens += EstimateTokens(prompt, plan->options.choices_per_prompt);
    }
    return AdmitRequests(api, std::span(plan->prompts), tokens, routed);
  };
  how.answer = [&api, &exchange, plan](Admission admission, AnswerTurn turn) {
    return AnswerCompletionBy(api, exchange, plan, std::move(admission), std::move(turn));
  };
  co_await AnswerRouted(api, exchange, std::move(how));
}

boost::asio::awaitable<void> PlainGenerate(ApiContext& api, HttpExchange& exchange) {
  auto read = [&plane = api.plane, caller = api.caller](std::string_view body) {
    return ReadPlain(plane, caller, body);
  };
  absl::StatusOr<enigma::v1::GenerateRequest> was_read = co_await ReadBody(api, exchange, std::move(read));
  if (!was_read.ok()) co_return co_await ReplyError(exchange, was_read.status());
  const auto request = std::make_shared<enigma::v1::GenerateRequest>(*std::move(was_read));
  EndpointAnswer how;
  how.model = request->model();
  how.describe = [request] { return RoutableRequestOf(*request); };
  how.use = [request](const std::string& model) { request->set_model(model); };
  how.admit = [&api, request](bool routed) {
    return AdmitRequests(api, std::span(request.get(), 1), EstimateTokens(*request), routed);
  };
  how.answer = [&api, &exchange, request](Admission admission, AnswerTurn turn) {
    return AnswerPlainBy(api, exchange, request, std::move(admission), std::move(turn));
  };
  co_await AnswerRouted(api, exchange, std::move(how));
}

}  // namespace enigma::coordinator
