#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace enigma::coordinator {

// A file's bytes, mapped into memory. The file must not be shortened meanwhile. Immutable.
class MappedText {
 public:
  // Errors name the path.
  static absl::StatusOr<std::unique_ptr<MappedText>> Open(const std::string& path);
  ~MappedText();
  MappedText(const MappedText&) = delete;
  MappedText& operator=(const MappedText&) = delete;

  std::string_view bytes() const { return bytes_; }

 private:
  explicit MappedText(std::string_view bytes) : bytes_(bytes) {}
  const std::string_view bytes_;
};

}  // namespace enigma::coordinator
