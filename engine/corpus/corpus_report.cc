#include "engine/corpus/corpus_report.h"

#include <algorithm>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace enigma::engine {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson PartJson(const CorpusPart& part) {
  return {{"documents", part.documents}, {"tokens", part.tokens}, {"trained", part.trained}};
}

std::string PartText(const char* name, const CorpusPart& part) {
  return absl::StrCat(name, ": ", part.documents, " documents, ", part.tokens, " tokens, ", part.trained,
                      " of them to learn\n");
}

}  // namespace

CorpusPart CorpusPartOf(const TokenSet& set, TokenSet::Part part) {
  return {set.documents(part), set.tokens(part), set.trained(part)};
}

uint64_t CorpusReport::documents_read() const {
  uint64_t sum = 0;
  for (const File& file : files) sum += file.counts.documents;
  return sum;
}

bool CorpusReport::only_questions() const {
  return documents_read() > 0 && std::all_of(files.begin(), files.end(), [](const File& file) {
           return file.counts.questions == file.counts.documents;
         });
}

std::string CorpusReport::ToText() const {
  std::string text;
  for (const File& file : files) {
    absl::StrAppend(&text, file.name, " (", ToAbsl(NameOf(file.counts.format)), "): ", file.counts.documents,
                    " documents in ", file.counts.lines, " lines, ", file.bytes, " bytes");
    if (file.counts.tool_answers > 0) absl::StrAppend(&text, ", ", file.counts.tool_answers, " answers by a tool");
    absl::StrAppend(&text, "\n");
  }
  for (size_t i = 0; i < kDropReasons; ++i) {
    const DropCount& count = dropped.by_reason[i];
    if (count.documents == 0) continue;
    absl::StrAppend(&text, "left out, ", ToAbsl(NameOf(static_cast<DropReason>(i))), ": ", count.documents, ", as ",
                    absl::StrJoin(count.examples, ", "), "\n");
  }
  absl::StrAppend(&text, PartText("training", training), PartText("validation", validation));
  for (const CorpusWarning& warning : warnings) absl::StrAppend(&text, "warning: ", warning.text, "\n");
  return text;
}

std::string CorpusReport::ToJson() const {
  OrderedJson json = {{"files", OrderedJson::array()}, {"dropped", OrderedJson::array()}};
  for (const File& file : files) {
    json["files"].push_back({{"name", file.name},
                             {"format", NameOf(file.counts.format)},
                             {"bytes", file.bytes},
                             {"lines", file.counts.lines},
                             {"documents", file.counts.documents},
                             {"tool_answers", file.counts.tool_answers}});
  }
  for (size_t i = 0; i < kDropReasons; ++i) {
    const DropCount& count = dropped.by_reason[i];
    if (count.documents == 0) continue;
    json["dropped"].push_back(
        {{"reason", NameOf(static_cast<DropReason>(i))}, {"documents", count.documents}, {"examples", count.examples}});
  }
  json["training"] = PartJson(training);
  json["validation"] = PartJson(validation);
  json["warnings"] = OrderedJson::array();
  for (const CorpusWarning& warning : warnings) {
    json["warnings"].push_back({{"code", warning.code}, {"text", warning.text}});
  }
  // Names of files may be no UTF-8.
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace enigma::engine
