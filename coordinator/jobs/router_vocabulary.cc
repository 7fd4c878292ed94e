#include "coordinator/jobs/router_vocabulary.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <absl/container/flat_hash_set.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/text/tokenizer_trainer.h"

namespace enigma::coordinator {
namespace {

constexpr uint32_t kSparesLookedFor = 65536;

class LabelTokens {
 public:
  LabelTokens(const engine::Tokenizer& tokenizer, const std::optional<engine::RouterSpec>& known)
      : tokenizer_(tokenizer), known_(known) {}

  // The tokens that labels have already; the others take spares.
  absl::StatusOr<std::vector<engine::TokenId>> Of(const std::vector<std::string>& labels) {
    std::vector<std::optional<engine::TokenId>> tokens;
    for (const std::string& label : labels) {
      tokens.push_back(Existing(label));
      if (tokens.back()) used_.insert(*tokens.back());
    }
    std::vector<engine::TokenId> all;
    for (size_t i = 0; i < labels.size(); ++i) {
      const std::optional<engine::TokenId> token = tokens[i] ? tokens[i] : NextSpare();
      if (!token) {
        return absl::InvalidArgumentError(
            absl::StrCat("tokenizer: it has no token for label '", labels[i], "', and no spare one is left of ",
                         next_spare_, "; leave it out, and one is trained with a token for each label"));
      }
      all.push_back(*token);
    }
    return all;
  }

 private:
  std::optional<engine::TokenId> Existing(const std::string& label) const {
    if (known_) {
      const auto found = std::find(known_->labels.begin(), known_->labels.end(), label);
      if (found != known_->labels.end()) {
        return known_->label_tokens[static_cast<size_t>(found - known_->labels.begin())];
      }
    }
    return FindSpecialToken(tokenizer_, engine::LabelTokenText(label));
  }

  std::optional<engine::TokenId> NextSpare() {
    while (next_spare_ < kSparesLookedFor) {
      const auto token = FindSpecialToken(tokenizer_, absl::StrCat("<|spare_", next_spare_, "|>"));
      if (!token) return std::nullopt;
      ++next_spare_;
      if (used_.insert(*token).second) return token;
    }
    return std::nullopt;
  }

  const engine::Tokenizer& tokenizer_;
  const std::optional<engine::RouterSpec>& known_;
  absl::flat_hash_set<engine::TokenId> used_;
  uint32_t next_spare_ = 0;
};

absl::Status WriteWithLabels(engine::GgufMetadata metadata, const std::optional<engine::RouterSpec>& known,
                             const std::vector<std::string>& labels, const std::string& path) {
  ENIGMA_ASSIGN_OR_RETURN(const auto tokenizer, engine::Tokenizer::FromGguf(metadata));
  engine::RouterSpec router;
  router.labels = labels;
  ENIGMA_ASSIGN_OR_RETURN(router.label_tokens, LabelTokens(*tokenizer, known).Of(labels));
  ENIGMA_RETURN_IF_ERROR(engine::CheckRouterSpec(router, tokenizer->vocab_size()));
  engine::SetRouterKeys(router, metadata);
  return WriteVocabulary(metadata, path);
}

}  // namespace

absl::Status TrainRouterVocabulary(const engine::LabelledCorpus& corpus, double validation_share,
                                   const TokenizerOrder& order, const std::string& path,
                                   const std::function<bool(double share)>& go_on) {
  std::vector<std::string> label_texts;
  for (const std::string& label : corpus.labels) label_texts.push_back(engine::LabelTokenText(label));
  engine::TokenizerTrainerOptions options;
  options.kind = order.kind;
  options.vocab_size = order.vocabulary;
  if (order.kind == engine::TokenizerKind::kCharacter) options.words = 0;
  options.special_tokens = engine::SpecialTokens::Standard(label_texts, 0);
  options.progress = [&](uint64_t made, uint64_t wanted) {
    go_on(wanted == 0 ? 1 : static_cast<double>(made) / static_cast<double>(wanted));
  };
  auto trainer = engine::TokenizerTrainer::Create(std::move(options));
  if (!trainer.ok()) return absl::InvalidArgumentError(absl::StrCat("vocab_size: ", trainer.status().message()));
  const engine::RouterSpec prompt;
  const std::vector<bool> held_out = engine::HeldOut(corpus.texts, validation_share);
  for (size_t i = 0; i < corpus.texts.size(); ++i) {
    if (held_out[i]) continue;
    const engine::LabelledText& text = corpus.texts[i];
    (*trainer)->Add(ToString(absl::StrCat(ToAbsl(prompt.PromptHead()), text.text, ToAbsl(prompt.PromptTail()))));
  }
  if (!go_on(0)) return absl::CancelledError("the caller went away");
  ENIGMA_ASSIGN_OR_RETURN(const engine::TokenizerFile file, (*trainer)->Train());
  ENIGMA_ASSIGN_OR_RETURN(engine::GgufMetadata metadata, engine::VocabularyMetadata(file, order.name));
  return WriteWithLabels(std::move(metadata), std::nullopt, corpus.labels, path);
}

absl::Status CopyRouterVocabulary(const engine::GgufMetadata& from, const std::vector<std::string>& labels,
                                  const std::string& name, const std::string& path) {
  ENIGMA_ASSIGN_OR_RETURN(const std::optional<engine::RouterSpec> known, engine::RouterSpecFromGguf(from));
  return WriteWithLabels(CopiedVocabulary(from, name), known, labels, path);
}

}  // namespace enigma::coordinator
