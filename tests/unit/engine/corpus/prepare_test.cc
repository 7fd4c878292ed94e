#include "engine/corpus/prepare.h"

#include <memory>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/corpus/slot_loader.h"
#include "engine/spec/gguf.h"
#include "tests/support/test_data.h"
#include "tests/unit/engine/text/small_vocabularies.h"

namespace enigma::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::SmallTokenizer;
using Part = TokenSet::Part;

PreparedCorpus Prepare(const std::vector<CorpusFile>& files, const CorpusOptions& options = {}) {
  auto prepared = PrepareCorpus(files, SmallTokenizer(), nullptr, options);
  EXPECT_TRUE(prepared.ok()) << prepared.status();
  return std::move(prepared).value();
}

std::string Pairs(int first, int end) {
  std::string text;
  for (int i = first; i < end; ++i) {
    text += "Q: how much is " + std::to_string(i) + "?\nA: it is " + std::to_string(i) + "\n\n";
  }
  return text;
}

// The texts of a part.
std::multiset<std::string> Texts(const TokenSet& set, Part part) {
  std::multiset<std::string> texts;
  for (uint64_t i = 0; i < set.documents(part); ++i) {
    const uint64_t document = set.first_document(part) + i;
    std::vector<TokenId> ids;
    for (uint64_t at = set.begin(document); at < set.begin(document + 1); ++at) ids.push_back(set.Token(at));
    texts.insert(Decode(SmallTokenizer(), ids));
  }
  return texts;
}

std::vector<std::string> CodesOf(const CorpusReport& report) {
  std::vector<std::string> codes;
  for (const CorpusWarning& warning : report.warnings) codes.push_back(warning.code);
  return codes;
}

TEST(PrepareTest, FilesBecomeTokens) {
  const std::string pairs = Pairs(0, 3);
  const PreparedCorpus prepared = Prepare({{"pairs.txt", pairs}, {"text.md", "hello he"}});
  EXPECT_EQ(prepared.tokens->documents(Part::kTraining), 4u);
  EXPECT_EQ(Texts(*prepared.tokens, Part::kTraining),
            (std::multiset<std::string>{"Q: how much is 0?\nA: it is 0", "Q: how much is 1?\nA: it is 1",
                                        "Q: how much is 2?\nA: it is 2", "hello he"}));
  EXPECT_EQ(prepared.tokens->trained(Part::kTraining), 3 * 9u + 2) << "\" it is 1\" and the end, \" he\" and the end";
  EXPECT_EQ(prepared.report.training.documents, 4u);
  EXPECT_EQ(prepared.report.training.trained, 29u);
  EXPECT_EQ(prepared.report.documents_read(), 4u);
  EXPECT_FALSE(prepared.report.only_questions());
  EXPECT_TRUE(Prepare({{"pairs.txt", pairs}}).report.only_questions());
  EXPECT_THAT(CodesOf(prepared.report), ElementsAre("few_examples", "no_validation"));
  EXPECT_TRUE(prepared.tokens->CheckVocabulary(SmallTokenizer()).ok());
  const auto other = Tokenizer::FromGguf(testing::SentencePieceVocabulary()).value();
  EXPECT_TRUE(absl::IsFailedPrecondition(prepared.tokens->CheckVocabulary(*other)));
}

TEST(PrepareTest, ValidationIsApartAndStays) {
  const std::string some = Pairs(0, 1000);
  const PreparedCorpus before = Prepare({{"a.txt", some}});
  const auto training = Texts(*before.tokens, Part::kTraining);
  const auto validation = Texts(*before.tokens, Part::kValidation);
  EXPECT_EQ(training.size() + validation.size(), 1000u);
  EXPECT_GT(validation.size(), 25u);  // 50 are expected
  EXPECT_LT(validation.size(), 75u);
  for (const std::string& text : validation) EXPECT_EQ(training.count(text), 0u);
  // More documents, in another file before the first: nobody changes sides.
  const std::string more = Pairs(1000, 2000);
  const PreparedCorpus after = Prepare({{"b.txt", more}, {"a.txt", some}});
  const auto later = Texts(*after.tokens, Part::kValidation);
  for (const std::string& text : validation) EXPECT_EQ(later.count(text), 1u);
  for (const std::string& text : training) EXPECT_EQ(later.count(text), 0u);
}

TEST(PrepareTest, ValidationOfFewDocuments) {
  const auto kept = [](int documents, double share) {
    const std::string pairs = Pairs(0, documents);
    CorpusOptions options;
    options.validation_share = share;
    return Prepare({{"a.txt", pairs}}, options).report.validation.documents;
  };
  EXPECT_EQ(kept(19, 0.4), 0u);
  EXPECT_EQ(kept(20, 0.0001), 1u);
  EXPECT_EQ(kept(20, 0), 0u);
  // Where all are the same, none is left for training.
  CorpusOptions same;
  same.filters.exact_duplicates = false;
  std::string pairs;
  for (int i = 0; i < 30; ++i) pairs += Pairs(5, 6);
  EXPECT_EQ(Prepare({{"a.txt", pairs}}, same).report.training.documents, 30u);
}

TEST(PrepareTest, DuplicatesWithinAPartOrAcrossAreLeftOut) {
  const std::string pairs = Pairs(0, 100) + Pairs(0, 100);
  const PreparedCorpus prepared = Prepare({{"a.txt", pairs}});
  EXPECT_EQ(prepared.report.training.documents + prepared.report.validation.documents, 100u);
  EXPECT_EQ(prepared.report.dropped[DropReason::kExactDuplicate].documents, 100u);
  EXPECT_THAT(CodesOf(prepared.report), ElementsAre("few_examples", "many_duplicates"));
}

TEST(PrepareTest, SameInputSameBytes) {
  const std::string pairs = Pairs(0, 500);
  const std::vector<CorpusFile> files = {{"a.txt", pairs}, {"b.txt", "hello"}};
  EXPECT_EQ(Prepare(files).tokens->hash(), Prepare(files).tokens->hash());
  CorpusOptions all;
  all.train_on_prompts = true;
  EXPECT_NE(Prepare(files, all).tokens->hash(), Prepare(files).tokens->hash());
  EXPECT_EQ(Prepare(files, all).report.training.trained,
            Prepare(files, all).report.training.tokens - Prepare(files, all).report.training.documents);
}

TEST(PrepareTest, ConversationsGoThroughTheTemplate) {
  const auto chat = ChatTemplate::Create(
      "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}"
      "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
      {});
  ASSERT_TRUE(chat.ok());
  constexpr char kLine[] =
      R"({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]})";
  const auto prepared = PrepareCorpus({{"c.jsonl", kLine}}, SmallTokenizer(), &*chat, {});
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  const TokenSet& set = *prepared->tokens;
  std::vector<TokenId> learned;
  for (uint64_t at = 0; at < set.tokens(); ++at) {
    if (set.IsTrained(at)) learned.push_back(set.Token(at));
  }
  EXPECT_EQ(learned, (std::vector<TokenId>{testing::kBpHello, testing::kBpEnd}));
  EXPECT_EQ(set.Token(0), testing::kBpStart);
}

TEST(PrepareTest, Errors) {
  const auto error = [](const std::vector<CorpusFile>& files, const CorpusOptions& options = {}) {
    return std::string(PrepareCorpus(files, SmallTokenizer(), nullptr, options).status().message());
  };
  EXPECT_THAT(error({}), HasSubstr("no files"));
  EXPECT_THAT(error({{"a.txt", "Q: a"}}), HasSubstr("a.txt:1: the question has no answer"));
  CorpusOptions half;
  half.validation_share = 0.5;
  EXPECT_THAT(error({{"a.txt", "a"}}, half), HasSubstr("validation_share"));
  CorpusOptions strict;
  strict.filters.characters_min = 100;
  EXPECT_THAT(error({{"a.txt", "a"}}, strict), HasSubstr("nothing is left to train on"));
  EXPECT_THAT(error({{"a.txt", "a"}}, strict), HasSubstr("left out, too short: 1, as a.txt:1"));
}

TEST(PrepareTest, ProgressIsHeardAndMayEndTheWork) {
  const std::string pairs = Pairs(0, 600);
  std::set<CorpusStage> heard;
  const auto listen = [&heard](CorpusStage stage, uint64_t done, uint64_t total) {
    EXPECT_LE(done, total);
    heard.insert(stage);
    return true;
  };
  ASSERT_TRUE(PrepareCorpus({{"a.txt", pairs}}, SmallTokenizer(), nullptr, {}, listen).ok());
  EXPECT_THAT(heard, ElementsAre(CorpusStage::kReading, CorpusStage::kFiltering, CorpusStage::kTokenising));
  for (const CorpusStage stop : heard) {
    const auto until = [stop](CorpusStage stage, uint64_t, uint64_t) { return stage != stop; };
    EXPECT_TRUE(absl::IsCancelled(PrepareCorpus({{"a.txt", pairs}}, SmallTokenizer(), nullptr, {}, until).status()));
  }
}

TEST(PrepareTest, ReportAsTextAndJson) {
  const std::string pairs = Pairs(0, 30) + Pairs(0, 5);
  const PreparedCorpus prepared = Prepare({{"a\"b.txt", pairs}, {"c.jsonl", R"({"prompt": "a", "completion": "b"})"}});
  const std::string text = prepared.report.ToText();
  EXPECT_THAT(text, HasSubstr("a\"b.txt (qa): 35 documents in 70 lines, "));
  EXPECT_THAT(text, HasSubstr("left out, exact duplicate: 5, as a\"b.txt:91 (like a\"b.txt:1), "));
  EXPECT_THAT(text, HasSubstr("warning: 1 completions follow their prompt"));
  const auto json = nlohmann::json::parse(prepared.report.ToJson());
  EXPECT_EQ(json["files"][0]["name"], "a\"b.txt");
  EXPECT_EQ(json["files"][1]["format"], "jsonl");
  EXPECT_EQ(json["dropped"][0]["reason"], "exact duplicate");
  EXPECT_EQ(json["dropped"][0]["documents"], 5);
  EXPECT_EQ(json["dropped"][0]["examples"].size(), 3u);
  EXPECT_EQ(json["training"]["documents"].get<int>() + json["validation"]["documents"].get<int>(), 31);
  EXPECT_EQ(json["warnings"][0]["code"], "few_examples");
}

TEST(PrepareTest, ABookBecomesPartsWithNothingLost) {
  ENIGMA_REQUIRE_DATA(book, "text/tinyshakespeare.txt");
  ENIGMA_REQUIRE_DATA(model, "models/stories260K-f32.gguf");
  const auto file = GgufFile::Open(model);
  ASSERT_TRUE(file.ok());
  const auto tokenizer = Tokenizer::FromGguf((*file)->metadata());
  ASSERT_TRUE(tokenizer.ok());
  const std::string bytes = ::enigma::testing::ReadFileOrDie(book);
  const auto prepared = PrepareCorpus({{"tinyshakespeare.txt", bytes}}, **tokenizer, nullptr, {});
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  const TokenSet& set = *prepared->tokens;
  EXPECT_GE(set.documents(), 30u);
  EXPECT_GE(set.documents(Part::kValidation), 1u);
  EXPECT_EQ(prepared->report.dropped.documents(), 0u);
  size_t found = 0;
  for (uint64_t document = 0; document < set.documents(); ++document) {
    std::vector<TokenId> ids;
    for (uint64_t at = set.begin(document); at < set.begin(document + 1); ++at) ids.push_back(set.Token(at));
    const std::string text = Decode(**tokenizer, ids);
    EXPECT_NE(bytes.find(text), std::string::npos) << document;
    found += text.size();
  }
  EXPECT_GE(found + 4, bytes.size());

  const auto loader = SlotLoader::Create(prepared->tokens, {.context = 256, .sequences_per_step = 8, .slots = 4});
  ASSERT_TRUE(loader.ok());
  EXPECT_GT(loader->training_counts().fill, 0.99);
}

}  // namespace
}  // namespace enigma::engine
