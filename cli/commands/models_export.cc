// `enigma models export NAME`: a registered model as a file, quantised on the way where asked.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "cli/cluster/export_model.h"
#include "cli/commands/commands.h"
#include "cli/output/format.h"
#include "cli/output/output_file.h"
#include "cli/output/unfinished_folder.h"
#include "engine/weights/quantise_model.h"
#include "engine/weights/weight_types.h"

namespace enigma::cli {

namespace {

struct ExportFlags {
  ClusterFlags cluster;
  std::string name;
  std::string type;  // empty: as it is
  std::string out;
  bool force = false;
  bool json = false;
};

absl::Status TakePlace(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(to, " cannot be written: ", std::strerror(errno)));
}

// "org/tale" is a model's name, and "tale" that of a file here.
std::string FileNameOf(const std::string& model) { return model.substr(model.rfind('/') + 1); }

// "vision.gguf" to "vision.encoder.gguf".
std::string EncoderPathOf(const std::string& path) {
  return std::filesystem::path(path).replace_extension(".encoder.gguf").string();
}

absl::StatusOr<bool> HasEncoder(ClusterClient& client, const std::string& name) {
  v1::ListClusterModelsReply reply;
  ENIGMA_RETURN_IF_ERROR(client.Explain(client.cluster().ListModels(QuickCall().get(), {}, &reply)));
  for (const v1::ModelInfo& model : reply.models()) {
    if (model.name() == name) return model.has_encoder();
  }
  return false;  // of one that there is not, fetching tells
}

absl::StatusOr<uint64_t> ExportPart(const ExportFlags& flags, ClusterClient& client, ModelPart part,
                                    const UnfinishedFolder& unfinished, const std::string& out) {
  const std::string fetched = unfinished.PathOf("fetched.gguf");
  const std::string made = flags.type.empty() ? fetched : unfinished.PathOf("quantised.gguf");
  ENIGMA_RETURN_IF_ERROR(FetchModelFile(client, flags.name, part, fetched));
  if (!flags.type.empty()) ENIGMA_RETURN_IF_ERROR(engine::QuantiseModel(fetched, flags.type, made).status());
  ENIGMA_RETURN_IF_ERROR(TakePlace(made, out));
  std::error_code error;  // then it is nothing any more
  return std::filesystem::file_size(out, error);
}

absl::Status RunExport(const ExportFlags& flags) {
  const std::string out = flags.out.empty() ? FileNameOf(flags.name) + ".gguf" : flags.out;
  const std::string encoder_out = EncoderPathOf(out);
  ENIGMA_RETURN_IF_ERROR(CheckOutputFile("--out", out, flags.force));
  ENIGMA_ASSIGN_OR_RETURN(const auto unfinished, UnfinishedFolder::MakeBeside(out));
  ENIGMA_ASSIGN_OR_RETURN(const auto client, ClusterClient::Open(flags.cluster));
  ENIGMA_ASSIGN_OR_RETURN(const bool has_encoder, HasEncoder(*client, flags.name));
  // Also of a model without one: what is there would be taken for its encoder.
  ENIGMA_RETURN_IF_ERROR(CheckOutputFile("--out", encoder_out, flags.force));
  ENIGMA_ASSIGN_OR_RETURN(const uint64_t bytes, ExportPart(flags, *client, ModelPart::kDecoder, *unfinished, out));
  uint64_t encoder_bytes = 0;
  if (has_encoder) {
    ENIGMA_ASSIGN_OR_RETURN(encoder_bytes, ExportPart(flags, *client, ModelPart::kEncoder, *unfinished, encoder_out));
  } else if (std::remove(encoder_out.c_str()) != 0 && errno != ENOENT) {
    return absl::FailedPreconditionError(
        absl::StrCat(encoder_out, " is no encoder of ", flags.name, " and cannot be removed: ", std::strerror(errno)));
  }
  if (flags.json) {
    PrintJson({{"model", flags.name},
               {"path", out},
               {"type", flags.type.empty() ? Json() : Json(flags.type)},
               {"bytes", bytes},
               {"encoder", has_encoder ? Json{{"path", encoder_out}, {"bytes", encoder_bytes}} : Json()}});
    return absl::OkStatus();
  }
  const std::string as = flags.type.empty() ? "" : absl::StrCat(" as ", flags.type);
  std::printf("%s: %s%s, %s\n", out.c_str(), flags.name.c_str(), as.c_str(), FormatBytes(bytes).c_str());
  if (has_encoder) {
    std::printf("%s: its image encoder%s, %s\n", encoder_out.c_str(), as.c_str(), FormatBytes(encoder_bytes).c_str());
  }
  return absl::OkStatus();
}

}  // namespace

void AddModelsExport(Command& models) {
  Command command = models.Add("export", "write a registered model to a file here, quantised where asked");
  auto flags = std::make_shared<ExportFlags>();
  flags->cluster.AddTo(command);
  command.Text("MODEL", flags->name, "the model's name, as `enigma models` lists it", "").Required().Utf8();
  command
      .Text("--type", flags->type,
            "store its matrices as " + absl::StrJoin(engine::PlainWeightTypeNames(), ", ") + " (default: as they are)",
            "TYPE")
      .Among(engine::PlainWeightTypeNames());
  command.Text("--out,-o", flags->out,
               "GGUF file to write (default: MODEL.gguf, from behind the last '/' of its name); an image encoder goes "
               "beside it, as FILE with .encoder.gguf at its end",
               "FILE");
  command.Switch("--force", flags->force, "replace what is there, also the image encoder of another model");
  command.Switch("--json", flags->json, "as JSON");
  command.Examples({"enigma models export router --type q8_0 --out router.gguf"});
  command.Does([flags] { return RunExport(*flags); });
}

}  // namespace enigma::cli
