#include "coordinator/gateway/openai/chat_answer.h"

#include <utility>
#include <vector>

#include <absl/time/clock.h>

#include "coordinator/gateway/openai/endpoint.h"
#include "coordinator/gateway/openai/logprobs_json.h"

namespace enigma::coordinator {
namespace {

// The answers of one request while they are made. Belongs to the connection's strand.
class ChatAnswer {
 public:
  explicit ChatAnswer(const ChatAnswerOptions& options)
      : options_(options),
        id_(NewAnswerId("chatcmpl-")),
        created_(absl::ToUnixSeconds(absl::Now())),
        calls_(options.choices),
        readers_(options.choices) {
    for (auto& reader : readers_) reader = options_.make_reader ? options_.make_reader() : nullptr;
  }

  Json Whole(const std::vector<ChoiceText>& choices) {
    Json json = Head("chat.completion");
    json["choices"] = Json::array();
    for (size_t i = 0; i < choices.size(); ++i) {
      json["choices"].push_back(Json{{"index", i},
                                     {"message", MessageOf(i, choices[i].text)},
                                     {"logprobs", Logprobs(choices[i])},
                                     {"finish_reason", ReasonOf(i, choices[i].finish_reason)}});
    }
    json["usage"] = UsageJson(choices, choices.size());
    return json;
  }

  Json First(size_t choice) const {
    // Where calls may come, clients put the content together from null.
    const Json content = readers_[choice] == nullptr ? Json("") : Json();
    return Chunk(choice, Json{{"role", "assistant"}, {"content", content}}, Json(), Json());
  }

  std::vector<Json> Delta(size_t choice, const ChoiceText& added) {
    std::vector<Json> deltas;
    if (readers_[choice] == nullptr) {
      deltas.push_back(Json{{"content", added.text}});
    } else {
      deltas = DeltasOf(choice, readers_[choice]->Add(added.text));
    }
    const Json logprobs = Logprobs(added);
    if (deltas.empty() && !logprobs.is_null()) deltas.push_back(Json::object());
    std::vector<Json> chunks;
    for (size_t i = 0; i < deltas.size(); ++i) {
      chunks.push_back(Chunk(choice, deltas[i], i == 0 ? logprobs : Json(), Json()));
    }
    return chunks;
  }

  std::vector<Json> Last(size_t choice, const std::string& reason) {
    std::vector<Json> chunks;
    if (readers_[choice] != nullptr) {
      for (const Json& delta : DeltasOf(choice, readers_[choice]->Finish())) {
        chunks.push_back(Chunk(choice, delta, Json(), Json()));
      }
    }
    chunks.push_back(Chunk(choice, Json::object(), Json(), ReasonOf(choice, reason)));
    return chunks;
  }

  Json Usage(const Json& usage) const {
    Json json = Head("chat.completion.chunk");
    json["choices"] = Json::array();
    json["usage"] = usage;
    return json;
  }

 private:
  Json Head(const char* object) const {
    return {{"id", id_}, {"object", object}, {"created", created_}, {"model", options_.model}};
  }

  Json Chunk(size_t index, const Json& delta, const Json& logprobs, const Json& finish) const {
    Json json = Head("chat.completion.chunk");
    json["choices"] =
        Json::array({Json{{"index", index}, {"delta", delta}, {"logprobs", logprobs}, {"finish_reason", finish}}});
    return json;
  }

  Json Logprobs(const ChoiceText& choice) const {
    if (!options_.logprobs || choice.logprobs.empty()) return {};
    return ChatLogprobs(choice, *options_.tokenizer, options_.top_logprobs);
  }

  // A length that cuts a call off stays one.
  std::string ReasonOf(size_t choice, const std::string& reason) const {
    return reason == "stop" && calls_[choice] > 0 ? "tool_calls" : reason;
  }

  std::vector<Json> DeltasOf(size_t choice, const engine::ToolOutput& output) {
    std::vector<Json> deltas;
    if (!output.content.empty()) deltas.push_back(Json{{"content", output.content}});
    const auto add = [&deltas](Json call) { deltas.push_back(Json{{"tool_calls", Json::array({std::move(call)})}}); };
    for (const engine::ToolOutput::Piece& piece : output.calls) {
      if (!piece.name.empty()) {
        ++calls_[choice];
        add({{"index", piece.call},
             {"id", NewAnswerId("call_")},
             {"type", "function"},
             {"function", {{"name", piece.name}, {"arguments", ""}}}});
      }
      if (!piece.arguments.empty()) add({{"index", piece.call}, {"function", {{"arguments", piece.arguments}}}});
    }
    return deltas;
  }

  Json MessageOf(size_t choice, const std::string& text) {
    Json message = {{"role", "assistant"}, {"content", text}, {"refusal", nullptr}};
    if (readers_[choice] == nullptr) return message;
    std::string content;
    Json calls = Json::array();
    for (const engine::ToolOutput& output : {readers_[choice]->Add(text), readers_[choice]->Finish()}) {
      content += output.content;
      for (const engine::ToolOutput::Piece& piece : output.calls) {
        if (!piece.name.empty()) {
          ++calls_[choice];
          calls.push_back({{"id", NewAnswerId("call_")},
                           {"type", "function"},
                           {"function", {{"name", piece.name}, {"arguments", ""}}}});
        }
        std::string& arguments = calls.back()["function"]["arguments"].get_ref<std::string&>();
        arguments += piece.arguments;
      }
    }
    message["content"] = content.empty() && !calls.empty() ? Json() : Json(content);
    if (!calls.empty()) message["tool_calls"] = std::move(calls);
    return message;
  }

  const ChatAnswerOptions options_;
  const std::string id_;
  const int64_t created_;
  std::vector<size_t> calls_;  // of each choice, so far
  std::vector<std::unique_ptr<engine::CallReader>> readers_;
};

}  // namespace

AnswerFormat ChatAnswerFormat(const ChatAnswerOptions& options) {
  const auto answer = std::make_shared<ChatAnswer>(options);  // shared by the functions
  AnswerFormat format;
  format.whole = [=](const std::vector<ChoiceText>& choices) { return answer->Whole(choices); };
  format.first = [=](size_t choice) { return answer->First(choice); };
  format.delta = [=](size_t choice, const ChoiceText& added) { return answer->Delta(choice, added); };
  format.last = [=](size_t choice, const std::string& reason) { return answer->Last(choice, reason); };
  format.usage = [=](const Json& usage) { return answer->Usage(usage); };
  return format;
}

}  // namespace enigma::coordinator
