#include "tests/support/edited_model.h"

#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <utility>
#include <variant>

#include <absl/status/status.h>

namespace enigma::testing {
namespace {

void OkOrDie(const absl::Status& status) {
  if (status.ok()) return;
  std::cerr << "edited model: " << status << "\n";
  std::abort();
}

engine::GgufValue Copy(const engine::GgufValue& value) {
  return std::visit(
      [](const auto& held) -> engine::GgufValue {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, std::unique_ptr<engine::GgufArray>>) {
          return std::make_unique<engine::GgufArray>(*held);
        } else {
          return held;
        }
      },
      value);
}

EditableModel Read(const std::string& path) {
  const auto file = engine::GgufFile::Open(path);
  OkOrDie(file.status());
  EditableModel model;
  for (const std::string& key : (*file)->metadata().keys()) {
    model.metadata.Set(key, Copy(*(*file)->metadata().Find(key)));
  }
  for (const engine::TensorInfo& info : (*file)->tensors()) {
    const auto data = (*file)->TensorData(info);
    model.tensors.push_back({{info.name, info.type, info.shape}, {data.begin(), data.end()}});
  }
  return model;
}

}  // namespace

EditableModel::Tensor& EditableModel::Find(const std::string& name) {
  for (Tensor& tensor : tensors) {
    if (tensor.plan.name == name) return tensor;
  }
  std::cerr << "edited model: no tensor " << name << "\n";
  std::abort();
}

void EditableModel::AddFloats(const std::string& name, const std::vector<float>& values) {
  std::vector<uint8_t> data(values.size() * sizeof(float));
  std::memcpy(data.data(), values.data(), data.size());
  tensors.push_back({{name, engine::DType::kF32, {values.size()}}, std::move(data)});
}

void EditModel(const std::string& source, const std::string& target, const std::function<void(EditableModel&)>& edit) {
  EditableModel model = Read(source);
  edit(model);
  std::vector<engine::TensorPlan> plans;
  for (const EditableModel::Tensor& tensor : model.tensors) plans.push_back(tensor.plan);
  auto writer = engine::GgufWriter::Create(target, model.metadata, plans);
  OkOrDie(writer.status());
  for (const EditableModel::Tensor& tensor : model.tensors) OkOrDie((*writer)->Write(tensor.data));
  OkOrDie((*writer)->Finish().status());
}

void SetChatTemplate(const std::string& path, const std::string& chat_template) {
  EditModel(path, path, [&](EditableModel& model) { model.metadata.Set("tokenizer.chat_template", chat_template); });
}

}  // namespace enigma::testing
