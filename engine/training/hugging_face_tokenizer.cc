// The forms of tokenizer.json and tokenizer_config.json: https://huggingface.co/docs/tokenizers and
// https://huggingface.co/docs/transformers/main_classes/tokenizer.

#include "engine/training/hugging_face_tokenizer.h"

#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/spec/gguf_cursor.h"
#include "engine/text/pre_tokenizer_table.h"
#include "engine/text/vocabulary.h"

namespace enigma::engine {
namespace {

using Json = nlohmann::ordered_json;

// The text of the token that a key names; nothing where it names none.
std::optional<std::string> TextOfId(const GgufMetadata& tokenizer, const char* key) {
  const auto id = tokenizer.Uint(key);
  const auto tokens = tokenizer.Array("tokenizer.ggml.tokens");
  if (!id.ok() || !tokens.ok() || *id >= (*tokens)->strings.size()) return std::nullopt;
  return (*tokens)->strings[*id];
}

Json ByteLevel() {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
}

// The patterns one after another, as here: what matches is a piece, and so is what lies between.
Json PreTokenizerOf(const PreTokenizerRule& rule) {
  Json steps = Json::array();
  for (const std::string& pattern : rule.patterns) {
    steps.push_back(
        {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}});
  }
  steps.push_back(ByteLevel());
  return {{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
}

// Puts BOS before a text where the vocabulary says so; else nothing.
Json PostProcessorOf(const GgufMetadata& tokenizer, bool add_bos) {
  const auto bos = TextOfId(tokenizer, "tokenizer.ggml.bos_token_id");
  if (!add_bos || !bos) return ByteLevel();
  const Json first = {{"SpecialToken", {{"id", *bos}, {"type_id", 0}}}};
  const auto text = [](const char* id, int type) { return Json{{"Sequence", {{"id", id}, {"type_id", type}}}}; };
  Json special = Json::object();
  special[*bos] = {{"id", *bos}, {"ids", {tokenizer.UintOr("tokenizer.ggml.bos_token_id", 0)}}, {"tokens", {*bos}}};
  return {{"type", "TemplateProcessing"},
          {"single", Json::array({first, text("A", 0)})},
          {"pair", Json::array({first, text("A", 0), text("B", 1)})},
          {"special_tokens", std::move(special)}};
}

struct Tokens {
  Json vocabulary = Json::object();  // text to id
  Json added = Json::array();        // found as whole strings, before anything is cut
};

absl::StatusOr<Tokens> TokensOf(const GgufMetadata& tokenizer) {
  ENIGMA_ASSIGN_OR_RETURN(const GgufArray* texts, tokenizer.Array("tokenizer.ggml.tokens"));
  const auto types = tokenizer.Array("tokenizer.ggml.token_type");
  // A plain object that is filled in one go: the ordered one compares each name with all before it.
  nlohmann::json vocabulary = nlohmann::json::object();
  Tokens tokens;
  for (size_t id = 0; id < texts->strings.size(); ++id) {
    const std::string& text = texts->strings[id];
    const bool typed = types.ok() && id < (*types)->integers.size();
    const auto type = typed ? static_cast<TokenType>((*types)->integers[id]) : TokenType::kNormal;
    if (type == TokenType::kControl || type == TokenType::kUserDefined || type == TokenType::kUnknown) {
      tokens.added.push_back({{"id", id},
                              {"content", text},
                              {"single_word", false},
                              {"lstrip", false},
                              {"rstrip", false},
                              {"normalized", false},
                              {"special", type != TokenType::kUserDefined}});
    } else {
      vocabulary[text] = id;
    }
  }
  tokens.vocabulary = std::move(vocabulary);
  return tokens;
}

}  // namespace

absl::StatusOr<Json> HuggingFaceTokenizer(const GgufMetadata& tokenizer) {
  ENIGMA_ASSIGN_OR_RETURN(const std::string_view model, tokenizer.String("tokenizer.ggml.model"));
  if (model != "gpt2") {
    return absl::UnimplementedError(absl::StrCat("tokenizer.json is written of byte-level BPE vocabularies ('gpt2'); ",
                                                 "this one is ", QuotedName(model)));
  }
  const std::string pre = tokenizer.StringOr("tokenizer.ggml.pre", "");
  const PreTokenizerRule* rule = FindPreTokenizerRule(pre);
  if (rule == nullptr) {
    return absl::UnimplementedError(absl::StrCat("pre-tokenizer ", QuotedName(pre), " is not known"));
  }
  ENIGMA_ASSIGN_OR_RETURN(Tokens tokens, TokensOf(tokenizer));
  ENIGMA_ASSIGN_OR_RETURN(const GgufArray* merges, tokenizer.Array("tokenizer.ggml.merges"));
  const bool add_bos = tokenizer.BoolOr("tokenizer.ggml.add_bos_token", rule->add_bos);
  Json bpe = {{"type", "BPE"},
              {"dropout", nullptr},
              {"unk_token", nullptr},
              {"continuing_subword_prefix", nullptr},
              {"end_of_word_suffix", nullptr},
              {"fuse_unk", false},
              {"byte_fallback", false},
              {"ignore_merges", rule->ignore_merges},
              {"vocab", std::move(tokens.vocabulary)},
              {"merges", merges->strings}};
  return Json{{"version", "1.0"},
              {"truncation", nullptr},
              {"padding", nullptr},
              {"added_tokens", std::move(tokens.added)},
              {"normalizer", nullptr},
              {"pre_tokenizer", PreTokenizerOf(*rule)},
              {"post_processor", PostProcessorOf(tokenizer, add_bos)},
              {"decoder", ByteLevel()},
              {"model", std::move(bpe)}};
}

Json HuggingFaceTokenizerConfig(const GgufMetadata& tokenizer, uint32_t context) {
  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                 {"clean_up_tokenization_spaces", false},
                 {"model_max_length", context}};
  const auto set = [&](const char* name, const char* key) {
    if (const auto text = TextOfId(tokenizer, key)) config[name] = *text;
  };
  set("bos_token", "tokenizer.ggml.bos_token_id");
  set("eos_token", "tokenizer.ggml.eos_token_id");
  set("pad_token", "tokenizer.ggml.padding_token_id");
  const std::string chat = tokenizer.StringOr("tokenizer.chat_template", "");
  if (!chat.empty()) config["chat_template"] = chat;
  return config;
}

}  // namespace enigma::engine
