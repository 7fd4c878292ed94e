// `enigma models inspect PATH`: what a GGUF file holds.
#include <cstdio>
#include <map>
#include <memory>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "cli/commands/commands.h"
#include "cli/output/format.h"
#include "engine/spec/gguf.h"
#include "engine/spec/model_spec.h"
#include "engine/spec/vision_spec.h"

namespace enigma::cli {

namespace {

constexpr char kEncoderAlone[] = "an image encoder goes before a decoder";

struct InspectFlags {
  std::string path;
  bool tensors = false;
  bool json = false;
};

uint64_t Elements(const engine::TensorInfo& tensor) {
  uint64_t count = 1;
  for (const uint64_t size : tensor.shape) count *= size;
  return count;
}

struct TypeTotal {
  uint64_t tensors = 0;
  uint64_t elements = 0;
  uint64_t bytes = 0;
};

struct Totals {
  uint64_t parameters = 0;
  uint64_t bytes = 0;
  std::map<std::string, TypeTotal> by_type;
};

Totals Sum(const engine::GgufFile& file) {
  Totals totals;
  for (const auto& tensor : file.tensors()) {
    TypeTotal& type = totals.by_type[engine::Traits(tensor.type).name];
    const uint64_t elements = Elements(tensor);
    type.tensors += 1;
    type.elements += elements;
    type.bytes += tensor.bytes;
    totals.parameters += elements;
    totals.bytes += tensor.bytes;
  }
  return totals;
}

// What a file says it is: a model or an image encoder, where it is one of them. Otherwise why it is no model that runs,
// or why it is no encoder that one could use.
struct Specs {
  absl::StatusOr<engine::ModelSpec> model;
  absl::StatusOr<engine::VisionSpec> encoder;
};

Specs SpecsOf(const engine::GgufFile& file) {
  Specs specs = {engine::ModelSpecFromGguf(file), engine::VisionSpecFromGguf(file)};
  const bool is_encoder = file.metadata().StringOr("general.architecture", "") == engine::kVisionArchitecture;
  if (is_encoder && !specs.encoder.ok()) specs.model = specs.encoder.status();
  return specs;
}

Json SpecJson(const engine::ModelSpec& spec) {
  return {{"architecture", spec.architecture},
          {"layers", spec.layer_count()},
          {"hidden", spec.hidden},
          {"ffn", spec.ffn},
          {"heads", spec.heads},
          {"kv_heads", spec.kv_heads},
          {"head_dim", spec.head_dim},
          {"vocab", spec.vocab},
          {"context", spec.context},
          {"rope_theta", spec.rope.theta},
          {"tied_embeddings", spec.tied_embeddings}};
}

Json EncoderJson(const engine::VisionSpec& spec) {
  return {{"image_size", spec.image_size},
          {"stem_channels", spec.stem},
          {"layers", spec.layers},
          {"hidden", spec.hidden},
          {"ffn", spec.ffn},
          {"heads", spec.heads},
          {"prefix", spec.prefix()},
          {"output", spec.output}};
}

Json InspectJson(const engine::GgufFile& file, const Specs& specs, const Totals& totals, bool tensors) {
  const auto& spec = specs.model;
  Json types = Json::array();
  for (const auto& [name, total] : totals.by_type) {
    types.push_back(
        {{"type", name}, {"tensors", total.tensors}, {"parameters", total.elements}, {"bytes", total.bytes}});
  }
  Json json = {{"path", file.path()},
               {"file_bytes", file.file_size()},
               {"name", file.metadata().StringOr("general.name", "")},
               {"architecture", file.metadata().StringOr("general.architecture", "")},
               {"tokenizer", file.metadata().StringOr("tokenizer.ggml.model", "")},
               {"pre_tokenizer", file.metadata().StringOr("tokenizer.ggml.pre", "")},
               {"parameters", totals.parameters},
               {"tensor_bytes", totals.bytes},
               {"tensor_count", file.tensors().size()},
               {"types", std::move(types)},
               {"runnable", spec.ok()}};
  if (spec.ok()) {
    json["spec"] = SpecJson(*spec);
  } else if (specs.encoder.ok()) {
    json["encoder"] = EncoderJson(*specs.encoder);
    json["not_runnable_because"] = kEncoderAlone;
  } else {
    json["not_runnable_because"] = ToString(spec.status().message());
  }
  if (tensors) {
    json["tensors"] = Json::array();
    for (const auto& tensor : file.tensors()) {
      json["tensors"].push_back({{"name", tensor.name},
                                 {"type", engine::Traits(tensor.type).name},
                                 {"shape", tensor.shape},
                                 {"offset", tensor.offset},
                                 {"bytes", tensor.bytes}});
    }
  }
  return json;
}

void PrintEncoder(const engine::VisionSpec& spec) {
  std::printf("family      %s\nshape       %u layers, %u wide, ffn %u, %u heads of %u, behind %zu convolutions\n",
              engine::kVisionArchitecture, spec.layers, spec.hidden, spec.ffn, spec.heads, spec.head_dim(),
              spec.stem.size());
  std::printf("picture     %u x %u pixels to %u rows of %u\nnot runnable: %s\n", spec.image_size, spec.image_size,
              spec.prefix(), spec.output, kEncoderAlone);
}

void PrintText(const engine::GgufFile& file, const Specs& specs, const Totals& totals, bool tensors) {
  const auto& spec = specs.model;
  const auto& metadata = file.metadata();
  std::printf("file        %s, %s\n", file.path().c_str(), FormatBytes(file.file_size()).c_str());
  if (metadata.Has("general.name")) std::printf("name        %s\n", metadata.StringOr("general.name", "").c_str());
  if (spec.ok()) {
    std::printf("family      %s\nshape       %u layers, %u wide, ffn %u, %u heads of %u, %u KV heads\n",
                spec->architecture.c_str(), spec->layer_count(), spec->hidden, spec->ffn, spec->heads, spec->head_dim,
                spec->kv_heads);
    std::printf("vocabulary  %u (%s, %s)\ncontext     %u tokens\n", spec->vocab,
                metadata.StringOr("tokenizer.ggml.model", "no tokenizer").c_str(),
                metadata.StringOr("tokenizer.ggml.pre", "default").c_str(), spec->context);
  } else if (specs.encoder.ok()) {
    PrintEncoder(*specs.encoder);
  } else {
    std::printf("family      %s\n", metadata.StringOr("general.architecture", "not stated").c_str());
    std::printf("not runnable: %s\n", ToString(spec.status().message()).c_str());
  }
  std::printf("parameters  %s in %zu tensors, %s\n", FormatCount(totals.parameters).c_str(), file.tensors().size(),
              FormatBytes(totals.bytes).c_str());
  Table types({"type", "tensors", "parameters", "size"}, {1, 2, 3});
  for (const auto& [name, total] : totals.by_type) {
    types.AddRow({name, std::to_string(total.tensors), FormatCount(total.elements), FormatBytes(total.bytes)});
  }
  if (!totals.by_type.empty()) std::printf("\n%s", types.Render().c_str());
  if (!tensors) return;
  Table list({"tensor", "type", "shape", "offset", "size"}, {3, 4});
  for (const auto& tensor : file.tensors()) {
    list.AddRow({tensor.name, engine::Traits(tensor.type).name, absl::StrJoin(tensor.shape, "x"),
                 std::to_string(tensor.offset), FormatBytes(tensor.bytes)});
  }
  std::printf("\n%s", list.Render().c_str());
}

absl::Status RunInspect(const InspectFlags& flags) {
  ENIGMA_ASSIGN_OR_RETURN(const auto file, engine::GgufFile::Open(flags.path));
  // A vocabulary-only file, or a family that is not supported, can still be looked at.
  const Specs specs = SpecsOf(*file);
  const Totals totals = Sum(*file);
  if (flags.json) {
    PrintJson(InspectJson(*file, specs, totals, flags.tensors));
  } else {
    PrintText(*file, specs, totals, flags.tensors);
  }
  return absl::OkStatus();
}

}  // namespace

void AddModelsInspect(Command& models) {
  Command command = models.Add("inspect", "what a GGUF file holds: family, shape, types, sizes");
  auto flags = std::make_shared<InspectFlags>();
  command.Text("PATH", flags->path, "GGUF file on this machine", "").Required();
  command.Switch("--tensors", flags->tensors, "list every tensor");
  command.Switch("--json", flags->json, "as JSON");
  command.Does([flags] { return RunInspect(*flags); });
}

}  // namespace enigma::cli
