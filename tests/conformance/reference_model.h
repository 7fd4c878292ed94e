#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/spec/model_spec.h"
#include "engine/text/tokenizer.h"
#include "engine/weights/weight_source.h"

namespace enigma::engine::testing {

// A decoder in plain double arithmetic, written from the papers and sharing no kernel with the engine but the unpacking
// of stored weights: the oracle for what a stage should compute. Slow; keeps the whole model as doubles.
class ReferenceModel {
 public:
  explicit ReferenceModel(const WeightSource& weights);

  // [tokens][vocab]: logits after each token of one sequence.
  std::vector<std::vector<double>> Logits(const std::vector<TokenId>& tokens) const;

 private:
  using Row = std::vector<double>;
  struct Matrix {
    size_t inner = 0;
    size_t rows = 0;
    std::vector<double> values;  // [rows][inner]
  };

  const Matrix& Weight(const std::string& name) const;
  Row Multiply(const std::string& name, const Row& x) const;
  Row Norm(const Row& x, const std::string& name) const;
  void NormHeads(Row& x, const std::string& name) const;
  void Rotate(Row& x, size_t position) const;
  std::vector<Row> Attend(const std::string& prefix, const std::vector<Row>& x, uint32_t window) const;
  Row FeedForward(const std::string& prefix, const Row& x) const;

  ModelSpec spec_;
  std::map<std::string, Matrix> weights_;
};

}  // namespace enigma::engine::testing
