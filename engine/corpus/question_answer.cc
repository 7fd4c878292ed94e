#include "engine/corpus/question_answer.h"

#include <algorithm>
#include <string>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/corpus/text_documents.h"

namespace enigma::engine {
namespace {

constexpr std::string_view kQuestionMark = "Q:";
constexpr std::string_view kAnswerMark = "A:";
constexpr std::string_view kToolMarkStart = "[E:";

bool NamesTool(std::string_view answer) {
  const std::string_view rest = answer.substr(kToolMarkStart.size());
  const size_t end = rest.find(']');
  return end != std::string_view::npos && end > 0 && std::all_of(rest.begin(), rest.begin() + end, [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
         });
}

// A pair while its lines are read.
struct Pair {
  enum class State { kNone, kQuestion, kAnswer };
  State state = State::kNone;
  uint64_t line = 0;  // of the question
  std::string question;
  std::string answer;
};

}  // namespace

absl::StatusOr<Document> PairDocument(std::string_view question, std::string_view answer, ReaderCounts& counts) {
  question = TrimmedBlanks(question);
  answer = TrimmedBlanks(answer);
  if (question.empty()) return absl::InvalidArgumentError("the question is empty; write it, or leave the pair out");
  if (answer.empty()) return absl::InvalidArgumentError("the answer is empty; write it, or leave the pair out");
  if (answer.starts_with(kToolMarkStart)) {
    if (!NamesTool(answer)) {
      return absl::InvalidArgumentError(
          "the answer begins with '[E:' but names no tool; write [E:name], of letters, digits, '_', '-' and '.'");
    }
    ++counts.tool_answers;
  }
  ++counts.questions;
  Document document;
  document.kind = DocumentKind::kPair;
  document.segments.push_back({ToString(absl::StrCat("Q: ", ToAbsl(question), "\nA:")), /*trained=*/false});
  document.segments.push_back({ToString(absl::StrCat(" ", ToAbsl(answer))), /*trained=*/true});
  return document;
}

absl::Status ReadQuestions(LineSource lines, uint32_t file, std::vector<Document>& documents, ReaderCounts& counts) {
  using State = Pair::State;
  Pair pair;
  const auto finish = [&]() -> absl::Status {
    if (pair.state == State::kNone) return absl::OkStatus();
    if (pair.state == State::kQuestion) {
      return ErrorAtLine(lines.name(), pair.line, "the question has no answer; add a line that begins with 'A:' below");
    }
    absl::StatusOr<Document> document = PairDocument(pair.question, pair.answer, counts);
    if (!document.ok()) return ErrorAtLine(lines.name(), pair.line, ToStd(document.status().message()));
    document->file = file;
    document->line = pair.line;
    documents.push_back(*std::move(document));
    pair = {};
    return absl::OkStatus();
  };

  Line line;
  while (true) {
    ENIGMA_ASSIGN_OR_RETURN(const bool more, lines.Next(line));
    if (!more) break;
    std::string_view text = line.text;
    counts.lines += IsBlank(text) ? 0 : 1;
    if (text.starts_with(kQuestionMark)) {
      ENIGMA_RETURN_IF_ERROR(finish());
      pair.state = State::kQuestion;
      pair.line = line.number;
      pair.question = text.substr(kQuestionMark.size());
    } else if (text == kDocumentSeparator) {
      ENIGMA_RETURN_IF_ERROR(finish());
    } else if (text.starts_with(kAnswerMark) && pair.state != State::kNone) {
      if (pair.state == State::kAnswer) {
        return ErrorAtLine(lines.name(), line.number,
                           "a second answer to one question; begin a pair of its own with 'Q:', or indent the line");
      }
      pair.state = State::kAnswer;
      pair.answer = text.substr(kAnswerMark.size());
    } else if (pair.state == State::kNone) {
      if (!IsBlank(text)) {
        return ErrorAtLine(lines.name(), line.number,
                           "a line outside of any pair; a pair begins with a line that begins with 'Q:'");
      }
    } else {
      std::string& goes_on = pair.state == State::kAnswer ? pair.answer : pair.question;
      goes_on += '\n';
      goes_on += text;
    }
  }
  return finish();
}

}  // namespace enigma::engine
