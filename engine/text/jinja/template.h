#pragma once

#include <ctime>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>
#include <nlohmann/json_fwd.hpp>

#include "engine/text/jinja/limits.h"

namespace enigma::engine::jinja {

using Json = nlohmann::ordered_json;

struct RenderOptions {
  Limits limits;
  Dialect dialect = Dialect::kPython;
  std::time_t now = 0;  // what strftime_now prints, in the local time of this machine; 0 for the present
};

// A Jinja template as the models' files carry them (tokenizer.chat_template), with the settings and functions that
// transformers adds: trim_blocks, lstrip_blocks, break and continue, generation blocks, tojson without escapes for
// HTML, raise_exception, strftime_now, an immutable sandbox. Where it differs from Jinja2: filters give lists instead
// of generators, integers have 64 bits, escaped text is plain text, and include, import, extends, block and autoescape
// do not exist. Immutable, thread-safe; copies share the parsed tree.
class Template {
 public:
  // InvalidArgument with line and column where it is no template; ResourceExhausted where it is too large.
  static absl::StatusOr<Template> Parse(std::string_view source, const Limits& limits = {});

  // `context`: an object whose members are the variables. InvalidArgument: the template fails, with line and column, or
  // calls raise_exception, whose message is then the status's. ResourceExhausted: a limit is reached.
  absl::StatusOr<std::string> Render(const Json& context, const RenderOptions& options = {}) const;

 private:
  struct Tree;
  explicit Template(std::shared_ptr<const Tree> tree) : tree_(std::move(tree)) {}

  std::shared_ptr<const Tree> tree_;
};

}  // namespace enigma::engine::jinja
