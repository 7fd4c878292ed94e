#include "cli/generation/sampling_flags.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include "base/status_macros.h"
#include "cli/usage_error.h"

namespace enigma::cli {

SamplingFlags::SamplingFlags(Command& command, uint32_t max_tokens) {
  params_.temperature = 0;
  params_.max_tokens = max_tokens;
  command
      .Number("--max-tokens", params_.max_tokens, absl::StrCat("most tokens to make (default ", max_tokens, ")"), "N")
      .AtLeast(1);
  command
      .Number("--temperature", params_.temperature,
              "0 takes the likeliest token each time; 1 follows the model (default 0: greedy)", "T")
      .AtLeast(0);
  command.Number("--top-k", params_.top_k, "choose among the K likeliest (default 0: all)", "K");
  command
      .Number("--top-p", params_.top_p, "choose among the likeliest that hold P of the mass; above 0 (default 1: all)",
              "P")
      .Above(0)
      .AtMost(1);
  command.Number("--min-p", params_.min_p, "drop tokens below P times the likeliest (default 0: none)", "P")
      .Between(0, 1);
  command
      .Number("--repetition-penalty", params_.repetition_penalty,
              "above 1 weakens tokens of prompt and answer, below 1 strengthens them (default 1: neither)", "R")
      .Above(0);
  command
      .Number("--frequency-penalty", params_.frequency_penalty,
              "weaken tokens of the answer for each time they occurred, -2 to 2 (default 0)", "F")
      .Between(-2, 2);
  command
      .Number("--presence-penalty", params_.presence_penalty,
              "weaken tokens that occurred in the answer at all, -2 to 2 (default 0)", "F")
      .Between(-2, 2);
  command.Number("--seed", params_.seed, "the same seed gives the same answer (default 0)", "S");
  command.Texts("--logit-bias", logit_bias_, "add V, -100 to 100, to the logit of token ID; may be repeated", "ID=V");
  command.Texts("--stop", params_.stop, "end before this text; may be repeated", "TEXT").Utf8();
  command.Switch("--ignore-eos", params_.ignore_eos, "go on past the end of the answer (for measurements)");
}

absl::StatusOr<engine::SamplingParams> SamplingFlags::Resolve() const {
  engine::SamplingParams params = params_;
  for (const std::string& bias : logit_bias_) {
    const std::vector<std::string> parts = absl::StrSplit(bias, absl::MaxSplits('=', 1));
    int32_t id = 0;
    float value = 0;
    // Written so that "nan" is refused too.
    const bool good = parts.size() == 2 && absl::SimpleAtoi(parts[0], &id) && id >= 0 &&
                      absl::SimpleAtof(parts[1], &value) && value >= -100 && value <= 100;
    if (!good) {
      return UsageError(
          absl::StrCat("--logit-bias: \"", bias,
                       "\" is not ID=VALUE with a token id and a value from -100 to 100, such as 42=-100"));
    }
    params.logit_bias.emplace_back(id, value);
  }
  return params;
}

absl::StatusOr<std::vector<engine::TokenId>> ParseTokenIds(const std::string& text) {
  std::vector<engine::TokenId> ids;
  for (const auto part : absl::StrSplit(text, ',')) {
    engine::TokenId id = 0;
    if (!absl::SimpleAtoi(part, &id) || id < 0) {
      return UsageError(absl::StrCat("--prompt-ids: \"", part,
                                     "\" is not a token id; give whole numbers from 0, such as "
                                     "1,403,407"));
    }
    ids.push_back(id);
  }
  return ids;
}

}  // namespace enigma::cli
