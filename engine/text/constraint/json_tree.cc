#include "engine/text/constraint/json_tree.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <numeric>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace enigma::engine {

// Receives the events of nlohmann's parser; it returns false to stop, with `status` saying why.
class JsonTreeBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  JsonTreeBuilder(JsonTree& tree, const ConstraintLimits& limits) : tree_(tree), limits_(limits) {}

  bool null() override { return Add(JsonNode::Kind::kNull, "") != nullptr; }
  bool boolean(bool value) override {
    return Add(value ? JsonNode::Kind::kTrue : JsonNode::Kind::kFalse, "") != nullptr;
  }
  bool number_integer(number_integer_t value) override {
    return Add(JsonNode::Kind::kNumber, std::to_string(value)) != nullptr;
  }
  bool number_unsigned(number_unsigned_t value) override {
    return Add(JsonNode::Kind::kNumber, std::to_string(value)) != nullptr;
  }
  bool number_float(number_float_t, const string_t& text) override {
    return Add(JsonNode::Kind::kNumber, text) != nullptr;
  }
  bool string(string_t& text) override { return Add(JsonNode::Kind::kString, std::move(text)) != nullptr; }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return Open(JsonNode::Kind::kObject); }
  bool start_array(std::size_t) override { return Open(JsonNode::Kind::kArray); }
  bool key(string_t& key) override {
    open_.back()->keys.push_back(std::move(key));
    return true;
  }
  bool end_object() override {
    JsonNode& node = *open_.back();
    node.by_key.resize(node.keys.size());
    std::iota(node.by_key.begin(), node.by_key.end(), 0U);
    const auto before = [&](uint32_t a, uint32_t b) { return node.keys[a] < node.keys[b]; };
    std::sort(node.by_key.begin(), node.by_key.end(), before);
    for (size_t i = 1; i < node.by_key.size(); ++i) {
      const std::string& key = node.keys[node.by_key[i]];
      if (key != node.keys[node.by_key[i - 1]]) continue;
      status_ = absl::InvalidArgumentError(
          absl::StrCat("the schema names \"", absl::Utf8SafeCHexEscape(key), "\" twice in one object"));
      return false;
    }
    open_.pop_back();
    return true;
  }
  bool end_array() override {
    open_.pop_back();
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    status_ = absl::InvalidArgumentError(absl::StrCat("the schema is no valid JSON at byte ", position));
    return false;
  }

  const absl::Status& status() const { return status_; }

 private:
  JsonNode* Add(JsonNode::Kind kind, std::string text) {
    if (tree_.nodes_.size() >= limits_.json_nodes_max) {
      status_ = absl::ResourceExhaustedError(
          absl::StrCat("the schema has more than ", limits_.json_nodes_max, " JSON values"));
      return nullptr;
    }
    JsonNode& node = tree_.nodes_.emplace_back();
    node.kind = kind;
    node.text = std::move(text);
    if (!open_.empty()) open_.back()->children.push_back(&node);
    return &node;
  }
  bool Open(JsonNode::Kind kind) {
    if (open_.size() >= limits_.json_depth_max) {
      status_ = absl::ResourceExhaustedError(
          absl::StrCat("the schema is nested deeper than ", limits_.json_depth_max, " levels"));
      return false;
    }
    JsonNode* node = Add(kind, "");
    if (node == nullptr) return false;
    open_.push_back(node);
    return true;
  }

  JsonTree& tree_;
  const ConstraintLimits& limits_;
  std::vector<JsonNode*> open_;
  absl::Status status_;
};

namespace {

std::string EscapePointer(std::string_view part) {
  std::string out;
  for (const char c : part) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string UnescapePointer(std::string_view part) {
  std::string plain;
  for (size_t i = 0; i < part.size(); ++i) {
    if (part[i] == '%' && i + 2 < part.size() && HexDigit(part[i + 1]) >= 0 && HexDigit(part[i + 2]) >= 0) {
      plain += static_cast<char>(HexDigit(part[i + 1]) << 4 | HexDigit(part[i + 2]));
      i += 2;
    } else {
      plain += part[i];
    }
  }
  std::string out;
  for (size_t i = 0; i < plain.size(); ++i) {
    const bool tilde = plain[i] == '~' && i + 1 < plain.size() && (plain[i + 1] == '0' || plain[i + 1] == '1');
    out += tilde ? (plain[++i] == '0' ? '~' : '/') : plain[i];
  }
  return out;
}

const JsonNode* Element(const JsonNode& array, std::string_view index) {
  if (index.empty() || index.size() > 6) return nullptr;
  size_t number = 0;
  for (const char c : index) {
    if (c < '0' || c > '9') return nullptr;
    number = number * 10 + static_cast<size_t>(c - '0');
  }
  return number < array.children.size() ? array.children[number] : nullptr;
}

// Appends the path from `from` down to `wanted`; false where it is not below. The depth is that of the tree, bounded.
bool FindPath(const JsonNode& from, const JsonNode& wanted, std::string& path) {
  if (&from == &wanted) return true;
  for (size_t i = 0; i < from.children.size(); ++i) {
    const size_t length = path.size();
    path += '/';
    path += from.IsObject() ? EscapePointer(from.keys[i]) : std::to_string(i);
    if (FindPath(*from.children[i], wanted, path)) return true;
    path.resize(length);
  }
  return false;
}

void AppendCompact(const JsonNode& node, std::string& out) {
  switch (node.kind) {
    case JsonNode::Kind::kNull:
      out += "null";
      return;
    case JsonNode::Kind::kFalse:
      out += "false";
      return;
    case JsonNode::Kind::kTrue:
      out += "true";
      return;
    case JsonNode::Kind::kNumber:
      out += node.text;
      return;
    case JsonNode::Kind::kString:
      out += '"' + EscapeJson(node.text) + '"';
      return;
    case JsonNode::Kind::kArray:
    case JsonNode::Kind::kObject:
      break;
  }
  out += node.IsObject() ? '{' : '[';
  for (size_t i = 0; i < node.children.size(); ++i) {
    if (i > 0) out += ',';
    if (node.IsObject()) out += '"' + EscapeJson(node.keys[i]) + "\":";
    AppendCompact(*node.children[i], out);
  }
  out += node.IsObject() ? '}' : ']';
}

}  // namespace

const JsonNode* JsonNode::Find(std::string_view key) const {
  const auto found = std::lower_bound(by_key.begin(), by_key.end(), key,
                                      [this](uint32_t i, std::string_view wanted) { return keys[i] < wanted; });
  return found != by_key.end() && keys[*found] == key ? children[*found] : nullptr;
}

absl::StatusOr<std::unique_ptr<JsonTree>> JsonTree::Parse(std::string_view text, const ConstraintLimits& limits) {
  if (text.size() > limits.schema_bytes_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the schema has ", text.size(), " bytes; at most ", limits.schema_bytes_max, " are allowed"));
  }
  auto tree = std::unique_ptr<JsonTree>(new JsonTree);
  JsonTreeBuilder builder(*tree, limits);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) {
    return builder.status().ok() ? absl::InvalidArgumentError("the schema is no valid JSON") : builder.status();
  }
  return tree;
}

std::string JsonTree::PathOf(const JsonNode& node, std::string_view member) const {
  std::string path = "#";
  FindPath(root(), node, path);
  if (!member.empty()) path += "/" + EscapePointer(member);
  return path;
}

const JsonNode* JsonTree::Resolve(std::string_view pointer) const {
  const JsonNode* at = &root();
  while (at != nullptr && !pointer.empty()) {
    if (pointer.front() != '/') return nullptr;
    const size_t end = std::min(pointer.find('/', 1), pointer.size());
    const std::string part = UnescapePointer(pointer.substr(1, end - 1));
    at = at->IsObject() ? at->Find(part) : at->IsArray() ? Element(*at, part) : nullptr;
    pointer.remove_prefix(end);
  }
  return at;
}

std::string EscapeJson(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          std::array<char, 8> escape;
          std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c));
          out += escape.data();
        } else {
          out += c;
        }
    }
  }
  return out;
}

std::string CompactJson(const JsonNode& node) {
  std::string out;
  AppendCompact(node, out);
  return out;
}

}  // namespace enigma::engine
