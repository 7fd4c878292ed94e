#include "engine/corpus/json_lines.h"

#include <array>
#include <string>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/corpus/chat_documents.h"
#include "engine/corpus/question_answer.h"
#include "engine/corpus/text_documents.h"
#include "engine/text/json_shape.h"

namespace enigma::engine {
namespace {

using OrderedJson = nlohmann::ordered_json;

// The fields that make a kind of record.
struct RecordKind {
  const char* first;
  const char* second;  // nullptr: there is none
};
constexpr RecordKind kText = {"text", nullptr};
constexpr RecordKind kCompletion = {"prompt", "completion"};
constexpr RecordKind kQuestion = {"question", "answer"};
constexpr RecordKind kMessages = {"messages", nullptr};
constexpr std::array<const RecordKind*, 4> kKinds = {&kText, &kCompletion, &kQuestion, &kMessages};
constexpr char kFields[] = "'text', 'prompt' and 'completion', 'question' and 'answer', or 'messages'";

bool HasAny(const OrderedJson& record, const RecordKind& kind) {
  return record.contains(kind.first) || (kind.second != nullptr && record.contains(kind.second));
}

// The errors of what follows are the rest of a sentence: the caller puts file and line before them.

absl::StatusOr<OrderedJson> ParseRecord(std::string_view line) {
  if (const absl::Status shape = CheckJsonShape(line); !shape.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("the object ", shape.message()));
  }
  try {
    OrderedJson record = OrderedJson::parse(line);
    if (record.is_object()) return record;
    if (record.is_array()) {
      return absl::InvalidArgumentError(
          "is a JSON list; write its objects one per line (jq -c '.[]' FILE.json > FILE.jsonl)");
    }
    return absl::InvalidArgumentError(absl::StrCat("is a JSON ", record.type_name(), ", not an object with ", kFields));
  } catch (const OrderedJson::exception& error) {
    // An open bracket alone is the beginning of a list or an object over several lines.
    const char* hint = line == "[" || line == "{" ? "; write one object per line (jq -c)" : "";
    return absl::InvalidArgumentError(absl::StrCat("is no JSON object: ", error.what(), hint));
  }
}

absl::StatusOr<const RecordKind*> FindKind(const OrderedJson& record) {
  const RecordKind* found = nullptr;
  for (const RecordKind* kind : kKinds) {
    if (!HasAny(record, *kind)) continue;
    if (found != nullptr) {
      const auto name = [&record](const RecordKind& k) { return record.contains(k.first) ? k.first : k.second; };
      return absl::InvalidArgumentError(
          absl::StrCat("has both '", name(*found), "' and '", name(*kind), "'; keep one of them"));
    }
    found = kind;
  }
  if (found == nullptr) {
    std::vector<std::string> names;
    for (const auto& [name, value] : record.items()) {
      if (names.size() < 5) names.push_back(name.substr(0, 40));
    }
    return absl::InvalidArgumentError(
        absl::StrCat("has none of the fields ", kFields,
                     names.empty() ? "" : absl::StrCat("; it has ", absl::StrJoin(names, ", "))));
  }
  return found;
}

absl::StatusOr<std::string_view> TextField(const OrderedJson& record, const char* name) {
  const auto field = record.find(name);
  if (field == record.end()) return absl::InvalidArgumentError(absl::StrCat("has no '", name, "'"));
  if (!field->is_string()) {
    return absl::InvalidArgumentError(absl::StrCat("'", name, "' must be a string, not ", field->type_name()));
  }
  return std::string_view(field->get_ref<const std::string&>());
}

bool IsGlued(std::string_view prompt, std::string_view completion) {
  const auto blank = [](char c) { return absl::ascii_isspace(static_cast<unsigned char>(c)); };
  return !prompt.empty() && !blank(prompt.back()) && !blank(completion.front());
}

class RecordReader {
 public:
  RecordReader(const ReaderOptions& options, const Tokenizer& tokenizer, const ChatTemplate* chat,
               std::vector<Document>& documents, ReaderCounts& counts)
      : options_(options), chat_(chat), documents_(documents), counts_(counts) {
    if (tokenizer.eos()) end_text_ = tokenizer.TokenBytes(*tokenizer.eos(), /*render_special=*/true);
  }

  absl::Status Read(const Line& line, uint32_t file) {
    ENIGMA_ASSIGN_OR_RETURN(const OrderedJson record, ParseRecord(line.text));
    ENIGMA_ASSIGN_OR_RETURN(const RecordKind* kind, FindKind(record));
    const size_t before = documents_.size();
    if (kind == &kText) {
      ENIGMA_ASSIGN_OR_RETURN(const std::string_view text, TextField(record, "text"));
      AppendText(std::string(text), options_.part_bytes, file, line.number, documents_);
      for (size_t i = before; i < documents_.size(); ++i) documents_[i].line = line.number;
      return absl::OkStatus();
    }
    if (kind == &kMessages) {
      ENIGMA_RETURN_IF_ERROR(ReadMessages(record));
    } else {
      ENIGMA_RETURN_IF_ERROR(ReadPair(record, *kind));
    }
    for (size_t i = before; i < documents_.size(); ++i) {
      documents_[i].file = file;
      documents_[i].line = line.number;
    }
    return absl::OkStatus();
  }

 private:
  absl::Status ReadPair(const OrderedJson& record, const RecordKind& kind) {
    ENIGMA_ASSIGN_OR_RETURN(const std::string_view first, TextField(record, kind.first));
    ENIGMA_ASSIGN_OR_RETURN(const std::string_view second, TextField(record, kind.second));
    if (&kind == &kQuestion) {
      ENIGMA_ASSIGN_OR_RETURN(Document pair, PairDocument(first, second, counts_));
      documents_.push_back(std::move(pair));
      return absl::OkStatus();
    }
    if (IsBlank(second)) return absl::InvalidArgumentError("the completion is empty; write it, or leave the line out");
    counts_.glued_pairs += IsGlued(first, second) ? 1 : 0;
    Document document;
    document.kind = DocumentKind::kPair;
    document.segments.push_back({std::string(first), /*trained=*/false});
    document.segments.push_back({std::string(second), /*trained=*/true});
    documents_.push_back(std::move(document));
    return absl::OkStatus();
  }

  absl::Status ReadMessages(const OrderedJson& record) {
    if (chat_ == nullptr) {
      return absl::InvalidArgumentError(
          "has 'messages', but the model has no chat template to write them with; give 'prompt' and 'completion', or "
          "take a model with a chat template");
    }
    const auto tools = record.find("tools");
    ENIGMA_ASSIGN_OR_RETURN(
        std::vector<Document> made,
        ChatDocuments(*chat_, *record.find("messages"), tools == record.end() ? OrderedJson() : *tools, end_text_));
    for (Document& document : made) documents_.push_back(std::move(document));
    return absl::OkStatus();
  }

  const ReaderOptions& options_;
  const ChatTemplate* chat_;
  std::vector<Document>& documents_;
  ReaderCounts& counts_;
  std::string end_text_;
};

}  // namespace

bool IsRecord(std::string_view line) {
  const OrderedJson record = ParseJsonOfStrangers(line);
  if (!record.is_object()) return false;
  for (const RecordKind* kind : kKinds) {
    if (HasAny(record, *kind)) return true;
  }
  return false;
}

absl::Status ReadJsonLines(LineSource lines, const ReaderOptions& options, const Tokenizer& tokenizer,
                           const ChatTemplate* chat, uint32_t file, std::vector<Document>& documents,
                           ReaderCounts& counts) {
  RecordReader reader(options, tokenizer, chat, documents, counts);
  Line line;
  while (true) {
    ENIGMA_ASSIGN_OR_RETURN(const bool more, lines.Next(line));
    if (!more) return absl::OkStatus();
    if (IsBlank(line.text)) continue;
    ++counts.lines;
    const absl::Status status = reader.Read(line, file);
    if (!status.ok()) return ErrorAtLine(lines.name(), line.number, ToStd(status.message()));
  }
}

}  // namespace enigma::engine
