// What a constraint costs per token: the mask and the step, for outputs that repeat a schema's typical text. The first
// output meets every state for the first time ("cold"); later ones find their masks made ("warm"). Prints JSON.
//   mask_bench VOCABULARY...     .gguf, or a tiktoken ranks file

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "benchmarks/or_die.h"
#include "engine/sampling/constraint/constraint_cache.h"
#include "engine/sampling/constraint/token_matcher.h"
#include "engine/spec/gguf.h"
#include "engine/text/tokenizer.h"

namespace enigma::engine {
namespace {

using Clock = std::chrono::steady_clock;

double MicrosecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

std::unique_ptr<Tokenizer> Load(const std::string& path) {
  if (path.ends_with(".gguf")) return OrDie(Tokenizer::FromGguf(OrDie(GgufFile::Open(path))->metadata()));
  std::ifstream in(path, std::ios::binary);
  const std::string ranks{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  return OrDie(Tokenizer::FromTiktoken(ranks, "llama-bpe", {"<|begin_of_text|>", "<|eot_id|>"}));
}

struct Workload {
  const char* name;
  const char* schema;
  const char* output;
};

constexpr Workload kWorkloads[] = {
    {"json_object", "",
     R"({"title": "The old house", "rooms": [{"name": "kitchen", "area": 12.5, "windows": 2}, {"name": "attic \"A\"",
"area": 30, "windows": 0}], "sold": false, "notes": "Near the river; the roof was mended in 1998."})"},
    {"record",
     R"({"type":"object","properties":{"name":{"type":"string","maxLength":200},"age":{"type":"integer","minimum":0,
         "maximum":150},"city":{"type":"string"},"tags":{"type":"array","items":{"enum":["red","green","blue"]}},
         "born":{"type":"string","format":"date"},"note":{"type":["string","null"]}},
         "required":["name","age","city","tags","born","note"],"additionalProperties":false})",
     R"({"name": "Ada Lovelace of the County of London", "age": 36, "city": "Marylebone", "tags": ["red", "blue"],
"born": "1815-12-10", "note": "wrote the first program"})"},
    {"pattern", R"({"type":"array","items":{"type":"string","pattern":"^[A-Za-z0-9 ,.'-]{1,64}$"}})",
     R"(["The quick brown fox", "jumps over the lazy dog, it is said", "and runs away"])"},
    {"calls",
     R"({"$calls":{"marks":[{"text":"<tool_call>"}],"calls":[{"value":{"type":"object","properties":
         {"name":{"const":"time_in"},"arguments":{"type":"object","properties":{"city":{"type":"string"}},
         "required":["city"]}},"required":["name","arguments"]}}],"close":"</tool_call>","several":true}})",
     R"(I shall look it up, since a <b>clock</b> is not at hand.
<tool_call> {"name": "time_in", "arguments": {"city": "Marylebone"}} </tool_call> That is what it says.)"},
};

std::string OneLine(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

void PrintPercentiles(const char* name, std::vector<double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1))];
  };
  std::printf("\"%s\": {\"tokens\": %zu, \"mean_us\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}",
              name, values.size(), sum / static_cast<double>(values.size()), at(0.5), at(0.99), values.back());
}

// Microseconds per token.
void Follow(const std::shared_ptr<const TokenConstraint>& constraint, const std::vector<TokenId>& ids,
            std::vector<double>& times) {
  TokenMatcher matcher(constraint);
  TokenBits mask;
  for (const TokenId id : ids) {
    const auto start = Clock::now();
    absl::Status status = matcher.FillMask(mask);
    if (status.ok()) status = matcher.Accept(id);
    times.push_back(MicrosecondsSince(start));
    if (!status.ok()) {
      std::fprintf(stderr, "%s\n", status.ToString().c_str());
      std::exit(1);
    }
  }
}

void Run(const std::string& path) {
  const std::unique_ptr<Tokenizer> tokenizer = Load(path);
  const auto start = Clock::now();
  ConstraintCache cache(*tokenizer);
  std::printf("{\"vocabulary\": \"%s\", \"tokens\": %u, \"trie_ms\": %.1f}\n", path.c_str(), tokenizer->vocab_size(),
              MicrosecondsSince(start) / 1000);
  for (const Workload& workload : kWorkloads) {
    const auto compile_start = Clock::now();
    const auto constraint = OrDie(cache.Get(workload.schema));
    const double compile_us = MicrosecondsSince(compile_start);
    const std::vector<TokenId> ids = tokenizer->Encode(OneLine(workload.output), {});
    std::vector<double> cold;
    std::vector<double> warm;
    Follow(constraint, ids, cold);
    for (int i = 0; i < 50; ++i) Follow(constraint, ids, warm);
    std::printf("  {\"schema\": \"%s\", \"compile_us\": %.0f, \"cached_kib\": %zu, ", workload.name, compile_us,
                constraint->cached_bytes() / 1024);
    PrintPercentiles("cold", cold);
    std::printf(", ");
    PrintPercentiles("warm", warm);
    std::printf("}\n");
  }
}

}  // namespace
}  // namespace enigma::engine

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s VOCABULARY...\n", argv[0]);
    return 2;
  }
  for (int i = 1; i < argc; ++i) enigma::engine::Run(argv[i]);
  return 0;
}
