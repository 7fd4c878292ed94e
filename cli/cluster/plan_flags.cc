#include "cli/cluster/plan_flags.h"

namespace enigma::cli {

PlanFlags::PlanFlags(CLI::App& command) {
  command.add_option("--stages", stages_, "cut the model into N stages (default: as placement finds best)")
      ->type_name("N");
  command
      .add_option("--context", context_, "longest prompt and answer, in tokens (default: the model's, at most 8192)")
      ->type_name("TOKENS");
  command.add_option("--sequences", sequences_, "full-length sequences to hold memory for (default 4)")->type_name("N");
  command.add_option("--kv-type", kv_type_, "how keys and values are kept")
      ->check(CLI::IsMember({"f32", "f16", "bf16", "q8"}));
  command.add_option("--wire-type", wire_type_, "hidden states between nodes (default f32: cutting changes no bit)")
      ->check(CLI::IsMember({"f32", "f16", "bf16"}));
  command.add_option("--node", nodes_, "place on this node only (id or host name); may be repeated")
      ->type_name("NODE")
      ->allow_extra_args(false);
}

v1::PlanOptions PlanFlags::Resolve() const {
  v1::PlanOptions options;
  options.set_stages(stages_);
  options.set_context(context_);
  options.set_sequences(sequences_);
  options.set_kv_type(kv_type_);
  options.set_wire_type(wire_type_);
  for (const std::string& node : nodes_) options.add_nodes(node);
  return options;
}

}  // namespace enigma::cli
