#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace enigma::engine {

// A file as the caller read it. Borrows its bytes, which must outlive what works on them.
struct CorpusFile {
  std::string name;  // as messages show it; its ending helps to tell the format
  std::string_view bytes;
};

enum class DocumentKind {
  kText,  // running text
  kPair,  // a prompt and what is to follow it
  kChat,  // a conversation as the model's chat template writes it: control tokens in its text are tokens
};

struct Segment {
  std::string text;      // valid UTF-8
  bool trained = false;  // whether the model is to learn to write it; else it is only read
};

// What is learned from as one: its text is that of its segments, one behind the other. Nothing is seen across
// documents.
struct Document {
  std::vector<Segment> segments;
  DocumentKind kind = DocumentKind::kText;
  // Parts of a long text: only the first is begun with the begin token, only the last is closed with the end token.
  bool is_beginning = true;
  bool is_end = true;
  uint32_t file = 0;  // index of the file it came from
  uint64_t line = 0;  // where it begins there, from 1

  std::string Text() const {
    std::string text;
    for (const Segment& segment : segments) text += segment.text;
    return text;
  }
};

}  // namespace enigma::engine
