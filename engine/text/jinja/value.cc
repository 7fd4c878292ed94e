#include "engine/text/jinja/value.h"

#include <algorithm>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

namespace enigma::engine::jinja {

namespace {

// What a value costs beside the bytes of its text: the object, its reference count, its place in a container.
constexpr size_t kStringOverhead = 96;
constexpr size_t kContainerOverhead = 128;

template <typename Items>
int DepthOf(const Items& items) {
  int depth = 0;
  for (const auto& item : items) depth = std::max(depth, item.depth());
  return depth + 1;
}

}  // namespace

StringData::StringData(std::string text_in, Memory* memory)
    : text(std::move(text_in)),
      ascii(std::none_of(text.begin(), text.end(), [](char c) { return (c & 0x80) != 0; })),
      share(memory, text.capacity() + kStringOverhead) {}

ListData::ListData(std::vector<Value> items_in, bool tuple_in, Memory* memory)
    : items(std::move(items_in)),
      tuple(tuple_in),
      depth(DepthOf(items)),
      share(memory, items.capacity() * sizeof(Value) + kContainerOverhead) {}

DictData::DictData(std::vector<Entry> entries_in, absl::flat_hash_map<std::string, size_t> index_in, Memory* memory)
    : entries(std::move(entries_in)),
      index(std::move(index_in)),
      depth(1),
      share(memory, entries.capacity() * (sizeof(Entry) + kContainerOverhead) + kContainerOverhead) {
  for (const Entry& entry : entries) depth = std::max(depth, std::max(entry.key.depth(), entry.value.depth()) + 1);
}

const Value* DictData::Find(std::string_view name) const {
  std::string key = "s";
  key += name;
  return FindHashed(key);
}

const Value* DictData::FindHashed(const std::string& hash_key) const {
  const auto it = index.find(hash_key);
  return it == index.end() ? nullptr : &entries[it->second].value;
}

Value Value::Undefined(std::string reason) {
  return Value(Payload(std::in_place_index<0>, std::make_shared<const std::string>(std::move(reason))));
}

std::string_view Value::reason() const {
  const auto& reason = std::get<0>(payload_);
  return reason == nullptr ? std::string_view("a value is undefined") : std::string_view(*reason);
}

const std::string& Value::text() const { return std::get<std::shared_ptr<const StringData>>(payload_)->text; }
bool Value::IsAscii() const { return std::get<std::shared_ptr<const StringData>>(payload_)->ascii; }
const std::vector<Value>& Value::items() const { return std::get<std::shared_ptr<const ListData>>(payload_)->items; }
bool Value::IsTuple() const { return IsList() && std::get<std::shared_ptr<const ListData>>(payload_)->tuple; }

bool Value::IsTrue() const {
  switch (kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
    case Kind::kInt:
      return AsInteger() != 0;
    case Kind::kFloat:
      return AsNumber() != 0;
    case Kind::kString:
      return !text().empty();
    case Kind::kList:
      return !items().empty();
    case Kind::kDict:
      return !dict().entries.empty();
    case Kind::kObject:
      return true;
  }
  return false;
}

std::string Value::TypeName() const {
  switch (kind()) {
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return "str";
    case Kind::kList:
      return IsTuple() ? "tuple" : "list";
    case Kind::kDict:
      return "dict";
    case Kind::kObject:
      return object()->TypeName();
  }
  return "";
}

int Value::depth() const {
  if (IsList()) return std::get<std::shared_ptr<const ListData>>(payload_)->depth;
  return IsDict() ? dict().depth : 0;
}

absl::StatusOr<Value> Object::Call(Runtime&, Arguments) {
  return absl::InvalidArgumentError(absl::StrCat("'", TypeName(), "' object is not callable"));
}

}  // namespace enigma::engine::jinja
