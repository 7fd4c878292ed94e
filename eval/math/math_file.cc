#include "eval/math/math_file.h"

#include <optional>
#include <utility>

#include <absl/strings/str_cat.h>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "base/text.h"
#include "base/utf8.h"
#include "engine/corpus/line_source.h"
#include "engine/corpus/question_answer.h"
#include "engine/text/json_shape.h"
#include "eval/math/final_number.h"

namespace enigma::eval {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMathLineBytesMax = size_t{1} << 20;

// The errors of these are the rest of a sentence: the caller puts file and line before them.

absl::StatusOr<MathQuestion> WithNumber(std::string question, std::string answer, std::string kind) {
  std::optional<std::string> number = FinalNumber(answer);
  if (!number) return absl::InvalidArgumentError("the answer has no number to compare with");
  return MathQuestion{std::move(question), std::move(answer), *std::move(number), std::move(kind)};
}

absl::StatusOr<MathQuestion> QuestionOf(std::string_view line) {
  const Json object = engine::ParseJsonOfStrangers(line);
  if (!object.is_object()) return absl::InvalidArgumentError("this is no JSON object");
  const auto text = [&object](const char* name) -> std::optional<std::string> {
    const auto field = object.find(name);
    if (field == object.end() || !field->is_string()) return std::nullopt;
    return field->get<std::string>();
  };
  std::optional<std::string> question = text("question");
  std::optional<std::string> answer = text("answer");
  if (!question || engine::IsBlank(*question) || !answer) {
    return absl::InvalidArgumentError("the problem needs a text 'question' and a text 'answer'");
  }
  return WithNumber(*std::move(question), *std::move(answer), text("kind").value_or(""));
}

absl::StatusOr<std::vector<MathQuestion>> OfJsonLines(engine::LineSource lines) {
  std::vector<MathQuestion> questions;
  engine::Line line;
  while (true) {
    ENIGMA_ASSIGN_OR_RETURN(const bool more, lines.Next(line));
    if (!more) return questions;
    if (engine::IsBlank(line.text)) continue;
    absl::StatusOr<MathQuestion> question = QuestionOf(line.text);
    if (!question.ok()) return engine::ErrorAtLine(lines.name(), line.number, ToStd(question.status().message()));
    questions.push_back(*std::move(question));
  }
}

absl::StatusOr<std::vector<MathQuestion>> OfPairs(const engine::LineSource& lines) {
  std::vector<engine::Document> documents;
  engine::ReaderCounts counts;
  ENIGMA_RETURN_IF_ERROR(engine::ReadQuestions(lines, 0, documents, counts));
  std::vector<MathQuestion> questions;
  for (const engine::Document& document : documents) {
    std::string_view asked = document.segments.front().text;
    asked.remove_prefix(std::string_view("Q: ").size());
    asked.remove_suffix(std::string_view("\nA:").size());
    const std::string_view answered = engine::TrimmedBlanks(document.segments.back().text);
    absl::StatusOr<MathQuestion> question = WithNumber(std::string(asked), std::string(answered), "");
    if (!question.ok()) return engine::ErrorAtLine(lines.name(), document.line, ToStd(question.status().message()));
    questions.push_back(*std::move(question));
  }
  return questions;
}

}  // namespace

std::string MathLines(const std::vector<MathProblem>& problems) {
  std::string lines;
  for (const MathProblem& problem : problems) {
    const Json json = {{"question", problem.question}, {"answer", problem.answer}, {"kind", NameOf(problem.kind)}};
    lines += json.dump() + "\n";
  }
  return lines;
}

absl::StatusOr<std::vector<MathQuestion>> ParseMathQuestions(std::string_view text, std::string_view file_name) {
  if (ValidUtf8Prefix(text) != text.size()) {
    return absl::InvalidArgumentError(absl::StrCat(ToAbsl(file_name), " is no UTF-8 text"));
  }
  const engine::LineSource lines(text, file_name, kMathLineBytesMax);
  const bool is_pairs = engine::TrimmedBlanks(text).starts_with("Q:");
  ENIGMA_ASSIGN_OR_RETURN(std::vector<MathQuestion> questions, is_pairs ? OfPairs(lines) : OfJsonLines(lines));
  if (questions.empty()) return absl::InvalidArgumentError(absl::StrCat(ToAbsl(file_name), " has no problem"));
  return questions;
}

std::vector<MathQuestion> QuestionsOf(const std::vector<MathProblem>& problems) {
  std::vector<MathQuestion> questions;
  for (const MathProblem& problem : problems) {
    questions.push_back(
        {problem.question, problem.answer, *FinalNumber(problem.answer), std::string(NameOf(problem.kind))});
  }
  return questions;
}

}  // namespace enigma::eval
