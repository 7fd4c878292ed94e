// A manifest as JSON from a peer: what is accepted must survive being written and read again.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/spec/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace enigma::engine;
  const auto manifest = ManifestFromJson(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!manifest.ok()) return 0;
  const auto again = ManifestFromJson(ManifestToJson(*manifest));
  if (!again.ok() || again->id != manifest->id || again->blobs.size() != manifest->blobs.size()) std::abort();
  return 0;
}
