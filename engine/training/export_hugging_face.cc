#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "engine/checkpoint/durable_file.h"
#include "engine/checkpoint/safetensors_writer.h"
#include "engine/training/export_model.h"
#include "engine/training/hugging_face_config.h"
#include "engine/training/hugging_face_tokenizer.h"

namespace enigma::engine {
namespace {

using Json = nlohmann::ordered_json;

// What stands between "blk.N." and ".weight" or ".bias", and what transformers puts there.
constexpr std::pair<const char*, const char*> kLayerNames[] = {
    {"attn_norm", "input_layernorm"},    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},      {"attn_v", "self_attn.v_proj"},
    {"attn_q_norm", "self_attn.q_norm"}, {"attn_k_norm", "self_attn.k_norm"},
    {"attn_output", "self_attn.o_proj"}, {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},       {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
};

absl::StatusOr<std::string> NameThere(const std::string& name) {
  if (name == "token_embd.weight") return "model.embed_tokens.weight";
  if (name == "output_norm.weight") return "model.norm.weight";
  if (name == "output.weight") return "lm_head.weight";
  const std::vector<std::string> parts = absl::StrSplit(name, '.');  // blk, N, attn_q, weight
  for (const auto& [here, there] : kLayerNames) {
    if (parts.size() == 4 && parts[0] == "blk" && parts[2] == here) {
      return absl::StrCat("model.layers.", parts[1], ".", there, ".", parts[3]);
    }
  }
  return absl::UnimplementedError(absl::StrCat("tensor '", name, "' has no name in the transformers library"));
}

bool IsRotated(const std::string& name) { return name.ends_with(".attn_q.weight") || name.ends_with(".attn_k.weight"); }

// Row 2 i + h of each head, the half h of pair i, becomes row h * (head_dim / 2) + i.
std::vector<float> HalvesApart(const float* rows, size_t row_count, size_t row, size_t head_dim) {
  std::vector<float> out(row_count * row);
  for (size_t there = 0; there < row_count; ++there) {
    const size_t within = there % head_dim;
    const size_t pair = within % (head_dim / 2);
    const size_t half = within / (head_dim / 2);
    const size_t here = there - within + 2 * pair + half;
    std::memcpy(out.data() + there * row, rows + here * row, row * sizeof(float));
  }
  return out;
}

// The files of one export, in a folder that gets its name once all are there.
class ExportFolder {
 public:
  explicit ExportFolder(std::string path) : path_(std::move(path)), partial_(path_ + ".partial") {}
  ~ExportFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(partial_, ignored);
  }

  absl::Status Make() {
    std::error_code error;
    if (std::filesystem::exists(path_, error)) return absl::AlreadyExistsError(absl::StrCat(path_, ": exists already"));
    std::filesystem::remove_all(partial_, error);
    if (::mkdir(partial_.c_str(), 0755) == 0) return absl::OkStatus();
    return absl::ErrnoToStatus(errno, absl::StrCat(partial_, ": cannot make the folder"));
  }

  absl::Status WriteJson(const char* name, const Json& json) {
    ENIGMA_ASSIGN_OR_RETURN(const auto file, DurableFile::Create(absl::StrCat(partial_, "/", name)));
    const std::string text = json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
    ENIGMA_RETURN_IF_ERROR(file->Append({reinterpret_cast<const uint8_t*>(text.data()), text.size()}));
    bytes_ += file->bytes();
    return file->Finish();
  }

  absl::Status WriteTensors(const TrainedModel& model) {
    std::vector<SafetensorsPlan> plan;
    for (const Parameter& parameter : model.layout.parameters()) {
      ENIGMA_ASSIGN_OR_RETURN(std::string name, NameThere(parameter.name));
      plan.push_back({std::move(name), SafetensorsType::kF32, {parameter.shape.rbegin(), parameter.shape.rend()}});
    }
    ENIGMA_ASSIGN_OR_RETURN(const auto file, DurableFile::Create(partial_ + "/model.safetensors"));
    const auto sink = [&](std::span<const uint8_t> bytes) { return file->Append(bytes); };
    ENIGMA_ASSIGN_OR_RETURN(auto writer, SafetensorsWriter::Create(plan, {{"format", "pt"}}, sink));
    for (const Parameter& parameter : model.layout.parameters()) {
      const float* values = model.weights + parameter.offset;
      std::vector<float> moved;
      if (model.spec.rope.pairing == RopePairing::kAdjacent && IsRotated(parameter.name)) {
        moved = HalvesApart(values, parameter.shape[1], parameter.shape[0], model.spec.head_dim);
        values = moved.data();
      }
      ENIGMA_RETURN_IF_ERROR(writer.Write({reinterpret_cast<const uint8_t*>(values), parameter.count * sizeof(float)}));
    }
    ENIGMA_RETURN_IF_ERROR(writer.Finish());
    bytes_ += file->bytes();
    return file->Finish();
  }

  absl::Status PutInPlace() {
    ENIGMA_RETURN_IF_ERROR(SyncFolder(partial_));
    if (::rename(partial_.c_str(), path_.c_str()) != 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat(partial_, ": cannot rename to ", path_));
    }
    const std::string parent = std::filesystem::path(path_).parent_path().string();
    return SyncFolder(parent.empty() ? "." : parent);
  }

  uint64_t bytes() const { return bytes_; }

 private:
  const std::string path_;
  const std::string partial_;
  uint64_t bytes_ = 0;
};

}  // namespace

absl::StatusOr<HuggingFaceExport> ExportHuggingFace(const TrainedModel& model, const std::string& folder) {
  ENIGMA_RETURN_IF_ERROR(CheckExportable(model));
  ENIGMA_ASSIGN_OR_RETURN(const Json config, HuggingFaceConfig(model.spec, model.tokenizer));
  HuggingFaceExport made;
  ExportFolder out(folder);
  ENIGMA_RETURN_IF_ERROR(out.Make());
  ENIGMA_RETURN_IF_ERROR(out.WriteTensors(model));
  ENIGMA_RETURN_IF_ERROR(out.WriteJson("config.json", config));
  ENIGMA_RETURN_IF_ERROR(out.WriteJson("generation_config.json", HuggingFaceGenerationConfig(model.tokenizer)));
  const auto tokenizer = HuggingFaceTokenizer(model.tokenizer);
  if (tokenizer.ok()) {
    ENIGMA_RETURN_IF_ERROR(out.WriteJson("tokenizer.json", *tokenizer));
    const Json tokenizer_config = HuggingFaceTokenizerConfig(model.tokenizer, model.spec.context);
    ENIGMA_RETURN_IF_ERROR(out.WriteJson("tokenizer_config.json", tokenizer_config));
  } else {
    made.notes.push_back(absl::StrCat("no tokenizer was written: ", tokenizer.status().message()));
  }
  ENIGMA_RETURN_IF_ERROR(out.PutInPlace());
  made.bytes = out.bytes();
  return made;
}

}  // namespace enigma::engine
