// `enigma train-tokenizer`: a tokenizer made from texts, as a GGUF file that holds only a vocabulary.
#include <cstdio>
#include <filesystem>
#include <memory>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "cli/commands/commands.h"
#include "cli/input/training_text.h"
#include "cli/output/format.h"
#include "cli/output/output_file.h"
#include "cli/output/progress.h"
#include "cli/usage_error.h"
#include "engine/spec/gguf_writer.h"
#include "engine/text/tokenizer_trainer.h"
#include "engine/text/vocabulary.h"

namespace enigma::cli {

namespace {

constexpr uint32_t kSparesMax = 65536;

struct TrainTokenizerFlags {
  std::vector<std::string> data;
  std::string kind = "bpe";
  uint32_t vocab_size = 0;
  uint32_t words = 0;
  std::string pre;
  std::vector<std::string> special;
  uint32_t spares = 16;
  bool chat_template = false;
  bool no_bos = false;
  std::string output = "tokenizer.gguf";
  bool force = false;
  bool json = false;
};

absl::StatusOr<std::unique_ptr<engine::TokenizerTrainer>> TrainerFor(const TrainTokenizerFlags& flags, bool has_words,
                                                                     Progress& progress) {
  engine::TokenizerTrainerOptions options;
  const bool by_characters = flags.kind == "char";
  if (has_words && !by_characters) return UsageError("--words goes with --kind char");
  options.kind = by_characters ? engine::TokenizerKind::kCharacter : engine::TokenizerKind::kBytePair;
  options.vocab_size = flags.vocab_size;
  if (has_words) options.words = flags.words;
  options.pre = flags.pre;
  options.special_tokens = engine::SpecialTokens::Standard(flags.special, flags.spares);
  options.add_bos = !flags.no_bos;
  if (flags.chat_template) options.chat_template = engine::kChatMlTemplate;
  options.progress = [&progress](uint64_t made, uint64_t wanted) { progress.Update(made, wanted); };
  auto trainer = engine::TokenizerTrainer::Create(std::move(options));
  if (!trainer.ok()) return UsageError(ToString(trainer.status().message()));
  return trainer;
}

absl::Status ReadTrainingFiles(const std::vector<TrainingFile>& files, engine::TokenizerTrainer& trainer) {
  uint64_t total = 0;
  for (const TrainingFile& file : files) total += file.bytes;
  Progress progress("reading");
  uint64_t before = 0;
  for (const TrainingFile& file : files) {
    ENIGMA_RETURN_IF_ERROR(ReadTrainingFile(file, [&](std::string_view text, uint64_t file_bytes) {
      trainer.Add(text);
      progress.Update(before + file_bytes, total, file.path);
    }));
    before += file.bytes;
  }
  if (trainer.counted().words().empty()) return absl::InvalidArgumentError("the data hold no text to learn from");
  return absl::OkStatus();
}

absl::Status Write(const engine::GgufMetadata& metadata, const std::string& path) {
  ENIGMA_ASSIGN_OR_RETURN(const auto writer, engine::GgufWriter::Create(path, metadata, {}));
  return writer->Finish().status();
}

void Report(const TrainTokenizerFlags& flags, bool has_words, const engine::TokenizerFile& file, size_t files,
            const engine::TokenizerTrainer& trainer, const engine::Tokenizer& tokenizer) {
  const uint64_t bytes = trainer.counted().bytes();
  const uint64_t tokens = trainer.CountTokens(tokenizer);
  const double bytes_per_token = static_cast<double>(bytes) / static_cast<double>(tokens);
  const size_t plain = file.vocabulary.tokens.size();
  const size_t words = plain - engine::kByteTokenCount - file.vocabulary.merges.size();
  if (flags.json) {
    PrintJson({{"path", flags.output},
               {"kind", flags.kind},
               {"pre", file.pre},
               {"vocab_size", tokenizer.vocab_size()},
               {"merges", file.vocabulary.merges.size()},
               {"words", words},
               {"special_tokens", file.special_tokens.texts.size()},
               {"files", files},
               {"bytes", bytes},
               {"distinct_words", trainer.counted().words().size()},
               {"tokens", tokens},
               {"bytes_per_token", bytes_per_token}});
  } else {
    std::printf("%s: %u tokens (%s, %s), %zu of them special; the data are %s in %zu file(s), %s bytes per token\n",
                flags.output.c_str(), tokenizer.vocab_size(), flags.kind.c_str(), file.pre.c_str(),
                file.special_tokens.texts.size(), FormatBytes(bytes).c_str(), files,
                FormatDecimal(bytes_per_token, 2).c_str());
  }
  if (tokenizer.vocab_size() < flags.vocab_size && (!has_words || words < flags.words)) {
    std::fprintf(stderr, "The data give no more than these %u of the %u tokens that were asked for.\n",
                 tokenizer.vocab_size(), flags.vocab_size);
  }
}

absl::Status RunTrainTokenizer(const TrainTokenizerFlags& flags, bool has_words) {
  Progress merging("merging pairs");
  ENIGMA_ASSIGN_OR_RETURN(const auto trainer, TrainerFor(flags, has_words, merging));
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<TrainingFile> files, FindTrainingFiles(flags.data));
  ENIGMA_RETURN_IF_ERROR(CheckOutputFile("--output", flags.output, flags.force));
  ENIGMA_RETURN_IF_ERROR(ReadTrainingFiles(files, *trainer));
  ENIGMA_ASSIGN_OR_RETURN(const engine::TokenizerFile file, trainer->Train());
  merging.Finish();
  ENIGMA_ASSIGN_OR_RETURN(const engine::GgufMetadata metadata,
                          engine::VocabularyMetadata(file, std::filesystem::path(flags.output).stem().string()));
  ENIGMA_ASSIGN_OR_RETURN(const auto tokenizer, engine::Tokenizer::FromGguf(metadata));
  ENIGMA_RETURN_IF_ERROR(CheckOutputFile("--output", flags.output, flags.force));  // training takes a while
  ENIGMA_RETURN_IF_ERROR(Write(metadata, flags.output));
  Report(flags, has_words, file, files.size(), *trainer, *tokenizer);
  return absl::OkStatus();
}

}  // namespace

void AddTrainTokenizer(Command& root) {
  Command command = root.Add("train-tokenizer", "make a tokenizer from texts");
  auto flags = std::make_shared<TrainTokenizerFlags>();
  command
      .Texts("--data", flags->data,
             "text to learn from, may be repeated: a file, or a folder with .txt, .md and .jsonl files; of JSON lines "
             "the strings of text, prompt, completion and messages, else all",
             "PATH")
      .Required();
  command.Number("--vocab-size", flags->vocab_size, "tokens at most, special ones among them", "N")
      .Required()
      .Between(engine::kByteTokenCount, engine::kVocabularyMax);
  command
      .Text("--kind", flags->kind,
            "bpe: byte pairs, merged by how often they occur (default); char: characters and whole words", "KIND")
      .Among({"bpe", "char"});
  const Argument words = command
                             .Number("--words", flags->words,
                                     "with --kind char: the most frequent words whole (default: as many as fit)", "N")
                             .Between(0, engine::kVocabularyMax);
  command.Text(
      "--pre", flags->pre,
      "how text is cut into words, by its name in GGUF files (default: qwen2, where each digit is a word; with "
      "--kind char tekken)",
      "NAME");
  command.Texts(
      "--special", flags->special,
      "one more token that is never cut, may be repeated; <|endoftext|>, <|pad|>, <|im_start|> and <|im_end|> "
      "are there anyway",
      "TOKEN");
  command.Number("--spares", flags->spares, "tokens <|spare_0|>, <|spare_1|>, ... for later use (default 16)", "N")
      .Between(0, kSparesMax);
  command.Switch("--chat-template", flags->chat_template,
                 "store ChatML as the chat template, for models that are trained on conversations");
  command.Switch("--no-bos", flags->no_bos, "texts do not begin with <|endoftext|>");
  command.Text("--output,-o", flags->output, "GGUF file to write (default tokenizer.gguf)", "FILE");
  command.Switch("--force", flags->force, "replace the file if it is there");
  command.Switch("--json", flags->json, "as JSON");
  command.Examples(
      {"enigma train-tokenizer --data stories/ --vocab-size 8192 --output stories.gguf",
       "enigma train-tokenizer --data chats.jsonl --vocab-size 4096 --chat-template --special \"<|tool|>\"",
       "enigma train-tokenizer --data names.txt --vocab-size 512 --kind char --words 100",
       "enigma tokenize --model stories.gguf --text \"Once upon a time\""});
  command.Does([flags, words] { return RunTrainTokenizer(*flags, words.given()); });
}

}  // namespace enigma::cli
