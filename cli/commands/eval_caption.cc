// `enigma eval caption`: how often a model says of pictures what is right.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "cli/commands/commands.h"
#include "cli/generation/picture_describer.h"
#include "cli/input/captioned_pictures.h"
#include "cli/input/read_image.h"
#include "cli/input/read_text.h"
#include "cli/output/progress.h"
#include "engine/corpus/captions.h"
#include "eval/captions/caption_score.h"

namespace enigma::cli {

namespace {

constexpr uint32_t kAnswerTokensMax = 96;

struct EvalCaptionFlags {
  std::string model;
  std::string encoder;
  std::string data;
  uint64_t limit = 0;
  int threads = 0;
  bool json = false;
};

absl::StatusOr<std::vector<engine::CaptionedPicture>> ReadPictures(const std::string& path, uint64_t limit) {
  ENIGMA_ASSIGN_OR_RETURN(const std::string lines, ReadText(path));
  ENIGMA_ASSIGN_OR_RETURN(std::vector<engine::CaptionedPicture> pictures, engine::ReadCaptions({path, lines}));
  if (limit > 0 && pictures.size() > limit) pictures.resize(limit);
  return pictures;
}

absl::StatusOr<eval::CaptionScore> DescribeAll(const std::vector<engine::CaptionedPicture>& pictures,
                                               const std::filesystem::path& folder, PictureDescriber& describer) {
  engine::SamplingParams sampling;
  sampling.temperature = 0;
  sampling.max_tokens = kAnswerTokensMax;
  eval::CaptionScore score;
  Progress progress("describing");
  for (const engine::CaptionedPicture& picture : pictures) {
    ENIGMA_ASSIGN_OR_RETURN(const engine::Image image, ReadImage((folder / picture.image).string()));
    ENIGMA_ASSIGN_OR_RETURN(const auto answer, describer.Describe(image, "", sampling, nullptr));
    score.Add(picture.image, ToString(absl::StripAsciiWhitespace(answer.text)), picture.captions);
    progress.Update(score.pictures, pictures.size());
  }
  return score;
}

void Print(const EvalCaptionFlags& flags, const eval::CaptionScore& score, double seconds) {
  if (!flags.json) {
    std::printf("pictures   %llu\nexact      %s %%\nlast word  %s %%\n",
                static_cast<unsigned long long>(score.pictures), FormatDecimal(100 * score.exact_share(), 2).c_str(),
                FormatDecimal(100 * score.last_word_share(), 2).c_str());
    for (const eval::WrongCaption& wrong : score.wrong) {
      std::printf("\n%s\n  said   %s\n  right  %s\n", wrong.image.c_str(), wrong.said.c_str(), wrong.right.c_str());
    }
    return;
  }
  Json wrong = Json::array();
  for (const eval::WrongCaption& one : score.wrong) {
    wrong.push_back({{"image", one.image}, {"said", one.said}, {"right", one.right}});
  }
  PrintJson({{"model", flags.model},
             {"pictures", score.pictures},
             {"exact", score.exact_share()},
             {"last_word", score.last_word_share()},
             {"seconds", seconds},
             {"wrong", std::move(wrong)}});
}

absl::Status RunEvalCaption(const EvalCaptionFlags& flags) {
  const std::string path = CaptionsFileOf(flags.data);
  ENIGMA_ASSIGN_OR_RETURN(const auto pictures, ReadPictures(path, flags.limit));
  ENIGMA_ASSIGN_OR_RETURN(const auto describer, PictureDescriber::Open(flags.model, flags.encoder, flags.threads));
  const auto start = std::chrono::steady_clock::now();
  ENIGMA_ASSIGN_OR_RETURN(const eval::CaptionScore score,
                          DescribeAll(pictures, std::filesystem::path(path).parent_path(), *describer));
  Print(flags, score, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  return absl::OkStatus();
}

}  // namespace

void AddEvalCaption(Command& eval) {
  Command command = eval.Add("caption", "how often a model says of pictures what is right");
  auto flags = std::make_shared<EvalCaptionFlags>();
  command.Text("--model,-m", flags->model, "the decoder: a GGUF file, run in this process", "PATH").Required();
  command.Text("--encoder", flags->encoder, "the image encoder trained with it: a GGUF file", "PATH").Required();
  command
      .Text("--data", flags->data, "captions.jsonl (image, caption, captions), or the folder that it lies in", "PATH")
      .Required();
  command.Number("--limit", flags->limit, "the first pictures alone (default: all)", "N").AtLeast(1);
  command.Number("--threads", flags->threads, "threads (default: one per core)", "N").Between(1, 1024);
  command.Switch("--json", flags->json, "as JSON");
  command.Examples({"enigma eval caption --model vision.gguf --encoder vision-encoder.gguf --data scenes/test"});
  command.Does([flags] { return RunEvalCaption(*flags); });
}

}  // namespace enigma::cli
