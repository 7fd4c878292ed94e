#include "tests/conformance/reference_model.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>

#include "engine/kernels/dequantise.h"

namespace enigma::engine::testing {

ReferenceModel::ReferenceModel(const WeightSource& weights) {
  auto spec = ModelSpecFromGguf(weights.head());
  if (!spec.ok()) {
    std::cerr << spec.status() << "\n";
    std::abort();
  }
  spec_ = *spec;
  for (const TensorInfo& info : weights.head().tensors()) {
    Matrix matrix;
    matrix.inner = info.shape[0];
    matrix.rows = info.shape.size() > 1 ? info.shape[1] : 1;
    std::vector<float> values(matrix.inner * matrix.rows);
    Dequantise(info.type, weights.Tensor(info.name)->data.data(), values.size(), values.data());
    matrix.values.assign(values.begin(), values.end());
    weights_[info.name] = std::move(matrix);
  }
}

const ReferenceModel::Matrix& ReferenceModel::Weight(const std::string& name) const { return weights_.at(name); }

ReferenceModel::Row ReferenceModel::Multiply(const std::string& name, const Row& x) const {
  const Matrix& w = Weight(name);
  Row y(w.rows, 0.0);
  for (size_t r = 0; r < w.rows; ++r) {
    for (size_t c = 0; c < w.inner; ++c) y[r] += w.values[r * w.inner + c] * x[c];
  }
  return y;
}

ReferenceModel::Row ReferenceModel::Norm(const Row& x, const std::string& name) const {
  double squares = 0;
  for (const double v : x) squares += v * v;
  const double scale =
      1.0 / std::sqrt(squares / static_cast<double>(x.size()) + static_cast<double>(spec_.norm_epsilon));
  Row y(x.size());
  for (size_t i = 0; i < x.size(); ++i) y[i] = x[i] * scale * Weight(name).values[i];
  return y;
}

void ReferenceModel::NormHeads(Row& x, const std::string& name) const {
  for (size_t begin = 0; begin < x.size(); begin += spec_.head_dim) {
    const auto first = x.begin() + static_cast<ptrdiff_t>(begin);
    const Row head = Norm(Row(first, first + spec_.head_dim), name);
    std::copy(head.begin(), head.end(), first);
  }
}

void ReferenceModel::Rotate(Row& x, size_t position) const {
  const size_t n = spec_.rope.dimensions;
  const auto factors = weights_.find("rope_freqs.weight");
  for (size_t head = 0; head < x.size(); head += spec_.head_dim) {
    for (size_t i = 0; i < n / 2; ++i) {
      const double power = -2.0 * static_cast<double>(i) / static_cast<double>(n);
      const double factor = factors == weights_.end() ? 1.0 : factors->second.values[i];
      const double angle = static_cast<double>(position) * std::pow(spec_.rope.theta, power) / factor;
      const bool adjacent = spec_.rope.pairing == RopePairing::kAdjacent;
      double& a = x[head + (adjacent ? 2 * i : i)];
      double& b = x[head + (adjacent ? 2 * i + 1 : i + n / 2)];
      const double turned = a * std::cos(angle) - b * std::sin(angle);
      b = a * std::sin(angle) + b * std::cos(angle);
      a = turned;
    }
  }
}

std::vector<ReferenceModel::Row> ReferenceModel::Attend(const std::string& prefix, const std::vector<Row>& x,
                                                        uint32_t window) const {
  const size_t d = spec_.head_dim;
  std::vector<Row> keys;
  std::vector<Row> values;
  std::vector<Row> outputs;
  for (size_t t = 0; t < x.size(); ++t) {
    Row q = Multiply(prefix + "attn_q.weight", x[t]);
    Row k = Multiply(prefix + "attn_k.weight", x[t]);
    Row v = Multiply(prefix + "attn_v.weight", x[t]);
    if (spec_.qkv_bias) {
      for (size_t i = 0; i < q.size(); ++i) q[i] += Weight(prefix + "attn_q.bias").values[i];
      for (size_t i = 0; i < k.size(); ++i) k[i] += Weight(prefix + "attn_k.bias").values[i];
      for (size_t i = 0; i < v.size(); ++i) v[i] += Weight(prefix + "attn_v.bias").values[i];
    }
    if (spec_.qk_norm) {
      NormHeads(q, prefix + "attn_q_norm.weight");
      NormHeads(k, prefix + "attn_k_norm.weight");
    }
    Rotate(q, t);
    Rotate(k, t);
    keys.push_back(k);
    values.push_back(v);
    const size_t first = window == 0 || t + 1 < window ? 0 : t + 1 - window;
    Row attended(size_t{spec_.heads} * d, 0.0);
    for (size_t head = 0; head < spec_.heads; ++head) {
      const size_t kv_head = head / (spec_.heads / spec_.kv_heads);
      std::vector<double> scores;
      for (size_t s = first; s <= t; ++s) {
        double dot = 0;
        for (size_t i = 0; i < d; ++i) dot += q[head * d + i] * keys[s][kv_head * d + i];
        scores.push_back(dot / std::sqrt(static_cast<double>(d)));
      }
      const double best = *std::max_element(scores.begin(), scores.end());
      double sum = 0;
      for (double& score : scores) sum += score = std::exp(score - best);
      for (size_t s = first; s <= t; ++s) {
        for (size_t i = 0; i < d; ++i) attended[head * d + i] += scores[s - first] / sum * values[s][kv_head * d + i];
      }
    }
    outputs.push_back(Multiply(prefix + "attn_output.weight", attended));
  }
  return outputs;
}

ReferenceModel::Row ReferenceModel::FeedForward(const std::string& prefix, const Row& x) const {
  Row gate = Multiply(prefix + "ffn_gate.weight", x);
  const Row up = Multiply(prefix + "ffn_up.weight", x);
  for (size_t i = 0; i < gate.size(); ++i) gate[i] = gate[i] / (1.0 + std::exp(-gate[i])) * up[i];
  return Multiply(prefix + "ffn_down.weight", gate);
}

std::vector<std::vector<double>> ReferenceModel::Logits(const std::vector<TokenId>& tokens) const {
  const auto add = [](Row& x, const Row& y) {
    for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
  };
  const Matrix& embedding = Weight("token_embd.weight");
  std::vector<Row> x;
  for (const TokenId id : tokens) {
    const auto first = embedding.values.begin() + static_cast<ptrdiff_t>(static_cast<size_t>(id) * embedding.inner);
    x.emplace_back(first, first + static_cast<ptrdiff_t>(embedding.inner));
  }
  for (uint32_t layer = 0; layer < spec_.layer_count(); ++layer) {
    const std::string prefix = "blk." + std::to_string(layer) + ".";
    std::vector<Row> normed;
    for (const Row& row : x) normed.push_back(Norm(row, prefix + "attn_norm.weight"));
    const std::vector<Row> attended = Attend(prefix, normed, spec_.layers[layer].window);
    for (size_t t = 0; t < x.size(); ++t) {
      add(x[t], attended[t]);
      add(x[t], FeedForward(prefix, Norm(x[t], prefix + "ffn_norm.weight")));
    }
  }
  std::vector<Row> logits;
  for (const Row& row : x) {
    logits.push_back(
        Multiply(spec_.tied_embeddings ? "token_embd.weight" : "output.weight", Norm(row, "output_norm.weight")));
  }
  return logits;
}

}  // namespace enigma::engine::testing
