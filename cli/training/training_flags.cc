#include "cli/training/training_flags.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include "cli/usage_error.h"
#include "engine/spec/training_presets.h"

namespace enigma::cli {

namespace {

std::vector<std::string> Sizes() {
  std::vector<std::string> names;
  for (const engine::TrainingPreset& preset : engine::TrainingPresets()) names.emplace_back(preset.name);
  return names;
}

}  // namespace

TrainingFlags::TrainingFlags(Command& command) {
  command.Text("--name", name_, "what to call the model that is made (a router: router)", "MODEL").Utf8();
  command
      .Text("--task", task_, "what it is for: text, chat, router, vision, code, ... (chat: with a chat template)",
            "TASK")
      .Utf8();
  AddShape(command);
  AddSteps(command);
  AddOptimiser(command);
  AddCourse(command);
  AddTexts(command);
  AddPictures(command);
}

void TrainingFlags::AddShape(Command& command) {
  const Argument size =
      command
          .Text("--size", size_, "shape of the model: nano (of a router the default), micro, tiny, small, ...", "SIZE")
          .Among(Sizes());
  Argument base = command.Text("--base", base_, "registered model to start from, instead of a size", "MODEL").Utf8();
  base.Excludes(size);
  context_.argument =
      command.Number("--context", context_.value, "tokens per sequence at most (default: the size's; vision 128)")
          .Between(8, 1 << 20);
  Argument tied = command.Switch("--tied", tied_, "the output layer is the embedding (default up to a width of 1024)");
  tied.Excludes(command.Switch("--untied", untied_, "the output layer is one of its own"));
  ffn_.argument =
      command.Number("--ffn", ffn_.value, "width of the feed-forward layers (default: the size's)").AtLeast(1);
  vocab_size_.argument =
      command
          .Number(
              "--vocab-size", vocab_size_.value,
              "tokens of the tokenizer that is trained on the data where none is given (default 4096; a router 2048)")
          .Between(300, 1 << 22);
  lora_rank_.argument =
      command.Number("--lora-rank", lora_rank_.value, "with --base: train low-rank additions of this rank alone")
          .Between(1, 1024);
  lora_alpha_.argument =
      command.Number("--lora-alpha", lora_alpha_.value, "their weight is this over the rank (default 16)").Above(0);
  command.Texts("--lora-targets", lora_targets_, "tensors that get one (default attn_q,attn_v)", "A,B").Utf8();
}

void TrainingFlags::AddSteps(Command& command) {
  steps_.argument = command.Number("--steps", steps_.value, "updates of the weights").AtLeast(1);
  epochs_.argument = command
                         .Number("--epochs", epochs_.value,
                                 "passes over the data, instead of --steps (default 3; a router 26, vision 10)")
                         .Above(0);
  epochs_.argument->Excludes(*steps_.argument);
  batch_.argument =
      command
          .Number("--batch", batch_.value, "sequences per step, over all workers (default 32; a router 8, vision 16)")
          .Between(1, 1 << 20);
  slots_.argument = command
                        .Number("--slots", slots_.value,
                                "parts that a step's sequences are shared out in (default 16, at most --batch)")
                        .AtLeast(1);
  seed_.argument = command.Number("--seed", seed_.value, "of weights, order and dropout (default 1)");
  command.Number("--workers", workers_, "workers at most (default: all)").AtLeast(1);
  command
      .Text("--collective", collective_,
            "what sums over workers: streams (default; mutual TLS), gloo (plain text: all workers need "
            "--trusted-network); the same bits",
            "KIND")
      .Among({"streams", "gloo"});
  command.Number("--priority", priority_, "of jobs that wait the highest goes first (default 0)").Between(-1000, 1000);
}

void TrainingFlags::AddOptimiser(Command& command) {
  learning_rate_.argument =
      command.Number("--lr", learning_rate_.value, "learning rate after warm-up (default: the size's)")
          .Above(0)
          .AtMost(1);
  final_learning_rate_.argument =
      command.Number("--final-lr", final_learning_rate_.value, "share of it left at the last step (default 0.1)")
          .Between(0, 1);
  warmup_.argument = command.Number("--warmup", warmup_.value,
                                    "steps until it is reached (default: 1 in 20, a router 1 in 4, at most 200)");
  schedule_.argument =
      command.Text("--schedule", schedule_.value, "how it falls: cosine (default), linear, constant", "KIND")
          .Among({"cosine", "linear", "constant"});
  weight_decay_.argument =
      command.Number("--weight-decay", weight_decay_.value, "of AdamW, on matrices (default 0.1)").Between(0, 10);
  clip_.argument = command.Number("--clip", clip_.value, "largest norm of the gradient; 0: any (default 1)").AtLeast(0);
  dropout_.argument =
      command.Number("--dropout", dropout_.value, "share of values left out (default 0; a router 0.1)").Between(0, 0.9);
  token_dropout_.argument = command
                                .Number("--token-dropout", token_dropout_.value,
                                        "share of the tokens that the model sees nothing of (default 0; a router 0.2)")
                                .Between(0, 0.9);
  precision_.argument = command
                            .Text("--precision", precision_.value,
                                  "factors of products: f32 (default), bf16 (faster with AVX512-BF16)", "KIND")
                            .Among({"f32", "bf16"});
  command.Switch("--recompute", recompute_, "compute activations twice: less memory, a third more work");
}

void TrainingFlags::AddCourse(Command& command) {
  validate_every_.argument =
      command.Number("--validate-every", validate_every_.value, "steps; 0: only at the end (default: 20 times in all)");
  early_stop_.argument = command
                             .Number("--early-stop", early_stop_.value,
                                     "end after so many validations without an improvement (default: never)")
                             .AtLeast(1);
  checkpoint_every_.argument =
      command.Number("--checkpoint-every", checkpoint_every_.value, "steps (default: by time)").AtLeast(1);
  checkpoint_seconds_.argument =
      command.Number("--checkpoint-seconds", checkpoint_seconds_.value, "time between checkpoints (default 60)")
          .AtLeast(0.1);
  keep_.argument =
      command.Number("--keep-checkpoints", keep_.value, "newest ones, beside the best (default 3)").AtLeast(1);
}

void TrainingFlags::AddTexts(Command& command) {
  command
      .Text("--format", format_,
            "of the data: auto (default), text, qa (Q: and A: lines), jsonl; of a router labels "
            "(label<TAB>text lines), qa, jsonl",
            "KIND")
      .Among({"auto", "text", "qa", "jsonl", "labels"});
  Argument prompts = command.Switch("--train-on-prompts", train_on_prompts_,
                                    "learn prompts, too, not only what follows them (default for a router)");
  prompts.Excludes(command.Switch("--answers-only", answers_only_, "learn only what follows the prompts"));
  validation_share_.argument = command
                                   .Number("--validation-share", validation_share_.value,
                                           "of the documents, kept for validation (default 0.05; a router 0.1)")
                                   .Between(0, 0.49);
  characters_min_.argument =
      command.Number("--min-chars", characters_min_.value, "leave out shorter texts (default 1)");
  characters_max_.argument =
      command.Number("--max-chars", characters_max_.value, "leave out longer texts; 0: none (default)");
  command.Switch("--no-quality-filter", no_quality_filter_,
                 "keep texts of few letters, of repeated lines, or of very long words (DNA, tables, encoded data)");
  near_duplicate_share_.argument =
      command
          .Number("--near-duplicates", near_duplicate_share_.value,
                  "leave out texts that share this much with another, from 0.5 to 1; 0: keep them (default 0.9)")
          .Between(0, 1);
  Argument keep =
      command.Switch("--keep-duplicates", keep_duplicates_, "leave out no text because there is one like it");
  keep.Excludes(*near_duplicate_share_.argument);
}

void TrainingFlags::AddPictures(Command& command) {
  image_size_.argument = command
                             .Number("--image-size", image_size_.value,
                                     "for --task vision: pixels of a picture's side, 32, 64 (default) or 128", "N")
                             .Between(32, 128);
  command.Switch("--flip", flip_,
                 "for --task vision: half of the pictures are seen mirrored; not where captions tell left from right");
  crop_side_.argument = command
                            .Number("--crop-side", crop_side_.value,
                                    "for --task vision: crops keep this share of a picture's sides at least "
                                    "(default 1: no crops; of scenes 0.98 can be)")
                            .Above(0)
                            .AtMost(1);
}

absl::StatusOr<v1::TrainingOptions> TrainingFlags::Resolve(const TokenizerChoice& tokenizer) const {
  if (tokenizer.vocab_size && vocab_size_.given()) {
    return UsageError("--vocab-size: --tokenizer bpe:N gives it already");
  }
  v1::TrainingOptions options;
  const bool router = task_ == "router";
  options.set_model(name_.empty() && router ? "router" : name_);
  options.set_task(task_);
  options.set_size(size_.empty() && base_.empty() && router ? "nano" : size_);
  options.set_base_model(base_);
  options.set_format(format_);
  if (tied_ || untied_) options.set_tied(tied_);
  if (ffn_.given()) options.set_ffn(ffn_.value);
  if (context_.given()) options.set_context(context_.value);
  options.set_tokenizer_kind(tokenizer.kind);
  if (vocab_size_.given()) options.set_vocab_size(vocab_size_.value);
  if (tokenizer.vocab_size) options.set_vocab_size(*tokenizer.vocab_size);
  if (lora_rank_.given()) options.set_lora_rank(lora_rank_.value);
  if (lora_alpha_.given()) options.set_lora_alpha(lora_alpha_.value);
  for (const std::string& list : lora_targets_) {
    for (const std::string& target : std::vector<std::string>(absl::StrSplit(list, ',')))
      options.add_lora_targets(target);
  }
  ResolveSteps(options);
  ResolveOptimiser(options);
  ResolveCourse(options);
  ResolveTexts(options);
  ResolvePictures(options);
  return options;
}

void TrainingFlags::ResolveSteps(v1::TrainingOptions& options) const {
  if (steps_.given()) options.set_steps(steps_.value);
  if (epochs_.given()) options.set_epochs(epochs_.value);
  if (batch_.given()) options.set_sequences_per_step(batch_.value);
  if (slots_.given()) options.set_slots(slots_.value);
  if (seed_.given()) options.set_seed(seed_.value);
  options.set_workers_max(workers_);
  options.set_collective(collective_);
  options.set_priority(priority_);
}

void TrainingFlags::ResolveOptimiser(v1::TrainingOptions& options) const {
  if (learning_rate_.given()) options.set_learning_rate(learning_rate_.value);
  if (final_learning_rate_.given()) options.set_final_learning_rate(final_learning_rate_.value);
  if (warmup_.given()) options.set_warmup_steps(warmup_.value);
  if (schedule_.given()) options.set_schedule(schedule_.value);
  if (weight_decay_.given()) options.set_weight_decay(weight_decay_.value);
  if (clip_.given()) options.set_clip_norm(clip_.value);
  if (dropout_.given()) options.set_dropout(dropout_.value);
  if (token_dropout_.given()) options.set_token_dropout(token_dropout_.value);
  if (precision_.given()) options.set_precision(precision_.value);
  if (recompute_) options.set_recompute(true);
}

void TrainingFlags::ResolvePictures(v1::TrainingOptions& options) const {
  if (image_size_.given()) options.set_image_size(image_size_.value);
  if (crop_side_.given()) options.set_crop_side(crop_side_.value);
  if (flip_) options.set_flip(true);
}

void TrainingFlags::ResolveCourse(v1::TrainingOptions& options) const {
  if (validate_every_.given()) options.set_validate_every(validate_every_.value);
  if (early_stop_.given()) options.set_early_stop_validations(early_stop_.value);
  if (checkpoint_every_.given()) options.set_checkpoint_every(checkpoint_every_.value);
  if (checkpoint_seconds_.given()) options.set_checkpoint_seconds(checkpoint_seconds_.value);
  if (keep_.given()) options.set_keep_checkpoints(keep_.value);
}

void TrainingFlags::ResolveTexts(v1::TrainingOptions& options) const {
  if (train_on_prompts_ || answers_only_) options.set_train_on_prompts(train_on_prompts_);
  if (validation_share_.given()) options.set_validation_share(validation_share_.value);
  if (characters_min_.given()) options.set_characters_min(characters_min_.value);
  if (characters_max_.given()) options.set_characters_max(characters_max_.value);
  if (no_quality_filter_) options.set_quality_filter(false);
  if (near_duplicate_share_.given()) options.set_near_duplicate_share(near_duplicate_share_.value);
  if (keep_duplicates_) options.set_keep_duplicates(true);
}

}  // namespace enigma::cli
