#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>

namespace enigma::engine::jinja {

class Object;
class Runtime;
struct StringData;
struct ListData;
struct DictData;

// A value of the template language. Strings, lists and dicts are immutable and shared (shared_ptr because the same
// value is bound to many names and lives as long as the last of them; being immutable they form no cycle). Objects
// (macros, namespaces, loops) belong to the Runtime of one rendering.
class Value {
 public:
  enum class Kind : uint8_t { kUndefined, kNone, kBool, kInt, kFloat, kString, kList, kDict, kObject };

  Value() = default;  // undefined, with nothing known about why
  // `reason`: the sentence to say when the value is used.
  static Value Undefined(std::string reason);
  static Value None() { return Value(NoneTag{}); }
  static Value Bool(bool value) { return Value(value); }
  static Value Int(int64_t value) { return Value(value); }
  static Value Float(double value) { return Value(value); }
  static Value FromObject(Object* object) { return Value(object); }
  static Value FromString(std::shared_ptr<const StringData> string) { return Value(std::move(string)); }
  static Value FromList(std::shared_ptr<const ListData> list) { return Value(std::move(list)); }
  static Value FromDict(std::shared_ptr<const DictData> dict) { return Value(std::move(dict)); }

  Kind kind() const { return static_cast<Kind>(payload_.index()); }
  bool IsUndefined() const { return kind() == Kind::kUndefined; }
  bool IsNone() const { return kind() == Kind::kNone; }
  bool IsBool() const { return kind() == Kind::kBool; }
  bool IsInt() const { return kind() == Kind::kInt; }
  bool IsFloat() const { return kind() == Kind::kFloat; }
  bool IsString() const { return kind() == Kind::kString; }
  bool IsList() const { return kind() == Kind::kList; }  // tuples too
  bool IsDict() const { return kind() == Kind::kDict; }
  bool IsObject() const { return kind() == Kind::kObject; }
  bool IsInteger() const { return IsBool() || IsInt(); }  // booleans count as 0 and 1
  bool IsNumber() const { return IsInteger() || IsFloat(); }

  // Each only for its kind.
  std::string_view reason() const;  // of an undefined value
  bool AsBool() const { return std::get<bool>(payload_); }
  int64_t AsInteger() const { return IsBool() ? int64_t{AsBool()} : std::get<int64_t>(payload_); }
  double AsNumber() const { return IsFloat() ? std::get<double>(payload_) : static_cast<double>(AsInteger()); }
  const std::string& text() const;
  bool IsAscii() const;  // of a string: characters are bytes
  const std::vector<Value>& items() const;
  bool IsTuple() const;
  const DictData& dict() const { return *std::get<std::shared_ptr<const DictData>>(payload_); }
  Object* object() const { return std::get<Object*>(payload_); }

  bool IsTrue() const;
  // As Python calls the type: "str", "dict", "NoneType".
  std::string TypeName() const;
  // Containers inside each other; 0 for what is none.
  int depth() const;

 private:
  struct NoneTag {};
  // The order is that of Kind.
  using Payload = std::variant<std::shared_ptr<const std::string>, NoneTag, bool, int64_t, double,
                               std::shared_ptr<const StringData>, std::shared_ptr<const ListData>,
                               std::shared_ptr<const DictData>, Object*>;
  explicit Value(Payload payload) : payload_(std::move(payload)) {}

  Payload payload_;
};

// Bytes of values alive; outlives every value that is counted in it.
struct Memory {
  size_t live_bytes = 0;
};

// Counts `bytes` for as long as it lives. Values of the template itself are counted nowhere (null).
class MemoryShare {
 public:
  MemoryShare(Memory* memory, size_t bytes) : memory_(memory), bytes_(bytes) {
    if (memory_ != nullptr) memory_->live_bytes += bytes_;
  }
  ~MemoryShare() {
    if (memory_ != nullptr) memory_->live_bytes -= bytes_;
  }
  MemoryShare(const MemoryShare&) = delete;
  MemoryShare& operator=(const MemoryShare&) = delete;

 private:
  Memory* memory_;
  size_t bytes_;
};

struct StringData {
  StringData(std::string text_in, Memory* memory);
  std::string text;
  bool ascii;
  MemoryShare share;
};

struct ListData {
  ListData(std::vector<Value> items_in, bool tuple_in, Memory* memory);
  std::vector<Value> items;
  bool tuple;
  int depth;
  MemoryShare share;
};

// Keeps the order of insertion. Keys are found by text (HashKey), which is equal for keys that are.
struct DictData {
  struct Entry {
    Value key, value;
  };
  DictData(std::vector<Entry> entries_in, absl::flat_hash_map<std::string, size_t> index_in, Memory* memory);
  const Value* Find(std::string_view name) const;  // by a string key
  const Value* FindHashed(const std::string& hash_key) const;
  std::vector<Entry> entries;
  absl::flat_hash_map<std::string, size_t> index;
  int depth;
  MemoryShare share;
};

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

// What has behaviour or state: macros, bound methods, global functions, namespaces, loops, cyclers.
class Object {
 public:
  virtual ~Object() = default;
  virtual std::string TypeName() const = 0;
  virtual bool Callable() const { return false; }
  virtual absl::StatusOr<Value> Call(Runtime& runtime, Arguments arguments);
  virtual std::optional<Value> Attribute(Runtime&, std::string_view) { return std::nullopt; }
  // Null unless it can be printed with its content (a namespace).
  virtual const absl::flat_hash_map<std::string, Value>* Content() const { return nullptr; }
};

}  // namespace enigma::engine::jinja
