#include "engine/text/jinja/text_operations.h"

#include <algorithm>
#include <string>

#include <absl/status/status.h>

#include "base/status_macros.h"
#include "engine/text/jinja/characters.h"
#include "engine/text/jinja/value_text.h"

namespace enigma::engine::jinja {

absl::StatusOr<Value> Replace(Runtime& runtime, std::string_view text, std::string_view old_text,
                              std::string_view new_text, int64_t count) {
  ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(text.size() * 4));
  uint64_t left = count < 0 ? UINT64_MAX : static_cast<uint64_t>(count);
  std::string out;
  size_t at = 0;
  while (left > 0) {
    const size_t found = old_text.empty() ? at : text.find(old_text, at);
    if (found == std::string_view::npos) break;
    out += text.substr(at, found - at);
    out += new_text;
    at = found + old_text.size();
    --left;
    if (old_text.empty()) {
      if (at == text.size()) break;
      const size_t length = FirstCharacter(text.substr(at)).length;
      out += text.substr(at, length);
      at += length;
    }
    ENIGMA_RETURN_IF_ERROR(runtime.CheckString(out.size()));
  }
  out += text.substr(at);
  ENIGMA_RETURN_IF_ERROR(runtime.CheckString(out.size()));
  ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(out.size()));
  return runtime.String(std::move(out));
}

absl::StatusOr<Value> Join(Runtime& runtime, const std::vector<Value>& items, std::string_view separator) {
  std::string out;
  bool first = true;
  for (const Value& item : items) {
    if (!first) {
      ENIGMA_RETURN_IF_ERROR(runtime.CheckString(out.size() + separator.size()));
      ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(separator.size()));
      out += separator;
    }
    first = false;
    ENIGMA_RETURN_IF_ERROR(AppendText(runtime, item, out));
  }
  return runtime.String(std::move(out));
}

absl::StatusOr<Value> SplitOn(Runtime& runtime, std::string_view text, std::string_view separator, int64_t splits,
                              bool from_right) {
  if (separator.empty()) return absl::InvalidArgumentError("split: the separator is empty");
  ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(text.size() * 4));
  std::vector<Value> parts;
  for (; splits != 0; --splits) {
    const size_t at = from_right ? text.rfind(separator) : text.find(separator);
    if (at == std::string_view::npos) break;
    const std::string_view behind = text.substr(at + separator.size());
    parts.push_back(runtime.String(from_right ? behind : text.substr(0, at)));
    text = from_right ? text.substr(0, at) : behind;
    ENIGMA_RETURN_IF_ERROR(runtime.CheckItems(parts.size()));
    ENIGMA_RETURN_IF_ERROR(runtime.Work(1));
  }
  parts.push_back(runtime.String(text));
  if (from_right) std::reverse(parts.begin(), parts.end());
  return runtime.List(std::move(parts));
}

absl::StatusOr<Value> SplitWords(Runtime& runtime, std::string_view text, int64_t splits, bool from_right) {
  ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(text.size() * 4));
  // Words as [begin, end) of the text.
  std::vector<std::pair<size_t, size_t>> words;
  bool inside = false;
  for (size_t at = 0; at < text.size();) {
    const Character character = FirstCharacter(text.substr(at));
    if (IsSpace(character.code)) {
      inside = false;
    } else {
      if (!inside) words.emplace_back(at, at);
      inside = true;
      words.back().second = at + character.length;
    }
    at += character.length;
    ENIGMA_RETURN_IF_ERROR(runtime.CheckItems(words.size()));
  }
  // Beyond the bound the rest stays one piece, without the white space at its cut; Python keeps that at its other end.
  if (splits >= 0 && words.size() > static_cast<size_t>(splits) + 1) {
    const size_t bound = static_cast<size_t>(splits);
    if (from_right) {
      words[0].second = words[words.size() - bound - 1].second;
      words[0].first = 0;
      words.erase(words.begin() + 1, words.end() - static_cast<std::ptrdiff_t>(bound));
    } else {
      words[bound].second = text.size();
      words.resize(bound + 1);
    }
  }
  std::vector<Value> parts;
  for (const auto& [begin, end] : words) parts.push_back(runtime.String(text.substr(begin, end - begin)));
  return runtime.List(std::move(parts));
}

absl::StatusOr<Value> Padded(Runtime& runtime, std::string_view text, int64_t left, int64_t right,
                             std::string_view fill) {
  const size_t before = static_cast<size_t>(std::max<int64_t>(left, 0));
  const size_t after = static_cast<size_t>(std::max<int64_t>(right, 0));
  // Each count alone first, so that the product cannot wrap.
  ENIGMA_RETURN_IF_ERROR(runtime.CheckString(before));
  ENIGMA_RETURN_IF_ERROR(runtime.CheckString(after));
  const size_t total = text.size() + (before + after) * fill.size();
  ENIGMA_RETURN_IF_ERROR(runtime.CheckString(total));
  ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(total));
  std::string out;
  for (size_t i = 0; i < before; ++i) out += fill;
  out += text;
  for (size_t i = 0; i < after; ++i) out += fill;
  return runtime.String(std::move(out));
}

bool HasCase(std::string_view text, bool upper) {
  bool found = false;
  while (!text.empty()) {
    const Character character = FirstCharacter(text);
    if (upper ? IsLower(character.code) : IsUpper(character.code)) return false;
    found = found || (upper ? IsUpper(character.code) : IsLower(character.code));
    text.remove_prefix(character.length);
  }
  return found;
}

}  // namespace enigma::engine::jinja
