#include "engine/spec/families/decoder_tensors.h"

#include <string>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_set.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "engine/spec/gguf_cursor.h"

namespace enigma::engine {
namespace {

using Shape = std::vector<uint64_t>;

std::string ShapeText(const Shape& shape) { return absl::StrCat("[", absl::StrJoin(shape, ", "), "]"); }

// Collects the names it has been asked for, so that what is left over in the file can be told.
class Checker {
 public:
  explicit Checker(const GgufFile& file, const std::string& architecture) : file_(file), architecture_(architecture) {}

  absl::Status Need(const std::string& name, const Shape& shape) {
    const TensorInfo* tensor = file_.FindTensor(name);
    if (tensor == nullptr) {
      return absl::NotFoundError(absl::StrCat(file_.path(), ": tensor '", name,
                                              "' is missing; a model of architecture '", architecture_, "' needs it"));
    }
    return CheckShape(*tensor, shape);
  }
  absl::Status Allow(const std::string& name, const Shape& shape) {
    const TensorInfo* tensor = file_.FindTensor(name);
    return tensor == nullptr ? absl::OkStatus() : CheckShape(*tensor, shape);
  }
  absl::Status NothingElse() const {
    for (const TensorInfo& tensor : file_.tensors()) {
      // Frequencies that old converters stored; they follow from the metadata.
      const bool redundant = absl::EndsWith(tensor.name, ".attn_rot_embd.weight");
      if (redundant || seen_.contains(tensor.name)) continue;
      return absl::UnimplementedError(
          absl::StrCat(file_.path(), ": tensor ", QuotedName(tensor.name), " at byte ", tensor.offset,
                       " is none that architecture '", architecture_,
                       "' is known to have; running the model without it would give wrong answers"));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status CheckShape(const TensorInfo& tensor, const Shape& expected) {
    Shape actual = tensor.shape;
    while (actual.size() > expected.size() && actual.back() == 1) actual.pop_back();
    if (actual != expected) {
      return absl::InvalidArgumentError(absl::StrCat(file_.path(), ": tensor ", QuotedName(tensor.name), " at byte ",
                                                     tensor.offset, " has shape ", ShapeText(tensor.shape),
                                                     ", the metadata says ", ShapeText(expected)));
    }
    seen_.insert(tensor.name);
    return absl::OkStatus();
  }

  const GgufFile& file_;
  const std::string& architecture_;
  absl::flat_hash_set<std::string> seen_;
};

std::vector<std::pair<const char*, Shape>> LayerTensors(const ModelSpec& spec) {
  const uint64_t hidden = spec.hidden;
  const uint64_t queries = uint64_t{spec.heads} * spec.head_dim;
  const uint64_t keys = uint64_t{spec.kv_heads} * spec.head_dim;
  std::vector<std::pair<const char*, Shape>> tensors = {
      {"attn_norm.weight", {hidden}},
      {"attn_q.weight", {hidden, queries}},
      {"attn_k.weight", {hidden, keys}},
      {"attn_v.weight", {hidden, keys}},
      {"attn_output.weight", {queries, hidden}},
      {"ffn_norm.weight", {hidden}},
      {"ffn_gate.weight", {hidden, spec.ffn}},
      {"ffn_up.weight", {hidden, spec.ffn}},
      {"ffn_down.weight", {spec.ffn, hidden}},
  };
  if (spec.qkv_bias) {
    tensors.insert(tensors.end(), {{"attn_q.bias", {queries}}, {"attn_k.bias", {keys}}, {"attn_v.bias", {keys}}});
  }
  if (spec.qk_norm) {
    tensors.insert(tensors.end(), {{"attn_q_norm.weight", {spec.head_dim}}, {"attn_k_norm.weight", {spec.head_dim}}});
  }
  return tensors;
}

}  // namespace

absl::Status CheckDecoderTensors(const GgufFile& file, const ModelSpec& spec) {
  Checker checker(file, spec.architecture);
  ENIGMA_RETURN_IF_ERROR(checker.Need("token_embd.weight", {spec.hidden, spec.vocab}));
  const auto layer_tensors = LayerTensors(spec);
  for (uint32_t layer = 0; layer < spec.layer_count(); ++layer) {
    for (const auto& [name, shape] : layer_tensors) {
      ENIGMA_RETURN_IF_ERROR(checker.Need(absl::StrCat("blk.", layer, ".", name), shape));
    }
  }
  ENIGMA_RETURN_IF_ERROR(checker.Need("output_norm.weight", {spec.hidden}));
  if (!spec.tied_embeddings) ENIGMA_RETURN_IF_ERROR(checker.Need("output.weight", {spec.hidden, spec.vocab}));
  ENIGMA_RETURN_IF_ERROR(checker.Allow(kRopeFactorsTensor, {spec.rope.dimensions / 2}));
  return checker.NothingElse();
}

}  // namespace enigma::engine
