#include "tests/unit/engine/training/reference_decoder.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/text.h"

namespace enigma::engine {
namespace {

using Vector = std::vector<double>;

class Reference {
 public:
  Reference(const ModelSpec& spec, const ParameterLayout& layout, const Vector& weights, const ReferenceLora* lora)
      : spec_(spec), layout_(layout), weights_(weights), lora_(lora) {}

  double Loss(const SlotBatch& batch) const {
    double loss = 0;
    for (size_t d = 0; d + 1 < batch.starts.size(); ++d)
      loss += DocumentLoss(batch, batch.starts[d], batch.starts[d + 1]);
    return loss;
  }

 private:
  const double* At(const std::string& name) const { return weights_.data() + layout_.Find(name)->offset; }
  const double* At(uint32_t layer, const char* suffix) const {
    return At("blk." + std::to_string(layer) + "." + suffix);
  }

  static Vector Product(const double* w, size_t rows, const Vector& x) {
    Vector out(rows);
    for (size_t r = 0; r < rows; ++r) {
      for (size_t c = 0; c < x.size(); ++c) out[r] += w[r * x.size() + c] * x[c];
    }
    return out;
  }

  // W x of a layer's matrix and, where it has factors, s B (A x).
  Vector LayerProduct(uint32_t layer, const std::string& matrix, size_t rows, const Vector& x) const {
    const std::string name = "blk." + std::to_string(layer) + "." + matrix + ".weight";
    Vector out = Product(At(name), rows, x);
    const Parameter* a = lora_ == nullptr ? nullptr : lora_->layout.Find(name + kLoraA);
    if (a == nullptr) return out;
    const size_t b = lora_->layout.Find(name + kLoraB)->offset;
    const Vector inner = Product(lora_->factors.data() + a->offset, a->shape[1], x);
    const Vector added = Product(lora_->factors.data() + b, rows, inner);
    for (size_t i = 0; i < rows; ++i) out[i] += lora_->scale * added[i];
    return out;
  }

  void Norm(double* x, size_t width, const double* weight) const {
    double squares = 0;
    for (size_t i = 0; i < width; ++i) squares += x[i] * x[i];
    const double scale = 1 / std::sqrt(squares / static_cast<double>(width) + double{spec_.norm_epsilon});
    for (size_t i = 0; i < width; ++i) x[i] *= scale * weight[i];
  }
  Vector Normed(Vector x, const double* weight) const {
    Norm(x.data(), x.size(), weight);
    return x;
  }

  void Rotate(double* head, double position) const {
    const uint32_t pairs = spec_.rope.dimensions / 2;
    for (uint32_t i = 0; i < pairs; ++i) {
      const double angle = position * std::pow(spec_.rope.theta, -2.0 * i / spec_.rope.dimensions);
      const bool halves = spec_.rope.pairing == RopePairing::kHalves;
      double& a = head[halves ? i : 2 * i];
      double& b = head[halves ? i + pairs : 2 * i + 1];
      const double first = a;
      a = first * std::cos(angle) - b * std::sin(angle);
      b = first * std::sin(angle) + b * std::cos(angle);
    }
  }

  // Queries or keys of one token.
  Vector Heads(uint32_t layer, const Vector& normed, const char* which, uint32_t heads, double position) const {
    const std::string name = "attn_" + std::string(which);
    Vector out = LayerProduct(layer, name, size_t{heads} * spec_.head_dim, normed);
    if (spec_.qkv_bias) {
      const double* bias = At(layer, (name + ".bias").c_str());
      for (size_t i = 0; i < out.size(); ++i) out[i] += bias[i];
    }
    if (std::string(which) == "v") return out;
    for (uint32_t h = 0; h < heads; ++h) {
      double* head = out.data() + size_t{h} * spec_.head_dim;
      if (spec_.qk_norm) Norm(head, spec_.head_dim, At(layer, (name + "_norm.weight").c_str()));
      Rotate(head, position);
    }
    return out;
  }

  void Attend(uint32_t layer, std::vector<Vector>& xs, const uint32_t* positions) const {
    const size_t dim = spec_.head_dim;
    std::vector<Vector> q, k, v;
    for (size_t t = 0; t < xs.size(); ++t) {
      const Vector normed = Normed(xs[t], At(layer, "attn_norm.weight"));
      q.push_back(Heads(layer, normed, "q", spec_.heads, positions[t]));
      k.push_back(Heads(layer, normed, "k", spec_.kv_heads, positions[t]));
      v.push_back(Heads(layer, normed, "v", spec_.kv_heads, positions[t]));
    }
    const uint32_t window = spec_.layers[layer].window;
    for (size_t t = 0; t < xs.size(); ++t) {
      Vector mixed(size_t{spec_.heads} * dim);
      const size_t first = window > 0 && t + 1 > window ? t + 1 - window : 0;
      for (size_t h = 0; h < spec_.heads; ++h) {
        const size_t kv = h / (spec_.heads / spec_.kv_heads);
        Vector p;
        double sum = 0;
        for (size_t s = first; s <= t; ++s) {
          double score = 0;
          for (size_t i = 0; i < dim; ++i) score += q[t][h * dim + i] * k[s][kv * dim + i];
          p.push_back(std::exp(score / std::sqrt(static_cast<double>(dim))));
          sum += p.back();
        }
        for (size_t s = first; s <= t; ++s) {
          for (size_t i = 0; i < dim; ++i) mixed[h * dim + i] += p[s - first] / sum * v[s][kv * dim + i];
        }
      }
      const Vector out = LayerProduct(layer, "attn_output", spec_.hidden, mixed);
      for (size_t i = 0; i < out.size(); ++i) xs[t][i] += out[i];
    }
  }

  void FeedForward(uint32_t layer, Vector& x) const {
    const Vector normed = Normed(x, At(layer, "ffn_norm.weight"));
    Vector gate = LayerProduct(layer, "ffn_gate", spec_.ffn, normed);
    const Vector up = LayerProduct(layer, "ffn_up", spec_.ffn, normed);
    for (size_t i = 0; i < gate.size(); ++i) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
    const Vector out = LayerProduct(layer, "ffn_down", spec_.hidden, gate);
    for (size_t i = 0; i < out.size(); ++i) x[i] += out[i];
  }

  double DocumentLoss(const SlotBatch& batch, size_t begin, size_t end) const {
    std::vector<Vector> xs;
    for (size_t t = begin; t < end; ++t) {
      const double* row = At("token_embd.weight") + static_cast<size_t>(batch.tokens[t]) * spec_.hidden;
      xs.emplace_back(row, row + spec_.hidden);
    }
    for (uint32_t layer = 0; layer < spec_.layer_count(); ++layer) {
      Attend(layer, xs, batch.positions.data() + begin);
      for (Vector& x : xs) FeedForward(layer, x);
    }
    double loss = 0;
    for (size_t t = begin; t < end; ++t) {
      if (batch.targets[t] < 0) continue;
      const Vector logits = Product(At(spec_.tied_embeddings ? "token_embd.weight" : "output.weight"), spec_.vocab,
                                    Normed(xs[t - begin], At("output_norm.weight")));
      double sum = 0;
      for (const double logit : logits) sum += std::exp(logit);
      loss += std::log(sum) - logits[static_cast<size_t>(batch.targets[t])];
    }
    return loss;
  }

  const ModelSpec& spec_;
  const ParameterLayout& layout_;
  const Vector& weights_;
  const ReferenceLora* lora_;
};

}  // namespace

ModelSpec SmallSpec() {
  ModelSpec spec;
  spec.architecture = "llama";
  spec.hidden = 32;
  spec.ffn = 48;
  spec.heads = 4;
  spec.kv_heads = 2;
  spec.head_dim = 8;
  spec.vocab = 23;
  spec.context = 64;
  spec.tied_embeddings = true;
  spec.rope.dimensions = 8;
  spec.layers.assign(2, LayerSpec{});
  return spec;
}

double ReferenceLoss(const ModelSpec& spec, const ParameterLayout& layout, const std::vector<double>& weights,
                     const SlotBatch& batch, const ReferenceLora* lora) {
  return Reference(spec, layout, weights, lora).Loss(batch);
}

}  // namespace enigma::engine
