// POST /v1/chat/completions.
#include <memory>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "base/status_macros.h"
#include "coordinator/gateway/openai/answer.h"
#include "coordinator/gateway/openai/chat_messages.h"
#include "coordinator/gateway/openai/endpoint.h"
#include "coordinator/gateway/openai/logprobs_json.h"
#include "coordinator/gateway/openai/sampling_fields.h"

namespace enigma::coordinator {
namespace {

constexpr int64_t kTokensMost = INT32_MAX;

struct Plan {
  enigma::v1::GenerateRequest request;  // without a prompt
  engine::ChatRequest chat;
  AnswerOptions options;
  bool logprobs = false;
  size_t top_logprobs = 0;
};

void ReadLogprobs(Fields& fields, Plan& plan) {
  plan.logprobs = fields.Flag("logprobs");
  const auto top = fields.Integer("top_logprobs", 0, 20);
  if (top && !plan.logprobs) fields.Fail("top_logprobs", "it goes with logprobs: true only");
  plan.top_logprobs = static_cast<size_t>(top.value_or(0));
  if (plan.logprobs) {
    plan.request.mutable_sampling()->set_top_logprobs(std::max<uint32_t>(1, static_cast<uint32_t>(plan.top_logprobs)));
  }
}

void ReadBudget(Fields& fields, Plan& plan) {
  const auto old_name = fields.Integer("max_tokens", 1, kTokensMost);
  const auto new_name = fields.Integer("max_completion_tokens", 1, kTokensMost);
  if (old_name && new_name && *old_name != *new_name) {
    fields.Fail("max_tokens", "it and max_completion_tokens are two names of one thing, and differ");
  }
  // Without a budget an answer may fill the context.
  const int64_t budget = new_name.value_or(old_name.value_or(kTokensMost));
  plan.request.mutable_sampling()->set_max_tokens(static_cast<uint32_t>(budget));
}

// What this server has not learned yet, and says so instead of leaving it out of the answer.
void RefuseUnsupported(Fields& fields) {
  fields.Refuse("tools", Json::array(), "this server does not read tool calls out of answers yet");
  fields.Refuse("tool_choice", "none", "this server does not read tool calls out of answers yet");
  fields.Refuse("functions", Json::array(), "this server does not read function calls out of answers");
  fields.Refuse("function_call", "none", "this server does not read function calls out of answers");
  fields.Refuse("response_format", Json{{"type", "text"}}, "this server does not hold answers to a format yet");
  fields.Refuse("modalities", Json::array({"text"}), "this server answers in text");
  fields.Refuse("audio", Json(), "this server answers in text");
  fields.Refuse("prediction", Json(), "this server takes no predictions");
  fields.Refuse("web_search_options", Json(), "this server searches no web");
  fields.Refuse("reasoning_effort", Json(), "this server has no levels of effort");
  fields.Refuse("verbosity", Json(), "this server has no levels of verbosity");
  fields.Ignore("parallel_tool_calls");
  ReadUnsupported(fields);
}

absl::StatusOr<Plan> ReadPlan(const HttpRequest& http) {
  ENIGMA_ASSIGN_OR_RETURN(const Json body, ParseBody(http.body));
  Fields fields(body);
  Plan plan;
  plan.request.set_model(fields.Text("model"));
  if (plan.request.model().empty()) fields.Fail("model", "no model is named");
  plan.chat.messages = ReadMessages(fields);
  *plan.request.mutable_sampling() = ReadSampling(fields);
  plan.request.set_priority(ReadPriority(fields));
  ReadBudget(fields, plan);
  ReadLogprobs(fields, plan);
  plan.options = ReadAnswerOptions(fields);
  plan.chat.variables = fields.Any("chat_template_kwargs");
  if (!plan.chat.variables.is_null() && !plan.chat.variables.is_object()) {
    fields.Fail("chat_template_kwargs", "an object is wanted");
  }
  RefuseUnsupported(fields);
  ENIGMA_RETURN_IF_ERROR(fields.Finish());
  return plan;
}

// What needs the model's files: the prompt, and the tokenizer where log probabilities want their texts.
struct Prepared {
  std::string prompt;
  TokenizerPtr tokenizer;
};

absl::StatusOr<Prepared> Prepare(ControlPlane& plane, const std::string& name, enigma::v1::Priority priority,
                                 const engine::ChatRequest& chat) {
  ENIGMA_ASSIGN_OR_RETURN(const ModelPtr model, plane.models.Find(name));
  ENIGMA_ASSIGN_OR_RETURN(const ChatTemplatePtr chat_template, plane.files.Chat(*model));
  // A full queue is told before a prompt is made for it.
  if (absl::Status room = plane.dispatcher.Admits(name, priority); absl::IsResourceExhausted(room)) return room;
  Prepared prepared;
  const absl::StatusOr<std::string> prompt = chat_template->Render(chat);
  if (!prompt.ok()) {
    return absl::Status(prompt.status().code(), absl::StrCat("messages: ", prompt.status().message()));
  }
  prepared.prompt = *prompt;
  ENIGMA_ASSIGN_OR_RETURN(prepared.tokenizer, plane.files.Tokenizer(*model));
  return prepared;
}

AnswerFormat FormatOf(const Plan& plan, TokenizerPtr tokenizer) {
  const std::string id = NewAnswerId("chatcmpl-");
  const auto head = [id, created = absl::ToUnixSeconds(absl::Now()), model = plan.request.model()](const char* object) {
    return Json{{"id", id}, {"object", object}, {"created", created}, {"model", model}};
  };
  const auto logprobs = [tokenizer, wanted = plan.logprobs, top = plan.top_logprobs](const ChoiceText& choice) {
    return wanted ? ChatLogprobs(choice, *tokenizer, top) : Json();
  };
  const auto chunk = [head](size_t index, const Json& delta, const Json& probabilities, const Json& finish) {
    Json json = head("chat.completion.chunk");
    json["choices"] =
        Json::array({Json{{"index", index}, {"delta", delta}, {"logprobs", probabilities}, {"finish_reason", finish}}});
    return json;
  };
  AnswerFormat format;
  format.whole = [=, n = plan.options.choices_per_prompt](const std::vector<ChoiceText>& choices) {
    Json json = head("chat.completion");
    json["choices"] = Json::array();
    for (size_t i = 0; i < choices.size(); ++i) {
      const Json message = {{"role", "assistant"}, {"content", choices[i].text}, {"refusal", nullptr}};
      json["choices"].push_back(Json{{"index", i},
                                     {"message", message},
                                     {"logprobs", logprobs(choices[i])},
                                     {"finish_reason", choices[i].finish_reason}});
    }
    json["usage"] = UsageJson(choices, n);
    return json;
  };
  format.first = [=](size_t choice) {
    return chunk(choice, Json{{"role", "assistant"}, {"content", ""}}, Json(), Json());
  };
  format.delta = [=](size_t choice, const ChoiceText& added) {
    return chunk(choice, Json{{"content", added.text}}, logprobs(added), Json());
  };
  format.last = [=](size_t choice, const std::string& reason) { return chunk(choice, Json::object(), Json(), reason); };
  format.usage = [=](const Json& usage) {
    Json json = head("chat.completion.chunk");
    json["choices"] = Json::array();
    json["usage"] = usage;
    return json;
  };
  return format;
}

}  // namespace

boost::asio::awaitable<void> ChatCompletions(ApiContext& api, HttpExchange& exchange) {
  absl::StatusOr<Plan> plan = ReadPlan(exchange.request());
  if (!plan.ok()) co_return co_await ReplyError(exchange, plan.status());
  absl::Status settled = SettlePriority(api.caller, plan->request);
  if (!settled.ok()) co_return co_await ReplyError(exchange, std::move(settled));
  const absl::StatusOr<absl::Duration> deadline = DeadlineOf(api, exchange.request());
  if (!deadline.ok()) co_return co_await ReplyError(exchange, deadline.status());
  // As long as the messages are, before the template has made a prompt of them.
  enigma::v1::GenerateRequest estimated = plan->request;
  estimated.set_prompt(exchange.request().body);
  absl::StatusOr<KeyLease> lease =
      AdmitRequest(api, plan->request.model(), EstimateTokens(estimated) * plan->options.choices_per_prompt);
  if (!lease.ok()) co_return co_await ReplyError(exchange, lease.status());

  auto prepared = std::make_shared<absl::StatusOr<Prepared>>(absl::CancelledError("not run"));
  std::function<void()> prepare = [&plane = api.plane, prepared, model = plan->request.model(),
                                   priority = plan->request.priority(),
                                   chat = plan->chat] { *prepared = Prepare(plane, model, priority, chat); };
  absl::Status ran = co_await RunElsewhere(api, exchange, std::move(prepare));
  if (ran.ok()) ran = prepared->status();
  if (!ran.ok()) {
    lease->End(0);  // before the client hears of it and asks again
    co_return co_await ReplyError(exchange, std::move(ran));
  }
  enigma::v1::GenerateRequest& request = plan->request;
  request.set_prompt((*prepared)->prompt);
  request.set_parse_special(true);
  request.set_has_specials(true);
  Choices choices(api.plane, api.executor, exchange, *deadline, *std::move(lease));
  const AnswerFormat format = FormatOf(*plan, (*prepared)->tokenizer);
  for (size_t i = 0; i < plan->options.choices_per_prompt; ++i) {
    enigma::v1::GenerateRequest one = request;
    one.set_choice(static_cast<uint32_t>(i));
    choices.Start({}, std::move(one));
  }
  co_await Answer(exchange, choices, format, plan->options);
}

}  // namespace enigma::coordinator
