#include "engine/corpus/labelled_texts.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>
#include <utility>

#include <absl/container/flat_hash_map.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/corpus/line_source.h"
#include "engine/corpus/normalised_text.h"
#include "engine/corpus/question_answer.h"
#include "engine/spec/router_spec.h"
#include "engine/text/json_shape.h"

namespace enigma::engine {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::string_view kToolMark = "[E:tool]";
constexpr size_t kShownMax = 5;

CorpusFormat FormatOfLabels(std::string_view name, std::string_view bytes, CorpusFormat asked) {
  if (asked != CorpusFormat::kAuto) return asked;
  const std::string_view first = TrimmedBlanks(FirstFilledLine(bytes));
  if (IsNamedJsonLines(name) || first.starts_with("{")) return CorpusFormat::kJsonLines;
  return first.starts_with("Q:") ? CorpusFormat::kQuestions : CorpusFormat::kLabels;
}

// Takes one text after the other.
class Taker {
 public:
  Taker(std::string_view name, uint32_t file, std::vector<LabelledText>& texts)
      : name_(name), file_(file), texts_(texts) {}

  absl::Status Take(std::string_view label, std::string_view text, uint64_t line) {
    label = TrimmedBlanks(label);
    text = TrimmedBlanks(text);
    if (const absl::Status checked = CheckLabel(label); !checked.ok()) {
      return Wrong(line, absl::StrCat("the label ", checked.message(), "; name one, or leave the line out"));
    }
    if (text.empty()) return Wrong(line, "the text is empty; write it, or leave the line out");
    texts_.push_back({std::string(label), std::string(text), file_, line});
    return absl::OkStatus();
  }

  absl::Status Wrong(uint64_t line, const std::string& what) const { return ErrorAtLine(name_, line, what); }

 private:
  std::string_view name_;
  const uint32_t file_;
  std::vector<LabelledText>& texts_;
};

absl::Status ReadTabbed(LineSource lines, Taker& taker, ReaderCounts& counts) {
  Line line;
  while (true) {
    ENIGMA_ASSIGN_OR_RETURN(const bool more, lines.Next(line));
    if (!more) return absl::OkStatus();
    if (IsBlank(line.text)) continue;
    ++counts.lines;
    const size_t tab = line.text.find('\t');
    if (tab == std::string_view::npos) {
      return taker.Wrong(line.number,
                         "no tab stands between label and text; write 'label<TAB>text', 'Q:' and 'A:' lines, or JSON "
                         "lines with \"label\" and \"text\"");
    }
    ENIGMA_RETURN_IF_ERROR(taker.Take(line.text.substr(0, tab), line.text.substr(tab + 1), line.number));
  }
}

absl::Status ReadPairs(const LineSource& lines, Taker& taker, ReaderCounts& counts) {
  constexpr std::string_view kHead = "Q: ";
  constexpr std::string_view kTail = "\nA:";
  std::vector<Document> documents;
  ENIGMA_RETURN_IF_ERROR(ReadQuestions(lines, 0, documents, counts));
  for (const Document& document : documents) {
    std::string_view question = document.segments[0].text;
    question.remove_prefix(kHead.size());
    question.remove_suffix(kTail.size());
    std::string_view answer = TrimmedBlanks(document.segments[1].text);
    if (answer.starts_with(kToolMark)) {
      answer.remove_prefix(kToolMark.size());
    } else if (answer.starts_with("[E:")) {
      return taker.Wrong(document.line, "a router's answer is the label alone, or '[E:tool]label'");
    }
    ENIGMA_RETURN_IF_ERROR(taker.Take(answer, question, document.line));
  }
  return absl::OkStatus();
}

absl::Status ReadRecords(LineSource lines, Taker& taker, ReaderCounts& counts) {
  Line line;
  while (true) {
    ENIGMA_ASSIGN_OR_RETURN(const bool more, lines.Next(line));
    if (!more) return absl::OkStatus();
    if (IsBlank(line.text)) continue;
    ++counts.lines;
    const OrderedJson record = ParseJsonOfStrangers(line.text);
    if (!record.is_object()) {
      return taker.Wrong(line.number, "this is no JSON object; write one per line, with \"label\" and \"text\"");
    }
    for (const char* field : {"label", "text"}) {
      const auto found = record.find(field);
      if (found == record.end() || !found->is_string()) {
        return taker.Wrong(line.number, absl::StrCat("the object has no string '", field,
                                                     "'; an object of a router has \"label\" and \"text\""));
      }
    }
    ENIGMA_RETURN_IF_ERROR(taker.Take(record["label"].get_ref<const std::string&>(),
                                      record["text"].get_ref<const std::string&>(), line.number));
  }
}

std::string PlaceOf(const std::vector<CorpusFile>& files, const LabelledText& text) {
  return absl::StrCat(files[text.file].name, ":", text.line);
}

// "3 labels have a single text ...: a, b, c"
std::string Listed(const std::string& what, const std::vector<std::string>& names) {
  const size_t shown = std::min(names.size(), kShownMax);
  return absl::StrCat(names.size(), " ", what, ": ", absl::StrJoin(names.begin(), names.begin() + shown, ", "),
                      shown < names.size() ? ", ..." : "");
}

}  // namespace

void DropRepeatedTexts(const std::vector<CorpusFile>& files, LabelledCorpus& corpus) {
  // Indices into `kept` of the texts that are the same, one per label, by their hash.
  absl::flat_hash_map<std::string, std::vector<size_t>> same_texts;
  std::vector<LabelledText> kept;
  std::vector<std::string> contradictions;
  for (LabelledText& text : corpus.texts) {
    const Sha256 hash = NormalisedHash(text.text);
    std::vector<size_t>& same = same_texts[std::string(hash.begin(), hash.end())];
    const auto like = [&](size_t i) {
      return absl::StrCat(PlaceOf(files, text), " (like ", PlaceOf(files, kept[i]), ")");
    };
    const auto repeated = std::find_if(same.begin(), same.end(), [&](size_t i) { return kept[i].label == text.label; });
    if (repeated != same.end()) {
      corpus.report.dropped.Add(DropReason::kExactDuplicate, like(*repeated));
      continue;
    }
    if (!same.empty()) contradictions.push_back(like(same.front()));
    same.push_back(kept.size());
    kept.push_back(std::move(text));
  }
  corpus.texts = std::move(kept);
  if (!contradictions.empty()) {
    corpus.report.warnings.push_back({"contradictions", Listed("texts stand under two labels", contradictions)});
  }
}

absl::StatusOr<ReaderCounts> ReadLabelledTexts(const CorpusFile& file, uint32_t file_index,
                                               const ReaderOptions& options, std::vector<LabelledText>& texts) {
  ENIGMA_RETURN_IF_ERROR(CheckFileIsText(file));
  const std::string_view bytes = WithoutByteOrderMark(file.bytes);
  ReaderCounts counts;
  counts.format = FormatOfLabels(file.name, bytes, options.format);
  const size_t before = texts.size();
  const LineSource lines(bytes, file.name, options.line_bytes_max);
  Taker taker(file.name, file_index, texts);
  switch (counts.format) {
    case CorpusFormat::kQuestions:
      ENIGMA_RETURN_IF_ERROR(ReadPairs(lines, taker, counts));
      break;
    case CorpusFormat::kJsonLines:
      ENIGMA_RETURN_IF_ERROR(ReadRecords(lines, taker, counts));
      break;
    case CorpusFormat::kText:
      return absl::InvalidArgumentError(
          absl::StrCat(file.name, ": running text has no labels; a router learns from labels, qa or jsonl"));
    case CorpusFormat::kAuto:
    case CorpusFormat::kLabels:
      ENIGMA_RETURN_IF_ERROR(ReadTabbed(lines, taker, counts));
      break;
  }
  counts.documents = texts.size() - before;
  if (counts.documents == 0) {
    return absl::InvalidArgumentError(absl::StrCat(file.name, ": the file holds no text; fill it, or leave it out"));
  }
  return counts;
}

absl::StatusOr<LabelledCorpus> ReadLabelledCorpus(const std::vector<CorpusFile>& files, const ReaderOptions& options) {
  LabelledCorpus corpus;
  for (size_t i = 0; i < files.size(); ++i) {
    ENIGMA_ASSIGN_OR_RETURN(const ReaderCounts counts,
                            ReadLabelledTexts(files[i], static_cast<uint32_t>(i), options, corpus.texts));
    corpus.report.files.push_back({files[i].name, files[i].bytes.size(), counts});
  }
  DropRepeatedTexts(files, corpus);
  std::map<std::string, uint64_t> counts;
  for (const LabelledText& text : corpus.texts) ++counts[text.label];
  std::vector<std::string> single;
  for (const auto& [label, count] : counts) {
    corpus.labels.push_back(label);
    if (count == 1) single.push_back(absl::StrCat("'", label, "'"));
  }
  if (corpus.labels.size() < 2 || corpus.labels.size() > RouterSpec::kLabelsMax) {
    return absl::InvalidArgumentError(absl::StrCat("the files hold ", corpus.labels.size(),
                                                   " labels; a router tells 2 to ", RouterSpec::kLabelsMax, " apart"));
  }
  if (!single.empty()) {
    corpus.report.warnings.push_back(
        {"single_texts", Listed("labels have a single text, from which little can be learned", single)});
  }
  return corpus;
}

std::vector<bool> HeldOut(const std::vector<LabelledText>& texts, double share) {
  std::map<std::string_view, std::vector<std::pair<Sha256, size_t>>> by_label;
  for (size_t i = 0; i < texts.size(); ++i) by_label[texts[i].label].emplace_back(NormalisedHash(texts[i].text), i);
  std::vector<bool> held(texts.size());
  for (auto& [label, members] : by_label) {
    std::sort(members.begin(), members.end());
    const auto wanted = static_cast<size_t>(std::floor(share * static_cast<double>(members.size()) + 0.5));
    for (size_t i = 0; i < std::min(wanted, members.size() - 1); ++i) held[members[i].second] = true;
  }
  return held;
}

}  // namespace enigma::engine
