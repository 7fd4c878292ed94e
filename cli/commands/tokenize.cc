// `enigma tokenize`: the token ids of a text.
#include <cstdio>
#include <memory>

#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "cli/commands/commands.h"
#include "cli/input/read_text.h"
#include "cli/output/format.h"
#include "engine/spec/gguf.h"
#include "engine/text/tokenizer.h"

namespace enigma::cli {

namespace {

struct TokenizeFlags {
  std::string model;
  std::string text;
  std::string file;
  engine::TokenizeOptions options;
  bool json = false;
};

absl::StatusOr<std::string> TextOf(const TokenizeFlags& flags, bool has_text) {
  if (has_text) return flags.text;
  return ReadText(flags.file.empty() ? "-" : flags.file);
}

absl::Status RunTokenize(const TokenizeFlags& flags, bool has_text) {
  ENIGMA_ASSIGN_OR_RETURN(const auto file, engine::GgufFile::Open(flags.model));
  ENIGMA_ASSIGN_OR_RETURN(const auto tokenizer, engine::Tokenizer::FromGguf(file->metadata()));
  ENIGMA_ASSIGN_OR_RETURN(const std::string text, TextOf(flags, has_text));
  const std::vector<engine::TokenId> ids = tokenizer->Encode(text, flags.options);
  if (flags.json) {
    PrintJson({{"model", flags.model}, {"ids", ids}, {"count", ids.size()}});
  } else {
    std::printf("%s\n", absl::StrJoin(ids, " ").c_str());
  }
  return absl::OkStatus();
}

}  // namespace

void AddTokenize(Command& root) {
  Command command = root.Add("tokenize", "the token ids of a text");
  auto flags = std::make_shared<TokenizeFlags>();
  command.Text("--model,-m", flags->model, "GGUF file (one that holds only a vocabulary will do)", "PATH").Required();
  const Argument text = command.MaybeEmptyText("--text", flags->text, "the text", "TEXT");
  command.Text("--file", flags->file, "the whole of this file; - or nothing reads standard input", "PATH")
      .Excludes(text);
  command.Switch("--add-special", flags->options.add_special, "add BOS or EOS where the model asks for it");
  command.Switch("--parse-special", flags->options.parse_special, "control tokens in the text are tokens");
  command.Switch("--json", flags->json, "as JSON");
  command.Examples({"enigma tokenize --model model.gguf --text \"Once upon a time\"",
                    "enigma tokenize --model model.gguf --json --file story.txt"});
  command.Does([flags, text] { return RunTokenize(*flags, text.given()); });
}

}  // namespace enigma::cli
