// POST /v1/chat/completions.
#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "coordinator/gateway/chat_messages.h"
#include "coordinator/gateway/chat_prompt.h"
#include "coordinator/gateway/openai/answer.h"
#include "coordinator/gateway/openai/chat_answer.h"
#include "coordinator/gateway/openai/endpoint.h"
#include "coordinator/gateway/openai/response_format.h"
#include "coordinator/gateway/openai/routed.h"
#include "coordinator/gateway/openai/sampling_fields.h"
#include "coordinator/gateway/openai/tools.h"
#include "coordinator/gateway/prompt.h"
#include "coordinator/gateway/request_pictures.h"

namespace enigma::coordinator {
namespace {

struct ChatPlan {
  enigma::v1::GenerateRequest request;  // without a prompt
  engine::ChatRequest chat;
  ToolChoice tools;
  AnswerOptions options;
  std::shared_ptr<RequestPictures> pictures;  // null: none; shared by the choices
  size_t body_bytes = 0;                      // without the pictures
  bool logprobs = false;
  size_t top_logprobs = 0;
};

void ReadLogprobs(Fields& fields, ChatPlan& plan) {
  plan.logprobs = fields.Flag("logprobs");
  const auto top = fields.Integer("top_logprobs", 0, 20);
  if (top && !plan.logprobs) fields.Fail("top_logprobs", "it goes with logprobs: true only");
  plan.top_logprobs = static_cast<size_t>(top.value_or(0));
  if (plan.logprobs) {
    plan.request.mutable_sampling()->set_top_logprobs(std::max<uint32_t>(1, static_cast<uint32_t>(plan.top_logprobs)));
  }
}

void ReadBudget(Fields& fields, ChatPlan& plan) {
  const auto old_name = fields.Integer("max_tokens", 1, kTokensMost);
  const auto new_name = fields.Integer("max_completion_tokens", 1, kTokensMost);
  if (old_name && new_name && *old_name != *new_name) {
    fields.Fail("max_tokens", "it and max_completion_tokens are two names of one thing, and differ");
  }
  // Without a budget an answer may fill the context.
  const int64_t budget = new_name.value_or(old_name.value_or(kTokensMost));
  plan.request.mutable_sampling()->set_max_tokens(static_cast<uint32_t>(budget));
}

// What this server does not do, and says so instead of leaving it out of the answer.
void RefuseUnsupported(Fields& fields) {
  fields.Refuse("functions", Json::array(), "this old form is not supported; describe the functions in tools");
  fields.Refuse("function_call", "none", "this old form is not supported; use tools and tool_choice");
  fields.Refuse("modalities", Json::array({"text"}), "this server answers in text");
  fields.Refuse("audio", Json(), "this server answers in text");
  fields.Refuse("prediction", Json(), "this server takes no predictions");
  fields.Refuse("web_search_options", Json(), "this server searches no web");
  fields.Refuse("reasoning_effort", Json(), "this server has no levels of effort");
  fields.Refuse("verbosity", Json(), "this server has no levels of verbosity");
  ReadUnsupported(fields);
}

absl::StatusOr<ChatPlan> ReadChatPlan(std::string_view text) {
  ENIGMA_ASSIGN_OR_RETURN(const Json body, ParseBody(text));
  Fields fields(body);
  ChatPlan plan;
  plan.body_bytes = text.size();
  plan.request.set_model(fields.Text("model"));
  if (plan.request.model().empty()) fields.Fail("model", "no model is named");
  std::vector<std::string> pictures;
  plan.chat.messages = ReadMessages(fields, pictures);
  size_t picture_bytes = 0;  // in base64
  for (const std::string& picture : pictures) picture_bytes += (picture.size() + 2) / 3 * 4;
  plan.body_bytes -= std::min(plan.body_bytes, picture_bytes);
  plan.pictures = RequestPictures::Make(std::move(pictures));
  *plan.request.mutable_sampling() = ReadSampling(fields);
  ReadResponseFormat(fields, *plan.request.mutable_sampling());
  plan.tools = ReadTools(fields);
  plan.chat.tools = plan.tools.tools;
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
  enigma::v1::GenerateRequest request;  // whole
  ToolPlan tools;
  TokenizerPtr tokenizer;
};

absl::StatusOr<Prepared> Prepare(ControlPlane& plane, const ChatPlan& plan) {
  ENIGMA_ASSIGN_OR_RETURN(const ModelPtr model, plane.models.Find(plan.request.model()));
  // A full queue is told before a prompt is made for it.
  absl::Status room = CheckRoom(plane, plan.request.model(), plan.request.priority());
  if (absl::IsResourceExhausted(room)) return room;
  ENIGMA_RETURN_IF_ERROR(CheckResponseFormat(plane, plan.request.sampling()));
  if (plan.pictures != nullptr) {
    ENIGMA_RETURN_IF_ERROR(plan.pictures->Admit(plane.intake, *model, plan.options.choices_per_prompt));
  }
  Prepared prepared;
  ENIGMA_ASSIGN_OR_RETURN(prepared.tokenizer, plane.files.Tokenizer(*model));
  prepared.request = plan.request;
  ENIGMA_ASSIGN_OR_RETURN(prepared.tools, MakeChatPrompt(plane, *model, *prepared.tokenizer, plan.chat, plan.tools,
                                                         plan.pictures != nullptr, prepared.request));
  return prepared;
}

AnswerFormat ChatFormat(const ChatPlan& plan, const Prepared& prepared) {
  ChatAnswerOptions options;
  options.model = plan.request.model();
  options.tokenizer = prepared.tokenizer;
  options.logprobs = plan.logprobs;
  options.top_logprobs = plan.top_logprobs;
  options.choices = plan.options.choices_per_prompt;
  options.make_reader = [tools = prepared.tools] { return tools.MakeReader(); };
  return ChatAnswerFormat(options);
}

// By the plan's model. An error: nothing was sent.
boost::asio::awaitable<absl::Status> AnswerChatBy(ApiContext& api, HttpExchange& exchange,
                                                  std::shared_ptr<ChatPlan> plan, Admission admission,
                                                  AnswerTurn turn) {
  auto prepared = std::make_shared<absl::StatusOr<Prepared>>(absl::CancelledError("not run"));
  std::function<void()> prepare = [&plane = api.plane, prepared, plan] { *prepared = Prepare(plane, *plan); };
  // Which schema calls of tools come to is known once the template is read.
  const bool compiles = plan->tools.Compiles(plan->request.sampling().has_json_schema());
  Executor& executor = compiles ? api.schema_executor : ExecutorFor(api, plan->request.sampling());
  absl::Status ran = co_await RunElsewhere(api, executor, exchange, std::move(prepare));
  if (ran.ok()) ran = prepared->status();
  if (!ran.ok()) co_return ran;
  Choices choices(api.plane, api.executor, exchange, admission.deadline, std::move(admission.lease));
  const AnswerFormat format = ChatFormat(*plan, **prepared);
  for (size_t i = 0; i < plan->options.choices_per_prompt; ++i) {
    enigma::v1::GenerateRequest one = (*prepared)->request;
    one.set_choice(static_cast<uint32_t>(i));
    choices.Start(
        {.starts_with_token = turn.routed, .pictures = plan->pictures, .choices = plan->options.choices_per_prompt},
        std::move(one));
  }
  plan->options.ping = api.ping;
  plan->options.model = plan->request.model();
  plan->options.begins = std::move(turn.begins);
  co_return co_await Answer(exchange, choices, format, plan->options);
}

}  // namespace

boost::asio::awaitable<void> ChatCompletions(ApiContext& api, HttpExchange& exchange) {
  absl::StatusOr<ChatPlan> read = co_await ReadBody(api, exchange, &ReadChatPlan);
  if (!read.ok()) co_return co_await ReplyError(exchange, read.status());
  const auto plan = std::make_shared<ChatPlan>(*std::move(read));  // shared with what prepares it
  EndpointAnswer how;
  how.model = plan->request.model();
  how.describe = [plan]() -> absl::StatusOr<RoutableRequest> {
    const bool wants_tools = plan->tools.mode != ToolChoice::Mode::kNone;
    return RoutableRequestOf(plan->chat.messages,
                             wants_tools ? plan->tools.tools.dump(-1, ' ', false, Json::error_handler_t::replace) : "");
  };
  how.use = [plan](const std::string& model) { plan->request.set_model(model); };
  how.admit = [&api, plan](bool routed) {
    // As long as the messages are, before the template has made a prompt of them.
    return AdmitRequests(api, std::span(&plan->request, 1),
                         EstimateTokens(plan->body_bytes, plan->request.sampling(), plan->options.choices_per_prompt),
                         routed);
  };
  how.answer = [&api, &exchange, plan](Admission admission, AnswerTurn turn) {
    return AnswerChatBy(api, exchange, plan, std::move(admission), std::move(turn));
  };
  co_await AnswerRouted(api, exchange, std::move(how));
}

}  // namespace enigma::coordinator
