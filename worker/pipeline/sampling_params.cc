#include "worker/pipeline/sampling_params.h"

namespace enigma::worker {

engine::SamplingParams FromProto(const v1::SamplingParams& proto) {
  engine::SamplingParams params;
  if (proto.has_temperature()) params.temperature = proto.temperature();
  if (proto.has_top_k()) params.top_k = proto.top_k();
  if (proto.has_top_p()) params.top_p = proto.top_p();
  if (proto.has_min_p()) params.min_p = proto.min_p();
  if (proto.has_repetition_penalty()) params.repetition_penalty = proto.repetition_penalty();
  if (proto.has_frequency_penalty()) params.frequency_penalty = proto.frequency_penalty();
  if (proto.has_presence_penalty()) params.presence_penalty = proto.presence_penalty();
  if (proto.has_seed()) params.seed = proto.seed();
  for (const v1::LogitBias& bias : proto.logit_bias()) params.logit_bias.emplace_back(bias.id(), bias.value());
  if (proto.has_max_tokens()) params.max_tokens = proto.max_tokens();
  params.stop.assign(proto.stop().begin(), proto.stop().end());
  if (proto.has_ignore_eos()) params.ignore_eos = proto.ignore_eos();
  if (proto.has_top_logprobs()) params.top_logprobs = proto.top_logprobs();
  return params;
}

}  // namespace enigma::worker
