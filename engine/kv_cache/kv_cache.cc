#include "engine/kv_cache/kv_cache.h"

#include <new>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

namespace enigma::engine {
namespace {

absl::Status CheckOptions(const KvCache::Options& options) {
  if (options.types.size() != options.layers) {
    return absl::InvalidArgumentError(
        absl::StrCat("KV cache: ", options.types.size(), " types given for ", options.layers, " layers"));
  }
  if (options.layers == 0 || options.kv_heads == 0 || options.head_dim == 0 || options.blocks == 0) {
    return absl::InvalidArgumentError(absl::StrCat("KV cache: a size is zero (layers ", options.layers, ", kv heads ",
                                                   options.kv_heads, ", head size ", options.head_dim, ", blocks ",
                                                   options.blocks, ")"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<KvCache> KvCache::Create(const Options& options) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  KvCache cache;
  cache.options_ = options;
  try {
    for (const KvType type : options.types) {
      const size_t bytes = KvBlockBytes(type, options.kv_heads, options.head_dim) * options.blocks;
      cache.layers_.emplace_back(bytes);
    }
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(absl::StrCat("KV cache of ", options.blocks, " blocks needs ", Bytes(options),
                                                     " bytes, which this machine does not have"));
  }
  return cache;
}

uint64_t KvCache::Bytes(const Options& options) {
  uint64_t bytes = 0;
  for (const KvType type : options.types) {
    bytes += uint64_t{KvBlockBytes(type, options.kv_heads, options.head_dim)} * options.blocks;
  }
  return bytes;
}

KvLayerView KvCache::layer(uint32_t index) {
  const KvType type = options_.types[index];
  return {.base = layers_[index].data(),
          .block_bytes = KvBlockBytes(type, options_.kv_heads, options_.head_dim),
          .type = type,
          .kv_heads = options_.kv_heads,
          .head_dim = options_.head_dim};
}

}  // namespace enigma::engine
