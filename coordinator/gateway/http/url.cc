#include "coordinator/gateway/http/url.h"

namespace enigma::coordinator {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

bool SplitTarget(std::string_view target, std::string& path, std::string& query) {
  path.clear();
  query.clear();
  if (!target.starts_with('/')) return false;
  const size_t mark = target.find('?');
  if (mark != std::string_view::npos) query = target.substr(mark + 1);
  target = target.substr(0, mark);
  for (size_t i = 0; i < target.size(); ++i) {
    char c = target[i];
    if (c == '%') {
      if (i + 2 >= target.size()) return false;
      const int high = HexDigit(target[i + 1]);
      const int low = HexDigit(target[i + 2]);
      if (high < 0 || low < 0) return false;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return false;
    path.push_back(c);
  }
  return true;
}

}  // namespace enigma::coordinator
