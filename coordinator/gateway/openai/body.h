#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <nlohmann/json.hpp>

namespace enigma::coordinator {

using Json = nlohmann::ordered_json;

// The body of a request: one JSON object within engine::JsonShapeLimits. INVALID_ARGUMENT says where it is broken.
absl::StatusOr<Json> ParseBody(std::string_view body);

// Whether a prompt is given as token ids: by its first item; whoever reads it checks the others.
bool IsTokenIds(const Json& value);

// Reads the fields of an object and remembers which were asked for, so that Finish can name one that nobody knows. The
// first error stays; values read after it are the defaults. null counts as absent.
class Fields {
 public:
  // `path` stands before the names in messages: "messages[0]."; `object` outlives this.
  explicit Fields(const Json& object, std::string path = "");

  std::string Text(const char* name, std::string fallback = "");
  bool Flag(const char* name, bool fallback = false);
  std::optional<double> Number(const char* name, double least, double most);
  std::optional<int64_t> Integer(const char* name, int64_t least, int64_t most);
  // As it is; null when absent.
  const Json& Any(const char* name);
  // Known, and of no consequence here: what the caller says in it changes nothing about the answer.
  void Ignore(const char* name) { Any(name); }
  // Known to other servers and not supported: an error where it asks for anything but `harmless`.
  void Refuse(const char* name, const Json& harmless, std::string_view why);

  // Notes an error in a field, unless there is one.
  void Fail(std::string_view name, std::string_view what);
  // Likewise, an error of an object inside, which has named its field.
  void Adopt(const absl::Status& error) { status_.Update(error); }
  bool ok() const { return status_.ok(); }
  // The first error, or a field that was not asked for.
  absl::Status Finish();
  std::string PathOf(std::string_view name) const;

 private:
  const Json& object_;
  const std::string path_;
  std::vector<std::string> known_;
  absl::Status status_;
};

}  // namespace enigma::coordinator
