#include "coordinator/gateway/openai/response_format.h"

#include <algorithm>
#include <string>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>

namespace enigma::coordinator {
namespace {

constexpr size_t kNameBytesMax = 64;

bool IsName(const std::string& name) {
  return !name.empty() && name.size() <= kNameBytesMax && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
  });
}

// The member "json_schema" as the text of its schema.
std::string ReadJsonSchema(Fields& format) {
  const Json& described = format.Any("json_schema");
  if (!described.is_object()) {
    format.Fail("json_schema", "an object with a name and a schema is wanted");
    return "";
  }
  Fields fields(described, format.PathOf("json_schema"));
  if (!IsName(fields.Text("name"))) {
    fields.Fail("name", absl::StrCat("1 to ", kNameBytesMax, " letters, digits, '_' and '-' are wanted"));
  }
  fields.Text("description");
  fields.Flag("strict");
  const Json& schema = fields.Any("schema");
  if (!schema.is_null() && !schema.is_object()) fields.Fail("schema", "a JSON schema is an object");
  // The server's own keyword for answers that are no JSON.
  if (schema.is_object() && schema.contains("$calls")) fields.Fail("schema", "#/$calls: no keyword of JSON Schema");
  format.Adopt(fields.Finish());
  return format.ok() && schema.is_object() ? schema.dump() : "";
}

}  // namespace

void ReadResponseFormat(Fields& fields, enigma::v1::SamplingParams& sampling) {
  const Json& value = fields.Any("response_format");
  if (value.is_null()) return;
  Fields format(value, "response_format");
  const std::string type = format.Text("type");
  if (type == "json_object") {
    sampling.set_json_schema("");
  } else if (type == "json_schema") {
    sampling.set_json_schema(ReadJsonSchema(format));
  } else if (type != "text") {
    format.Fail("type", "it is one of text, json_object and json_schema");
  }
  fields.Adopt(format.Finish());
}

absl::Status CheckResponseFormat(ControlPlane& plane, const enigma::v1::SamplingParams& sampling) {
  if (!sampling.has_json_schema()) return absl::OkStatus();
  const absl::Status checked = plane.schemas.Check(sampling.json_schema());
  if (checked.ok()) return checked;
  return absl::Status(checked.code(), absl::StrCat("response_format.json_schema.schema: ", checked.message()));
}

}  // namespace enigma::coordinator
