// A token set from a stranger who knows how to compute its hash: what is accepted must load.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "engine/corpus/slot_loader.h"
#include "engine/corpus/token_set.h"
#include "engine/corpus/token_set_layout.h"

namespace {

using namespace enigma::engine;

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckLoader(const std::shared_ptr<const TokenSet>& set) {
  const auto loader = SlotLoader::Create(set, {.context = 8, .sequences_per_step = 5, .slots = 2, .seed = 1});
  if (!loader.ok()) return;
  for (uint32_t slot = 0; slot < 2; ++slot) {
    const SlotBatch batch = loader->Load(3, slot);
    const auto learned = std::count_if(batch.targets.begin(), batch.targets.end(), [](int32_t id) { return id >= 0; });
    Require(static_cast<uint64_t>(learned) == batch.trained && batch.starts.back() == batch.tokens.size());
    for (const int32_t id : batch.tokens) Require(id >= 0 && static_cast<uint32_t>(id) < set->vocabulary_size());
  }
  for (uint32_t i = 0; i < loader->validation_slots(); ++i) Require(!loader->LoadValidation(i).tokens.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace layout = token_set_layout;
  std::vector<uint8_t> bytes(data, data + size);
  const auto as_it_is = TokenSet::FromBytes(bytes, "fuzz");
  if (as_it_is.ok()) CheckLoader(*as_it_is);
  if (size < layout::kHeaderBytes) return 0;
  Sha256Hasher hasher;
  hasher.Update(bytes.data(), layout::kHashAt);
  hasher.Update(bytes.data() + layout::kHeaderBytes, size - layout::kHeaderBytes);
  const Sha256 hash = hasher.Finish();
  std::copy(hash.begin(), hash.end(), bytes.begin() + layout::kHashAt);
  const auto set = TokenSet::FromBytes(bytes, "fuzz");
  if (set.ok()) CheckLoader(*set);
  return 0;
}
