#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

namespace enigma::engine {

// What `text` stands for as the value of the argument `name`, in a form that writes arguments as text. `parameters` is
// the tool's JSON Schema of all arguments, or null. A string keeps every byte. Where the schema asks for something
// else, the text is parsed as JSON (booleans and null also as Python writes them, since templates do); where it allows
// both, what can be parsed as the other is. Text that is nothing of what the schema asks for, or that it says nothing
// about, stays a string. Only so much of a schema is looked at (for about a millisecond), and no reference of more than
// 1 KiB is followed; what is left out says nothing.
nlohmann::ordered_json ArgumentFromText(std::string_view name, std::string_view text,
                                        const nlohmann::ordered_json& parameters);

}  // namespace enigma::engine
