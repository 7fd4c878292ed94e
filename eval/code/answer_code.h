#pragma once

#include <string>
#include <string_view>

namespace enigma::eval {

// The program in an answer: the first block fenced by ``` (or ~~~), whatever language is named behind the fence, up to
// the closing fence or the end; without a fence the whole answer. White space before the first line's text goes where
// no fence sets it off, because an answer begins behind "A:".
std::string CodeInAnswer(std::string_view answer);

}  // namespace enigma::eval
