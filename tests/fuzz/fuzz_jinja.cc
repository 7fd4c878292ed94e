// A chat template from a stranger: the template, and behind a zero byte the variables as JSON, which come with a
// request.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "engine/text/jinja/template.h"

namespace {

using namespace enigma::engine;

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(bytes.find('\0'), size);
  const auto parsed = jinja::Template::Parse(bytes.substr(0, end));
  if (!parsed.ok()) return 0;
  jinja::Json context = jinja::Json::parse(bytes.substr(std::min(end + 1, size)), nullptr, /*allow_exceptions=*/false);
  if (!context.is_object()) {
    context = {
        {"messages", {{{"role", "user"}, {"content", "h\u00e9"}}, {{"role", "assistant"}, {"content", nullptr}}}},
        {"tools", nullptr},
        {"add_generation_prompt", true}};
  }
  jinja::RenderOptions options;
  options.now = 1'750'000'000;
  options.limits.steps_max = 20'000;
  options.limits.output_bytes_max = 1 << 16;
  options.limits.string_bytes_max = 1 << 16;
  options.limits.list_items_max = 1000;
  options.limits.memory_bytes_max = 1 << 22;
  for (const jinja::Dialect dialect : {jinja::Dialect::kPython, jinja::Dialect::kJavaScript}) {
    options.dialect = dialect;
    const auto text = parsed->Render(context, options);
    if (text.ok()) Require(text->size() <= options.limits.output_bytes_max);
    const auto again = parsed->Render(context, options);
    Require(text.ok() == again.ok());
    if (text.ok()) Require(*text == *again);
  }
  return 0;
}
