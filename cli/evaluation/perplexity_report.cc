#include "cli/evaluation/perplexity_report.h"

#include <algorithm>
#include <limits>

#include <absl/strings/str_cat.h>

#include "engine/kernels/exact_math.h"

namespace enigma::cli {

namespace {

constexpr double kNatsPerBit = 0.6931471805599453;
constexpr double kExponentMax = 700;  // of ExactExp

double Per(const PerplexityReport& report, uint64_t count) {
  return count == 0 ? 0 : report.score.nll / static_cast<double>(count);
}

double PerplexityOf(const PerplexityReport& report) {
  const double nll = Per(report, report.score.scored);
  return nll < kExponentMax ? engine::ExactExp(nll) : std::numeric_limits<double>::infinity();
}

}  // namespace

void CountText(std::string_view text, std::string_view unscored, PerplexityReport& report) {
  const auto begins_character = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
  const auto characters = [&](std::string_view part) {
    return static_cast<uint64_t>(std::count_if(part.begin(), part.end(), begins_character));
  };
  report.bytes = text.size() - std::min(text.size(), unscored.size());
  report.characters = characters(text) - std::min(characters(text), characters(unscored));
}

Json ToJson(const PerplexityReport& report) {
  return {{"model", report.model},
          {"data", report.data},
          {"nll", Per(report, report.score.scored)},
          {"perplexity", PerplexityOf(report)},
          {"tokens", report.score.scored},
          {"nll_total", report.score.nll},
          {"bytes", report.bytes},
          {"characters", report.characters},
          {"nll_per_byte", Per(report, report.bytes)},
          {"nll_per_character", Per(report, report.characters)},
          {"bits_per_byte", Per(report, report.bytes) / kNatsPerBit},
          {"context", report.context},
          {"stride", report.stride},
          {"windows", report.score.windows},
          {"begin_token", report.has_begin}};
}

std::string ToText(const PerplexityReport& report) {
  std::string text =
      absl::StrCat(report.model, ": perplexity ", FormatDecimal(PerplexityOf(report), 4), ", ",
                   FormatDecimal(Per(report, report.score.scored), 5), " nats per token (", report.score.scored,
                   " tokens of ", report.bytes, " bytes)\n", FormatDecimal(Per(report, report.bytes) / kNatsPerBit, 4),
                   " bits per byte, ", FormatDecimal(Per(report, report.characters), 5), " nats per character (",
                   report.characters, " characters)\n", report.score.windows, " window(s) of up to ", report.context,
                   " tokens, ", report.stride, " scored in each after the first\n");
  if (!report.has_begin) {
    absl::StrAppend(&text, "The vocabulary has no begin token, so the first token of the text is not scored.\n");
  }
  return text;
}

}  // namespace enigma::cli
