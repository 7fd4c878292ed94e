#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/text/chat_template.h"
#include "engine/text/tool_calls/free_call_reader.h"

namespace enigma::engine::testing {

inline ChatTemplate MakeTemplate(const std::string& source) {
  auto made = ChatTemplate::Create(source, {.bos_text = "<s>", .eos_text = "</s>", .limits = {}});
  EXPECT_TRUE(made.ok()) << made.status();
  return *std::move(made);
}

inline ToolSyntax SyntaxOf(const std::string& source) { return MakeTemplate(source).tool_syntax(); }

// What a reader makes of an answer that comes in pieces of `size` bytes: "content|name(arguments)|name(arguments)".
inline std::string ReadIn(CallReader& reader, const std::string& answer, size_t size) {
  std::string content;
  std::vector<std::string> calls;
  const auto add = [&](const ToolOutput& out) {
    content += out.content;
    for (const ToolOutput::Piece& piece : out.calls) {
      EXPECT_LE(piece.call, calls.size());
      EXPECT_EQ(piece.call == calls.size(), !piece.name.empty()) << "the first piece has the name, and no other";
      if (piece.call == calls.size()) calls.push_back("|" + piece.name + "(");
      calls[piece.call] += piece.arguments;
    }
  };
  for (size_t at = 0; at < answer.size(); at += size) add(reader.Add(answer.substr(at, size)));
  add(reader.Finish());
  for (const std::string& call : calls) content += call + ")";
  return content;
}

// The same, having seen that it does not depend on the pieces.
inline std::string ReadFreely(const FreeCallReader::Options& options, const std::string& answer) {
  std::string result;
  for (const size_t size : {size_t{1}, size_t{2}, size_t{3}, size_t{7}, answer.size()}) {
    FreeCallReader reader(options);
    const std::string read = ReadIn(reader, answer, size);
    if (result.empty()) result = read;
    EXPECT_EQ(read, result) << "in pieces of " << size;
  }
  return result;
}

}  // namespace enigma::engine::testing
