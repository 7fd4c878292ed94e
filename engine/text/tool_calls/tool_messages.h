#pragma once

#include <nlohmann/json.hpp>

#include "engine/text/chat_template.h"

namespace enigma::engine {

// Calls of tools and their results in the form that a template with these abilities takes:
//  - without a place for calls, a call is the text of its assistant: {"name": ..., "arguments": ...}, one in each line;
//  - without a place for results, those that follow each other are one message of the user;
//  - where a message may hold one call only, further ones become messages of their own, each before its result;
//  - where ids must have nine letters or digits, others are replaced, alike in calls and results.
// `messages` are objects with a role.
nlohmann::ordered_json AdaptToolMessages(const nlohmann::ordered_json& messages, const ChatAbilities& abilities);

// The messages with a description of the tools in front, for templates that have no place for it: as a system message,
// or behind the one that is there. It asks for calls as ToolSyntax::PlainJson.
nlohmann::ordered_json WithToolPrompt(const nlohmann::ordered_json& messages, const nlohmann::ordered_json& tools);

}  // namespace enigma::engine
