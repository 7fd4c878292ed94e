#include "cli/cluster/plan_flags.h"

namespace enigma::cli {

PlanFlags::PlanFlags(Command& command) {
  command.Number("--stages", stages_, "cut the model into N stages (default: as placement finds best)", "N");
  command.Number("--context", context_, "longest prompt and answer, in tokens (default: the model's, at most 8192)",
                 "TOKENS");
  command.Number("--sequences", sequences_, "full-length sequences to hold memory for (default 4)", "N");
  command.Text("--kv-type", kv_type_, "how keys and values are kept").Among({"f32", "f16", "bf16", "q8"});
  command.Text("--wire-type", wire_type_, "hidden states between nodes (default f32: cutting changes no bit)")
      .Among({"f32", "f16", "bf16"});
  command.Texts("--node", nodes_, "place on this node only (id or host name); may be repeated", "NODE");
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
