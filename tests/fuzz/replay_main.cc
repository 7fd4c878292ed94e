// Runs a libFuzzer entry point without libFuzzer: every file of the corpus directory given, each of its truncations and
// a fixed set of mutations. An input that crashes or hangs the target fails the test; the name of the seed is printed
// first, so that the culprit is known.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

// Truncation lengths and mutated positions tried per seed; larger seeds are sampled evenly.
constexpr size_t kTruncationsMax = 4096;
constexpr size_t kPositionsMax = 1024;

// A heap block of exactly the input's size, so that a sanitizer sees a read past its end.
void RunOne(const uint8_t* data, size_t size) {
  const auto exact = std::make_unique<uint8_t[]>(size);
  std::copy_n(data, size, exact.get());
  LLVMFuzzerTestOneInput(exact.get(), size);
}

size_t Truncations(const Bytes& seed) {
  const size_t step = std::max<size_t>(1, seed.size() / kTruncationsMax);
  size_t runs = 0;
  for (size_t length = 0; length < seed.size(); length += step, ++runs) RunOne(seed.data(), length);
  return runs;
}

// Single bytes set to the values that break parsers: all ones, zero, sign bit, off by one.
size_t ByteMutations(const Bytes& seed) {
  const size_t step = std::max<size_t>(1, seed.size() / kPositionsMax);
  size_t runs = 0;
  Bytes changed = seed;
  for (size_t at = 0; at < seed.size(); at += step) {
    const uint8_t was = seed[at];
    for (const uint8_t value : {uint8_t{0xFF}, uint8_t{0}, uint8_t(was ^ 0x80), uint8_t(was + 1), uint8_t(was - 1)}) {
      if (value == was) continue;
      changed[at] = value;
      RunOne(changed.data(), changed.size());
      ++runs;
    }
    changed[at] = was;
  }
  return runs;
}

// Whole 32- and 64-bit fields of ones: lengths and counts that promise more than there is.
size_t FieldMutations(const Bytes& seed) {
  const size_t step = std::max<size_t>(1, seed.size() / kPositionsMax);
  size_t runs = 0;
  for (const size_t width : {size_t{4}, size_t{8}}) {
    for (size_t at = 0; at + width <= seed.size(); at += step, ++runs) {
      Bytes changed = seed;
      std::fill_n(changed.begin() + static_cast<std::ptrdiff_t>(at), width, uint8_t{0xFF});
      RunOne(changed.data(), changed.size());
    }
  }
  return runs;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s CORPUS_DIRECTORY\n", argv[0]);
    return 2;
  }
  std::error_code error;
  std::vector<std::filesystem::path> seeds;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1], error)) {
    if (entry.is_regular_file()) seeds.push_back(entry.path());
  }
  if (error || seeds.empty()) {
    std::fprintf(stderr, "no corpus in %s: add seed files there\n", argv[1]);
    return 1;
  }
  std::sort(seeds.begin(), seeds.end());
  RunOne(nullptr, 0);
  size_t runs = 1;
  for (const auto& path : seeds) {
    std::ifstream in(path, std::ios::binary);
    const Bytes seed{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    std::printf("%s (%zu bytes)\n", path.filename().c_str(), seed.size());
    std::fflush(stdout);
    RunOne(seed.data(), seed.size());
    runs += 1 + Truncations(seed) + ByteMutations(seed) + FieldMutations(seed);
  }
  std::printf("%zu inputs from %zu seeds\n", runs, seeds.size());
  return 0;
}
