#include "tests/unit/engine/vision/vision_reference.h"

#include <cmath>

namespace enigma::engine {
namespace {

using Rows = std::vector<std::vector<double>>;
using Weights = std::map<std::string, std::vector<double>>;

double SiluOf(double x) { return x / (1 + std::exp(-x)); }

// [channels][side][side] to [made][side / 2][side / 2].
std::vector<double> Convolve(const std::vector<double>& in, int side, int channels, const std::vector<double>& weight,
                             const std::vector<double>& bias) {
  const int made = static_cast<int>(bias.size()), half = side / 2;
  std::vector<double> out;
  for (int o = 0; o < made; ++o) {
    for (int y = 0; y < half; ++y) {
      for (int x = 0; x < half; ++x) {
        double sum = bias[o];
        for (int j = -1; j <= 1; ++j) {
          for (int i = -1; i <= 1; ++i) {
            const int from_y = 2 * y + j, from_x = 2 * x + i;
            if (from_y < 0 || from_x < 0 || from_y >= side || from_x >= side) continue;
            for (int c = 0; c < channels; ++c) {
              sum += in[(c * side + from_y) * side + from_x] * weight[((o * 3 + j + 1) * 3 + i + 1) * channels + c];
            }
          }
        }
        out.push_back(SiluOf(sum));
      }
    }
  }
  return out;
}

Rows Product(const Rows& x, const std::vector<double>& weight, const std::vector<double>* bias) {
  Rows y;
  for (const auto& row : x) {
    y.emplace_back();
    for (size_t r = 0; r * row.size() < weight.size(); ++r) {
      double sum = bias == nullptr ? 0 : (*bias)[r];
      for (size_t i = 0; i < row.size(); ++i) sum += row[i] * weight[r * row.size() + i];
      y.back().push_back(sum);
    }
  }
  return y;
}

Rows Normed(const Rows& x, const std::vector<double>& weight, double epsilon) {
  Rows y = x;
  for (auto& row : y) {
    double squares = 0;
    for (const double v : row) squares += v * v;
    const double root = std::sqrt(squares / static_cast<double>(row.size()) + epsilon);
    for (size_t i = 0; i < row.size(); ++i) row[i] *= weight[i] / root;
  }
  return y;
}

void Add(Rows& x, const Rows& y) {
  for (size_t t = 0; t < x.size(); ++t) {
    for (size_t i = 0; i < x[t].size(); ++i) x[t][i] += y[t][i];
  }
}

Rows Attended(const Rows& q, const Rows& k, const Rows& v, size_t heads) {
  const size_t width = q[0].size(), dim = width / heads;
  Rows out(q.size(), std::vector<double>(width));
  for (size_t head = 0; head < heads; ++head) {
    for (size_t t = 0; t < q.size(); ++t) {
      double total = 0;
      for (size_t s = 0; s < k.size(); ++s) {
        double score = 0;
        for (size_t i = head * dim; i < (head + 1) * dim; ++i) score += q[t][i] * k[s][i];
        const double p = std::exp(score / std::sqrt(static_cast<double>(dim)));
        total += p;
        for (size_t i = head * dim; i < (head + 1) * dim; ++i) out[t][i] += p * v[s][i];
      }
      for (size_t i = head * dim; i < (head + 1) * dim; ++i) out[t][i] /= total;
    }
  }
  return out;
}

Rows Patches(const VisionSpec& spec, const Weights& weights, const std::vector<double>& input) {
  std::vector<double> map(input.begin(), input.end());
  int side = static_cast<int>(spec.image_size), channels = 3;
  for (size_t i = 0; i < spec.stem.size(); ++i) {
    const std::string name = "v.stem." + std::to_string(i);
    map = Convolve(map, side, channels, weights.at(name + ".weight"), weights.at(name + ".bias"));
    side /= 2;
    channels = static_cast<int>(spec.stem[i]);
  }
  Rows pixels(spec.patches());
  for (size_t p = 0; p < pixels.size(); ++p) {
    for (int c = 0; c < channels; ++c) pixels[p].push_back(map[c * pixels.size() + p]);
  }
  Rows x = Product(pixels, weights.at("v.patch_embd.weight"), &weights.at("v.patch_embd.bias"));
  const std::vector<double>& positions = weights.at("v.position_embd.weight");
  for (size_t p = 0; p < x.size(); ++p) {
    for (size_t i = 0; i < spec.hidden; ++i) x[p][i] += positions[p * spec.hidden + i];
  }
  return x;
}

}  // namespace

std::vector<double> ReferencePrefix(const VisionSpec& spec, const Weights& weights, const std::vector<double>& input) {
  Rows x = Patches(spec, weights, input);
  for (uint32_t layer = 0; layer < spec.layers; ++layer) {
    const auto weight = [&](const char* name) -> const std::vector<double>& {
      return weights.at("v.blk." + std::to_string(layer) + "." + name + ".weight");
    };
    const auto product = [&](const Rows& rows, const char* name) { return Product(rows, weight(name), nullptr); };
    Rows normed = Normed(x, weight("attn_norm"), spec.norm_epsilon);
    Add(x,
        product(Attended(product(normed, "attn_q"), product(normed, "attn_k"), product(normed, "attn_v"), spec.heads),
                "attn_output"));
    normed = Normed(x, weight("ffn_norm"), spec.norm_epsilon);
    Rows gate = product(normed, "ffn_gate");
    const Rows up = product(normed, "ffn_up");
    for (size_t t = 0; t < gate.size(); ++t) {
      for (size_t i = 0; i < gate[t].size(); ++i) gate[t][i] = SiluOf(gate[t][i]) * up[t][i];
    }
    Add(x, product(gate, "ffn_down"));
  }
  const Rows normed = Normed(x, weights.at("v.post_norm.weight"), spec.norm_epsilon);
  Rows merged(spec.prefix());
  for (size_t y = 0; y < spec.grid(); ++y) {
    // In the order of the picture's rows: of each square the upper patches come first.
    for (size_t at = 0; at < spec.grid(); ++at) {
      auto& row = merged[y / spec.merge * (spec.grid() / spec.merge) + at / spec.merge];
      const auto& patch = normed[y * spec.grid() + at];
      row.insert(row.end(), patch.begin(), patch.end());
    }
  }
  Rows between = Product(merged, weights.at("mm.0.weight"), &weights.at("mm.0.bias"));
  for (auto& row : between) {
    for (double& v : row) v = SiluOf(v);
  }
  std::vector<double> prefix;
  for (const auto& row : Product(between, weights.at("mm.2.weight"), &weights.at("mm.2.bias"))) {
    prefix.insert(prefix.end(), row.begin(), row.end());
  }
  return prefix;
}

}  // namespace enigma::engine
