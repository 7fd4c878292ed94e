#include "coordinator/gateway/openai/logprobs_json.h"

#include <algorithm>

#include "base/status_macros.h"

namespace enigma::coordinator {
namespace {

// Log probabilities of tokens that cannot be are -inf, which JSON has no word for.
double Finite(float logprob) { return std::max(static_cast<double>(logprob), -9999.0); }

Json BytesJson(const std::string& bytes) {
  Json list = Json::array();
  for (const char byte : bytes) list.push_back(static_cast<unsigned char>(byte));
  return list;
}

Json TokenJson(const enigma::v1::TokenLogprob& token, const engine::Tokenizer& tokenizer) {
  const std::string bytes = tokenizer.TokenBytes(token.id(), /*render_special=*/true);
  return {{"token", bytes}, {"logprob", Finite(token.logprob())}, {"bytes", BytesJson(bytes)}};
}

// Characters that begin in these bytes of UTF-8: a token may hold a part of one.
size_t CharactersIn(std::string_view bytes) {
  const auto begins = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; };
  return static_cast<size_t>(std::count_if(bytes.begin(), bytes.end(), begins));
}

}  // namespace

Json CompletionLogprobs(const ChoiceText& choice, const engine::Tokenizer& tokenizer, size_t top, size_t& offset) {
  Json json = {{"tokens", Json::array()},
               {"token_logprobs", Json::array()},
               {"top_logprobs", Json::array()},
               {"text_offset", Json::array()}};
  for (size_t i = 0; i < choice.logprobs.size(); ++i) {
    const std::string token = tokenizer.TokenBytes(choice.logprobs[i].id(), /*render_special=*/true);
    const double logprob = Finite(choice.logprobs[i].logprob());
    json["tokens"].push_back(token);
    json["token_logprobs"].push_back(logprob);
    Json alternatives = Json::object();
    if (i < choice.alternatives.size()) {
      for (const auto& other : choice.alternatives[i].top()) {
        if (alternatives.size() == top) break;
        alternatives[tokenizer.TokenBytes(other.id(), /*render_special=*/true)] = Finite(other.logprob());
      }
    }
    alternatives[token] = logprob;
    json["top_logprobs"].push_back(std::move(alternatives));
    json["text_offset"].push_back(offset);
    offset += CharactersIn(token);
  }
  return json;
}

Json ChatLogprobs(const ChoiceText& choice, const engine::Tokenizer& tokenizer, size_t top) {
  Json content = Json::array();
  for (size_t i = 0; i < choice.logprobs.size(); ++i) {
    Json token = TokenJson(choice.logprobs[i], tokenizer);
    token["top_logprobs"] = Json::array();
    if (i < choice.alternatives.size()) {
      for (const auto& other : choice.alternatives[i].top()) {
        if (token["top_logprobs"].size() < top) token["top_logprobs"].push_back(TokenJson(other, tokenizer));
      }
    }
    content.push_back(std::move(token));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

absl::StatusOr<TokenizerPtr> TokenizerOf(ControlPlane& plane, std::string_view model) {
  ENIGMA_ASSIGN_OR_RETURN(const ModelPtr found, plane.models.Find(model));
  return plane.files.Tokenizer(*found);
}

}  // namespace enigma::coordinator
