#include "engine/corpus/document_encoder.h"

#include <algorithm>

#include <absl/status/status.h>

namespace enigma::engine {

absl::StatusOr<DocumentEncoder> DocumentEncoder::Create(const Tokenizer& tokenizer, bool train_on_prompts) {
  if (!tokenizer.eos()) {
    return absl::InvalidArgumentError(
        "the vocabulary names no end token (tokenizer.ggml.eos_token_id), so a model could not learn to stop; take one "
        "that does");
  }
  return DocumentEncoder(tokenizer, train_on_prompts);
}

DocumentEncoder::DocumentEncoder(const Tokenizer& tokenizer, bool train_on_prompts)
    : tokenizer_(&tokenizer), train_on_prompts_(train_on_prompts), end_(*tokenizer.eos()) {
  // Whether a begin token is put before a text is known to Encode alone.
  const std::vector<TokenId> ids = tokenizer.Encode("a", {.add_special = true});
  if (!ids.empty() && tokenizer.bos() == ids.front()) begin_ = ids.front();
}

// Where each segment ends in `ids`, if every end lies between two tokens.
std::optional<std::vector<size_t>> DocumentEncoder::FindEnds(const std::vector<TokenId>& ids, std::string_view text,
                                                             const Document& document) const {
  std::vector<size_t> ends;
  size_t at = 0;           // in `text`, behind the tokens looked at
  size_t segment_end = 0;  // in `text`
  size_t next = 0;         // index into `ids`
  for (const Segment& segment : document.segments) {
    segment_end += segment.text.size();
    for (; at < segment_end && next < ids.size(); ++next) {
      const std::string bytes = tokenizer_->TokenBytes(ids[next], /*render_special=*/true);
      std::string_view expected = bytes;
      // SentencePiece vocabularies put a space before the first word that is not in the text.
      if (!text.substr(at).starts_with(expected) && expected.starts_with(' ')) expected.remove_prefix(1);
      if (!text.substr(at).starts_with(expected)) return std::nullopt;
      at += expected.size();
    }
    if (at != segment_end) return std::nullopt;
    ends.push_back(next);
  }
  if (next != ids.size()) return std::nullopt;
  return ends;
}

// What a model writes behind a prompt: no space is put before it.
std::vector<TokenId> DocumentEncoder::EncodeContinuation(const std::string& text, TokenizeOptions options) const {
  if (!tokenizer_->StripsLeadingSpace()) return tokenizer_->Encode(text, options);
  // The space goes before a line end instead, and both are left out.
  const std::vector<TokenId> ids = tokenizer_->Encode("\n" + text, options);
  std::string head;
  for (size_t i = 0; i < ids.size() && head.size() < 2; ++i) {
    head += tokenizer_->TokenBytes(ids[i], /*render_special=*/true);
    if (head == "\n" || head == " \n") return {ids.begin() + static_cast<std::ptrdiff_t>(i) + 1, ids.end()};
  }
  return tokenizer_->Encode(text, options);
}

std::vector<TokenId> DocumentEncoder::EncodeText(const Document& document, std::vector<size_t>& ends) const {
  const TokenizeOptions options = {.add_special = false, .parse_special = document.kind == DocumentKind::kChat};
  if (document.segments.size() == 1) {
    std::vector<TokenId> ids = tokenizer_->Encode(document.segments.front().text, options);
    ends = {ids.size()};
    return ids;
  }
  const std::string text = document.Text();
  std::vector<TokenId> ids = tokenizer_->Encode(text, options);
  if (std::optional<std::vector<size_t>> found = FindEnds(ids, text, document)) {
    ends = *std::move(found);
    return ids;
  }
  // A token would reach over the end of a prompt, where a model begins to write: each segment for itself.
  ids.clear();
  ends.clear();
  for (const Segment& segment : document.segments) {
    const std::vector<TokenId> more =
        ids.empty() ? tokenizer_->Encode(segment.text, options) : EncodeContinuation(segment.text, options);
    ids.insert(ids.end(), more.begin(), more.end());
    ends.push_back(ids.size());
  }
  return ids;
}

EncodedDocument DocumentEncoder::Encode(const Document& document) const {
  std::vector<size_t> ends;
  EncodedDocument encoded;
  encoded.ids = EncodeText(document, ends);
  bool closed = false;  // the last segment that is learned has a token that ends generation
  size_t at = 0;
  for (size_t i = 0; i < document.segments.size(); ++i) {
    bool trained = document.segments[i].trained || train_on_prompts_;
    if (trained) closed = false;
    for (; at < ends[i]; ++at) {
      encoded.trained.push_back(trained ? 1 : 0);
      if (document.kind != DocumentKind::kChat || !document.segments[i].trained) continue;
      if (!tokenizer_->IsEndOfGeneration(encoded.ids[at])) continue;
      closed = true;
      trained = train_on_prompts_;
    }
  }
  if (document.is_end && !closed && !document.segments.empty()) {
    encoded.ids.push_back(end_);
    encoded.trained.push_back(document.segments.back().trained || train_on_prompts_ ? 1 : 0);
  }
  if (document.is_beginning && begin_) {
    encoded.ids.insert(encoded.ids.begin(), *begin_);
    encoded.trained.insert(encoded.trained.begin(), 0);
  }
  if (!encoded.trained.empty()) encoded.trained.front() = 0;  // nothing stands before it that could predict it
  const auto last = std::find(encoded.trained.rbegin(), encoded.trained.rend(), 1);
  const auto kept = static_cast<size_t>(encoded.trained.rend() - last);
  encoded.ids.resize(kept);
  encoded.trained.resize(kept);
  return encoded;
}

}  // namespace enigma::engine
