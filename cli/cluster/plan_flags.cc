#include "cli/cluster/plan_flags.h"

namespace enigma::cli {

PlanFlags::PlanFlags(Command& command) {
  command.Number("--stages", stages_, "cut the model into N stages (default: as placement finds best)", "N").AtLeast(1);
  command
      .Number("--context", context_,
              "longest prompt and answer together, in tokens (default: the model's, at most 8192)", "TOKENS")
      .AtLeast(1);
  command.Number("--sequences", sequences_, "full-length sequences to hold memory for, 1 to 4096 (default 4)", "N")
      .Between(1, 4096);
  command
      .Text("--kv-type", kv_type_,
            "how keys and values are kept: f32, f16, bf16 or q8 (default: f32 for an F32 model, else f16)", "TYPE")
      .Among({"f32", "f16", "bf16", "q8"});
  command
      .Text("--wire-type", wire_type_,
            "hidden states between nodes: f32, f16 or bf16 (default f32: cutting changes no bit)", "TYPE")
      .Among({"f32", "f16", "bf16"});
  command
      .Texts("--node", nodes_,
             "place on this node only (id, four or more characters of its beginning, or host name); may be repeated",
             "NODE")
      .Utf8();
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
