#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/text/tool_calls/tool_syntax.h"

namespace enigma::engine {

// Whether answers in that form can be held to schemas where calls are free to be made or not: its arguments are JSON.
bool CanHoldCalls(const ToolSyntax& syntax);

// What an answer is held to that may be text, or hold calls of `functions` (objects with "name", "parameters" and
// "strict"; all of the tools that may be called): the arguments of strict ones keep to their schemas, those of others
// are any object. So written that whatever FreeCallReader takes for a call has been held to it. `several`: one answer
// may hold several calls. For a syntax that CanHoldCalls; Grammar::FromJsonSchema reads it (schema_calls.cc).
std::string SchemaOfStrictCalls(const ToolSyntax& syntax, const std::vector<nlohmann::ordered_json>& functions,
                                bool several);

}  // namespace enigma::engine
