#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/text/constraint/compile_budget.h"

namespace enigma::engine {

// A value of a JSON text. Members keep their order, numbers the way they were written.
struct JsonNode {
  enum class Kind : uint8_t { kNull, kFalse, kTrue, kNumber, kString, kArray, kObject };
  Kind kind = Kind::kNull;
  std::string text;                       // of a string: its characters; of a number: as written
  std::vector<std::string> keys;          // of an object, beside `children`
  std::vector<const JsonNode*> children;  // elements, or values of members
  std::vector<uint32_t> by_key;           // of an object: the members' indices in the order of their keys

  bool IsObject() const { return kind == Kind::kObject; }
  bool IsArray() const { return kind == Kind::kArray; }
  bool IsString() const { return kind == Kind::kString; }
  bool IsNumber() const { return kind == Kind::kNumber; }
  bool IsBool() const { return kind == Kind::kFalse || kind == Kind::kTrue; }
  // The member of that name, or nullptr.
  const JsonNode* Find(std::string_view key) const;
};

// A parsed JSON text of bounded size and depth. Immutable after parsing; nodes live as long as the tree.
class JsonTree {
 public:
  // InvalidArgument for what is no JSON (with the place) or names a member twice; ResourceExhausted beyond the limits.
  static absl::StatusOr<std::unique_ptr<JsonTree>> Parse(std::string_view text, const ConstraintLimits& limits);

  const JsonNode& root() const { return nodes_.front(); }
  // Where `node` stands, as a JSON pointer in a URI fragment ("#/properties/a"); `member` is appended where given.
  std::string PathOf(const JsonNode& node, std::string_view member = "") const;
  // What a pointer such as "/$defs/a" leads to; nullptr where there is nothing. Understands ~0, ~1 and %XX.
  const JsonNode* Resolve(std::string_view pointer) const;

 private:
  friend class JsonTreeBuilder;
  JsonTree() = default;
  std::deque<JsonNode> nodes_;  // the root first
};

// `text` as the inside of a JSON string: quotes, backslashes and control characters escaped in their one canonical way,
// everything else as it is.
std::string EscapeJson(std::string_view text);

// A node as compact JSON; equal values give equal texts, but for numbers written differently and members in another
// order.
std::string CompactJson(const JsonNode& node);

}  // namespace enigma::engine
