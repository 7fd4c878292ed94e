#include "coordinator/gateway/openai/sampling_fields.h"

#include <limits>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include "coordinator/state/priority.h"

namespace enigma::coordinator {
namespace {

constexpr size_t kStopsMax = 16;
constexpr size_t kBiasesMax = 1024;

void ReadStop(Fields& fields, enigma::v1::SamplingParams& sampling) {
  const Json& stop = fields.Any("stop");
  if (stop.is_null()) return;
  const Json list = stop.is_string() ? Json::array({stop}) : stop;
  if (!list.is_array()) return fields.Fail("stop", "a string or a list of strings is wanted");
  if (list.size() > kStopsMax) return fields.Fail("stop", absl::StrCat("at most ", kStopsMax, " strings"));
  for (const Json& item : list) {
    if (!item.is_string() || item.get_ref<const std::string&>().empty()) {
      return fields.Fail("stop", "every stop must be a string that is not empty");
    }
    sampling.add_stop(item.get<std::string>());
  }
}

void ReadLogitBias(Fields& fields, enigma::v1::SamplingParams& sampling) {
  const Json& biases = fields.Any("logit_bias");
  if (biases.is_null()) return;
  if (!biases.is_object()) return fields.Fail("logit_bias", "an object from token ids to numbers is wanted");
  if (biases.size() > kBiasesMax) return fields.Fail("logit_bias", absl::StrCat("at most ", kBiasesMax, " tokens"));
  for (const auto& [key, value] : biases.items()) {
    int32_t id = 0;
    if (!absl::SimpleAtoi(key, &id) || id < 0)
      return fields.Fail("logit_bias", absl::StrCat("'", key, "' is no token id"));
    if (!value.is_number() || !(value.get<double>() >= -100 && value.get<double>() <= 100)) {
      return fields.Fail("logit_bias", absl::StrCat("the bias of ", key, " is no number between -100 and 100"));
    }
    auto* bias = sampling.add_logit_bias();
    bias->set_id(id);
    bias->set_value(value.get<float>());
  }
}

}  // namespace

enigma::v1::SamplingParams ReadSampling(Fields& fields) {
  enigma::v1::SamplingParams sampling;
  if (const auto v = fields.Number("temperature", 0, 2)) sampling.set_temperature(static_cast<float>(*v));
  if (const auto v = fields.Number("top_p", 0, 1)) {
    if (*v == 0) fields.Fail("top_p", "0 leaves no token; it must be above 0 and at most 1");
    sampling.set_top_p(static_cast<float>(*v));
  }
  // -1 means "all" where this field comes from.
  if (const auto v = fields.Integer("top_k", -1, kTokensMost))
    sampling.set_top_k(*v < 0 ? 0 : static_cast<uint32_t>(*v));
  if (const auto v = fields.Number("min_p", 0, 1)) sampling.set_min_p(static_cast<float>(*v));
  if (const auto v = fields.Number("frequency_penalty", -2, 2)) sampling.set_frequency_penalty(static_cast<float>(*v));
  if (const auto v = fields.Number("presence_penalty", -2, 2)) sampling.set_presence_penalty(static_cast<float>(*v));
  if (const auto v = fields.Number("repetition_penalty", 1e-3, 1e3)) {
    sampling.set_repetition_penalty(static_cast<float>(*v));
  }
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
  if (const auto v = fields.Integer("seed", kLeast, std::numeric_limits<int64_t>::max())) {
    sampling.set_seed(static_cast<uint64_t>(*v));
  }
  if (fields.Flag("ignore_eos")) sampling.set_ignore_eos(true);
  ReadStop(fields, sampling);
  ReadLogitBias(fields, sampling);
  return sampling;
}

enigma::v1::Priority ReadPriority(Fields& fields) {
  if (const Json& value = fields.Any("priority"); value.is_string()) {
    const auto named = ParsePriority(value.get_ref<const std::string&>());
    if (!named) fields.Fail("priority", "low, normal, high or a whole number is wanted");
    return named.value_or(enigma::v1::PRIORITY_UNSPECIFIED);
  }
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  const auto number = fields.Integer("priority", -kMost, kMost);
  if (!number) return enigma::v1::PRIORITY_UNSPECIFIED;
  if (*number == 0) return enigma::v1::PRIORITY_NORMAL;
  return *number < 0 ? enigma::v1::PRIORITY_HIGH : enigma::v1::PRIORITY_LOW;
}

void ReadUnsupported(Fields& fields) {
  fields.Ignore("user");
  fields.Ignore("metadata");
  fields.Ignore("safety_identifier");
  fields.Ignore("prompt_cache_key");
  fields.Refuse("store", false, "this server stores no answers");
  fields.Refuse("service_tier", "auto", "this server has one tier; leave the field out");
}

}  // namespace enigma::coordinator
