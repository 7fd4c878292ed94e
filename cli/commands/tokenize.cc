// `enigma tokenize`: the token ids of a text.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "cli/commands/commands.h"
#include "cli/output/format.h"
#include "engine/spec/gguf.h"
#include "engine/text/tokenizer.h"

namespace enigma::cli {

namespace {

struct TokenizeFlags {
  std::string model;
  std::string text;
  std::string file;
  bool has_text = false;
  engine::TokenizeOptions options;
  bool json = false;
};

absl::StatusOr<std::string> TextOf(const TokenizeFlags& flags) {
  if (flags.has_text) return flags.text;
  if (flags.file.empty() || flags.file == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::ifstream in(flags.file, std::ios::binary);
  if (!in) return absl::NotFoundError(absl::StrCat(flags.file, ": cannot be read"));
  return std::string(std::istreambuf_iterator<char>(in), {});
}

absl::Status RunTokenize(const TokenizeFlags& flags) {
  ENIGMA_ASSIGN_OR_RETURN(const auto file, engine::GgufFile::Open(flags.model));
  ENIGMA_ASSIGN_OR_RETURN(const auto tokenizer, engine::Tokenizer::FromGguf(file->metadata()));
  ENIGMA_ASSIGN_OR_RETURN(const std::string text, TextOf(flags));
  const std::vector<engine::TokenId> ids = tokenizer->Encode(text, flags.options);
  if (flags.json) {
    PrintJson({{"model", flags.model}, {"ids", ids}, {"count", ids.size()}});
  } else {
    std::printf("%s\n", absl::StrJoin(ids, " ").c_str());
  }
  return absl::OkStatus();
}

}  // namespace

void AddTokenize(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("tokenize", "the token ids of a text");
  auto flags = std::make_shared<TokenizeFlags>();
  command->add_option("--model,-m", flags->model, "GGUF file (one that holds only a vocabulary will do)")
      ->required()
      ->type_name("PATH");
  CLI::Option* text = command->add_option("--text", flags->text, "the text")->type_name("TEXT");
  command->add_option("--file", flags->file, "the whole of this file; - or nothing reads standard input")
      ->type_name("PATH")
      ->excludes(text);
  command->add_flag("--add-special", flags->options.add_special, "add BOS or EOS where the model asks for it");
  command->add_flag("--parse-special", flags->options.parse_special, "control tokens in the text are tokens");
  command->add_flag("--json", flags->json, "as JSON");
  command->callback([&action, flags, text] {
    flags->has_text = text->count() > 0;
    action = [flags] { return RunTokenize(*flags); };
  });
}

}  // namespace enigma::cli
