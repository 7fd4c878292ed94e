#include "engine/text/pre_tokenizer_table.h"

#include <map>

namespace enigma::engine {
namespace {

// The patterns are those of the models' own tokenizer files; a name stands for the same models as in llama.cpp
// (https://github.com/ggml-org/llama.cpp/blob/master/src/llama-vocab.cpp). Where that program replaces a pattern by one
// that its regular expression engine can run, the models' own is used here.

// https://github.com/openai/gpt-2/blob/master/src/encoder.py
constexpr char kGpt2[] = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// cl100k (GPT-4), Llama 3, Qwen 2: they differ in how many digits make a piece.
std::string Cl100k(const std::string& digits) {
  return R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)" + digits +
         R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
}

// o200k (GPT-4o), Tekken (Mistral): words are also split where small letters are followed by capitals.
std::string O200k(const std::string& suffix, const std::string& digits) {
  const std::string first = R"([^\r\n\p{L}\p{N}]?)";
  const std::string upper = R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])";
  const std::string lower = R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])";
  return first + upper + "*" + lower + "+" + suffix + "|" + first + upper + "+" + lower + "*" + suffix + "|" + digits +
         R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
}

// The letters that DeepSeek LLM calls letters: those with case, as of the Unicode version it was made with.
constexpr char kCasedLetters[] =
    R"(A-Za-z\x{00B5}\x{00C0}-\x{00D6}\x{00D8}-\x{00F6}\x{00F8}-\x{01BA}\x{01BC}-\x{01BF}\x{01C4}-\x{0293})"
    R"(\x{0295}-\x{02AF}\x{0370}-\x{0373}\x{0376}\x{0377}\x{037B}-\x{037D}\x{037F}\x{0386}\x{0388}-\x{038A})"
    R"(\x{038C}\x{038E}-\x{03A1}\x{03A3}-\x{03F5}\x{03F7}-\x{0481}\x{048A}-\x{052F}\x{0531}-\x{0556})"
    R"(\x{10A0}-\x{10C5}\x{13A0}-\x{13F5}\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}\x{1CBD}-\x{1CBF}\x{1D00}-\x{1D2B})"
    R"(\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D}\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D})"
    R"(\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D}\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE})"
    R"(\x{1FC2}-\x{1FC4}\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4})"
    R"(\x{1FF6}-\x{1FFC}\x{2102}\x{2107}\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124}\x{2126}\x{2128})"
    R"(\x{212A}-\x{212D}\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F}\x{2145}-\x{2149}\x{214E}\x{2183}\x{2184})"
    R"(\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}\x{A640}-\x{A66D}\x{A680}-\x{A69B})"
    R"(\x{A722}-\x{A76F}\x{A771}-\x{A787}\x{A78B}-\x{A78E}\x{AB70}-\x{ABBF}\x{FB00}-\x{FB06}\x{FB13}-\x{FB17})"
    R"(\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}\x{10400}-\x{1044F}\x{104B0}-\x{104D3}\x{104D8}-\x{104FB})"
    R"(\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF}\x{1E900}-\x{1E943})";

constexpr char kCjk[] = R"([\x{4E00}-\x{9FA5}\x{0800}-\x{4E00}\x{AC00}-\x{D7FF}]+)";

struct Row {
  std::vector<std::string> names;
  PreTokenizerRule rule;
};

std::vector<Row> Rows() {
  const std::string contractions = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)";
  const std::string upto_three_digits = R"(\p{N}{1,3})";
  const std::string one_digit = R"(\p{N})";
  const std::string punctuation_runs = R"([\p{P}$+<=>^~|]+)";
  const std::string punctuation_runs_with_backtick = R"([\p{P}$+<=>^~|`]+)";
  return {
      {{"default"}, {.patterns = {punctuation_runs, kGpt2, R"(\p{N}+)", "[0-9][0-9][0-9]"}}},
      {{"gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "gigachat", "exaone4", "mellum"}, {.patterns = {kGpt2}}},
      {{"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "lfm2"},
       {.patterns = {Cl100k(upto_three_digits)}, .ignore_merges = true, .add_bos = true}},
      {{"cl100k", "dbrx", "smaug-bpe", "chatglm-bpe", "glm4"}, {.patterns = {Cl100k(upto_three_digits)}}},
      {{"qwen2", "deepseek-r1-qwen", "megrez", "stablelm2", "hunyuan", "grok-2", "kormo"},
       {.patterns = {Cl100k(one_digit)}}},
      {{"deepseek-llm"},
       {.patterns = {R"([\r\n])", std::string(R"(\s?[)") + kCasedLetters + "]+",
                     R"(\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+)", R"(\s+$)",
                     kCjk, one_digit}}},
      {{"deepseek-coder"}, {.patterns = {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", kCjk, one_digit}}},
      {{"deepseek-v3", "hunyuan-dense"},
       {.patterns = {upto_three_digits, R"([\x{4E00}-\x{9FA5}\x{3040}-\x{309F}\x{30A0}-\x{30FF}]+)",
                     R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|)"
                     R"( ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"}}},
      {{"falcon"}, {.patterns = {punctuation_runs_with_backtick, kGpt2, "[0-9][0-9][0-9]"}}},
      {{"starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b"},
       {.patterns = {one_digit, kGpt2}}},
      {{"tekken"}, {.patterns = {O200k("", one_digit)}, .ignore_merges = true, .add_bos = true}},
      {{"gpt-4o", "llama4", "kanana2"}, {.patterns = {O200k(contractions, upto_three_digits)}}},
  };
}

const std::map<std::string, PreTokenizerRule, std::less<>>& Rules() {
  static const auto* const rules = [] {
    auto* by_name = new std::map<std::string, PreTokenizerRule, std::less<>>;
    for (const Row& row : Rows()) {
      for (const std::string& name : row.names) by_name->emplace(name, row.rule);
    }
    return by_name;
  }();
  return *rules;
}

}  // namespace

const PreTokenizerRule* FindPreTokenizerRule(std::string_view name) {
  const auto found = Rules().find(name);
  return found == Rules().end() ? nullptr : &found->second;
}

std::string PreTokenizerNames() {
  std::string names;
  for (const auto& [name, rule] : Rules()) names += (names.empty() ? "" : ", ") + name;
  return names;
}

}  // namespace enigma::engine
