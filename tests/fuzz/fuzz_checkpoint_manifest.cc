// A checkpoint's manifest as JSON, from a peer or a disk: what is accepted must survive being written and read again.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/checkpoint/checkpoint_manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace enigma::engine;
  const auto manifest = CheckpointManifestFromJson(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!manifest.ok()) return 0;
  const auto json = CheckpointManifestToJson(*manifest);
  if (!json.ok()) std::abort();
  const auto again = CheckpointManifestFromJson(*json);
  if (!again.ok() || again->files != manifest->files || again->step != manifest->step) std::abort();
  return 0;
}
