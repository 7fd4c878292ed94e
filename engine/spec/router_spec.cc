#include "engine/spec/router_spec.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include <absl/container/flat_hash_set.h>
#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "base/utf8.h"

namespace enigma::engine {
namespace {

constexpr char kLabels[] = "enigma.router.labels";
constexpr char kLabelTokens[] = "enigma.router.label_tokens";
constexpr char kPrompt[] = "enigma.router.prompt";
constexpr char kTemperature[] = "enigma.router.temperature";
constexpr char kThreshold[] = "enigma.router.threshold";
constexpr char kPromptTokens[] = "enigma.router.prompt_tokens";
constexpr size_t kPromptBytesMax = 4096;
constexpr std::string_view kMark = RouterSpec::kTextMark;

template <typename... Parts>
absl::Status WrongKey(const char* key, const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("metadata key '", key, "': ", parts...));
}

absl::Status CheckTokens(const RouterSpec& router, uint32_t vocabulary) {
  if (router.label_tokens.size() != router.labels.size()) {
    return WrongKey(kLabelTokens, "there are ", router.label_tokens.size(), " tokens for ", router.labels.size(),
                    " labels");
  }
  absl::flat_hash_set<int32_t> known;
  for (const int32_t token : router.label_tokens) {
    if (token < 0 || static_cast<uint32_t>(token) >= vocabulary) {
      return WrongKey(kLabelTokens, "token ", token, " is none of a vocabulary of ", vocabulary);
    }
    if (!known.insert(token).second) return WrongKey(kLabelTokens, "token ", token, " stands for two labels");
  }
  return absl::OkStatus();
}

absl::StatusOr<double> FloatOr(const GgufMetadata& metadata, const char* key, double otherwise) {
  return metadata.Has(key) ? metadata.Float(key) : otherwise;
}

}  // namespace

std::string_view RouterSpec::PromptHead() const { return std::string_view(prompt).substr(0, prompt.find(kMark)); }

std::string_view RouterSpec::PromptTail() const {
  const size_t at = prompt.find(kMark);
  return at == std::string::npos ? std::string_view() : std::string_view(prompt).substr(at + kMark.size());
}

uint32_t RouterSpec::PromptTokensMax(uint32_t context) const {
  return std::min(context, prompt_tokens > 0 ? prompt_tokens : kPromptTokensMost);
}

std::string LabelTokenText(std::string_view label) { return ToString(absl::StrCat("[intent:", ToAbsl(label), "]")); }

absl::Status CheckLabel(std::string_view label) {
  if (label.find_first_not_of(' ') == std::string_view::npos) return absl::InvalidArgumentError("is empty");
  if (label.size() > RouterSpec::kLabelBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("is longer than ", RouterSpec::kLabelBytesMax, " bytes"));
  }
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  // The second test is of U+0080 to U+009F, controls as well.
  bool controls = std::any_of(label.begin(), label.end(), is_control);
  for (size_t i = 0; i + 1 < label.size(); ++i) {
    controls |= label[i] == '\xC2' && static_cast<unsigned char>(label[i + 1]) < 0xA0;
  }
  if (controls) return absl::InvalidArgumentError("has a control character");
  if (label.front() == ' ' || label.back() == ' ') return absl::InvalidArgumentError("begins or ends with a space");
  if (ValidUtf8Prefix(label) != label.size()) return absl::InvalidArgumentError("is no UTF-8");
  return absl::OkStatus();
}

absl::Status CheckRouterSpec(const RouterSpec& router, uint32_t vocabulary) {
  if (router.labels.size() < 2 || router.labels.size() > RouterSpec::kLabelsMax) {
    return WrongKey(kLabels, "there are ", router.labels.size(), " labels; a router tells 2 to ",
                    RouterSpec::kLabelsMax, " apart");
  }
  absl::flat_hash_set<std::string> known;
  for (const std::string& label : router.labels) {
    const std::string shown = absl::CHexEscape(label.substr(0, RouterSpec::kLabelBytesMax));
    if (const absl::Status checked = CheckLabel(label); !checked.ok()) {
      return WrongKey(kLabels, "label '", shown, "' ", checked.message());
    }
    if (!known.insert(label).second) return WrongKey(kLabels, "label '", shown, "' comes twice");
  }
  ENIGMA_RETURN_IF_ERROR(CheckTokens(router, vocabulary));
  const size_t mark = router.prompt.find(kMark);
  if (mark == std::string::npos || router.prompt.find(kMark, mark + 1) != std::string::npos ||
      router.prompt.size() > kPromptBytesMax) {
    return WrongKey(kPrompt, "it must have ", kMark.data(), " once, in at most ", kPromptBytesMax, " bytes");
  }
  if (!(router.temperature > 0 && std::isfinite(router.temperature))) {
    return WrongKey(kTemperature, router.temperature, " is not above 0");
  }
  if (!(router.threshold >= 0 && router.threshold < 1)) {
    return WrongKey(kThreshold, router.threshold, " is not from 0 to below 1");
  }
  if (router.prompt_tokens != 0 &&
      (router.prompt_tokens < RouterSpec::kPromptTokensLeast || router.prompt_tokens > RouterSpec::kPromptTokensMost)) {
    return WrongKey(kPromptTokens, router.prompt_tokens, " is not from ", RouterSpec::kPromptTokensLeast, " to ",
                    RouterSpec::kPromptTokensMost);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<RouterSpec>> RouterSpecFromGguf(const GgufMetadata& metadata) {
  if (!metadata.Has(kLabels)) return std::nullopt;
  RouterSpec router;
  ENIGMA_ASSIGN_OR_RETURN(const GgufArray* labels, metadata.Array(kLabels));
  ENIGMA_ASSIGN_OR_RETURN(const GgufArray* tokens, metadata.Array(kLabelTokens));
  ENIGMA_ASSIGN_OR_RETURN(const GgufArray* vocabulary, metadata.Array("tokenizer.ggml.tokens"));
  router.labels = labels->strings;
  for (const int64_t token : tokens->integers) {
    if (token != static_cast<int32_t>(token)) return WrongKey(kLabelTokens, "token ", token, " is none");
    router.label_tokens.push_back(static_cast<int32_t>(token));
  }
  if (metadata.Has(kPrompt)) {
    ENIGMA_ASSIGN_OR_RETURN(const std::string_view prompt, metadata.String(kPrompt));
    router.prompt = std::string(prompt);
  }
  ENIGMA_ASSIGN_OR_RETURN(router.temperature, FloatOr(metadata, kTemperature, router.temperature));
  ENIGMA_ASSIGN_OR_RETURN(router.threshold, FloatOr(metadata, kThreshold, router.threshold));
  if (metadata.Has(kPromptTokens)) {
    ENIGMA_ASSIGN_OR_RETURN(const uint64_t longest, metadata.Uint(kPromptTokens));
    router.prompt_tokens = static_cast<uint32_t>(std::min<uint64_t>(longest, UINT32_MAX));
  }
  ENIGMA_RETURN_IF_ERROR(CheckRouterSpec(router, static_cast<uint32_t>(vocabulary->strings.size())));
  return router;
}

void SetRouterKeys(const RouterSpec& router, GgufMetadata& metadata) {
  auto labels = std::make_unique<GgufArray>();
  labels->strings = router.labels;
  metadata.Set(kLabels, std::move(labels));
  auto tokens = std::make_unique<GgufArray>();
  tokens->integers.assign(router.label_tokens.begin(), router.label_tokens.end());
  metadata.Set(kLabelTokens, std::move(tokens));
  metadata.Set(kPrompt, router.prompt);
  metadata.Set(kTemperature, router.temperature);
  metadata.Set(kThreshold, router.threshold);
  if (router.prompt_tokens > 0) metadata.Set(kPromptTokens, uint64_t{router.prompt_tokens});
}

}  // namespace enigma::engine
