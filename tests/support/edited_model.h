#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/spec/gguf.h"
#include "engine/spec/gguf_writer.h"

namespace enigma::testing {

// The content of a GGUF file, to be changed and written again.
struct EditableModel {
  struct Tensor {
    engine::TensorPlan plan;
    std::vector<uint8_t> data;
  };
  engine::GgufMetadata metadata;
  std::vector<Tensor> tensors;

  Tensor& Find(const std::string& name);  // dies when there is none
  void AddFloats(const std::string& name, const std::vector<float>& values);
};

// Writes `source`, as `edit` leaves it, to `target`. Dies when a file cannot be read or written.
void EditModel(const std::string& source, const std::string& target, const std::function<void(EditableModel&)>& edit);

// Gives the model in a file this chat template.
void SetChatTemplate(const std::string& path, const std::string& chat_template);

}  // namespace enigma::testing
