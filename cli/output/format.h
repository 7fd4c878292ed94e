#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace enigma::cli {

// Objects keep the order in which their fields were written.
using Json = nlohmann::ordered_json;

// One line on stdout. Bytes that are not UTF-8 become U+FFFD.
void PrintJson(const Json& value);

std::string FormatBytes(uint64_t bytes);    // "1.50 GiB"
std::string FormatCount(uint64_t count);    // "1.10 B", for parameters
std::string FormatSeconds(double seconds);  // "12.3 ms"
std::string FormatDecimal(double value, int digits);

// Columns as wide as their widest cell; numbers are for the caller to format. Columns named in `right` align right.
class Table {
 public:
  explicit Table(std::vector<std::string> headers, std::vector<size_t> right = {});
  void AddRow(std::vector<std::string> cells);
  std::string Render() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::vector<size_t> right_;
};

}  // namespace enigma::cli
