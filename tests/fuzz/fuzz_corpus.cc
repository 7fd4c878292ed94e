// A training file of a stranger, from its bytes to the batches of a step. The first byte chooses the format.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "base/utf8.h"
#include "engine/corpus/labelled_texts.h"
#include "engine/corpus/prepare.h"
#include "engine/corpus/slot_loader.h"
#include "engine/spec/router_spec.h"
#include "engine/text/chat_template.h"
#include "engine/text/tokenizer.h"
#include "tests/unit/engine/text/small_vocabularies.h"

namespace {

using namespace enigma;
using namespace enigma::engine;

void Require(bool holds) {
  if (!holds) std::abort();
}

const ChatTemplate& Chat() {
  static const ChatTemplate chat =
      ChatTemplate::Create(
          "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}"
          "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
          ChatTemplate::Options())
          .value();
  return chat;
}

const Tokenizer& SmallTokenizer(bool byte_pair) {
  static const std::unique_ptr<Tokenizer> tokenizers[] = {
      Tokenizer::FromGguf(testing::SentencePieceVocabulary()).value(),
      Tokenizer::FromGguf(testing::BytePairVocabulary("gpt-2")).value()};
  return *tokenizers[byte_pair ? 1 : 0];
}

// Every document is text, and what is left out is counted.
void CheckDocuments(const CorpusFile& file, const ReaderOptions& options, const Tokenizer& tokenizer,
                    const CorpusReport& report) {
  std::vector<Document> documents;
  const auto counts = ReadDocuments(file, 0, options, tokenizer, &Chat(), documents);
  Require(counts.ok() && counts->documents == documents.size() && !documents.empty());
  for (const Document& document : documents) {
    const std::string text = document.Text();
    Require(document.line > 0 && ValidUtf8Prefix(text) == text.size());
  }
  Require(documents.size() == report.training.documents + report.validation.documents + report.dropped.documents());
}

// Labelled texts, in every format: what is read can be a label and a text, and what is held out is some of it.
void CheckLabelledTexts(const CorpusFile& file, const ReaderOptions& reader) {
  for (const CorpusFormat format : {CorpusFormat::kAuto, CorpusFormat::kQuestions, CorpusFormat::kJsonLines}) {
    ReaderOptions options = reader;
    options.format = format;
    LabelledCorpus corpus;
    const auto counts = ReadLabelledTexts(file, 0, options, corpus.texts);
    if (!counts.ok()) {
      Require(!counts.status().message().empty());
      continue;
    }
    Require(counts->documents == corpus.texts.size() && !corpus.texts.empty());
    for (const LabelledText& text : corpus.texts) Require(CheckLabel(text.label).ok() && !text.text.empty());
    DropRepeatedTexts({file}, corpus);
    Require(HeldOut(corpus.texts, 0.3).size() == corpus.texts.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const CorpusFile file = {"fuzz", std::string_view(reinterpret_cast<const char*>(data) + 1, size - 1)};
  CorpusOptions options;
  options.reader.format = static_cast<CorpusFormat>(data[0] % 4);
  options.reader.part_bytes = data[0] & 16 ? 64 : 0;
  options.reader.line_bytes_max = 4096;
  options.filters.near_duplicate_words_min = 10;
  CheckLabelledTexts(file, options.reader);
  const Tokenizer& tokenizer = SmallTokenizer((data[0] & 32) != 0);
  const auto prepared = PrepareCorpus({file}, tokenizer, &Chat(), options);
  if (!prepared.ok()) {
    Require(!prepared.status().message().empty());
    return 0;
  }
  CheckDocuments(file, options.reader, tokenizer, prepared->report);
  const auto loader =
      SlotLoader::Create(prepared->tokens, {.context = 16, .sequences_per_step = 3, .slots = 2, .seed = data[0]});
  Require(loader.ok());
  const SlotBatch batch = loader->Load(1, 1);
  Require(batch.trained > 0 && batch.tokens.size() == batch.targets.size() && batch.tokens.size() <= 16 * 3);
  return 0;
}
