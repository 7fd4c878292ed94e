#include "engine/corpus/token_set.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/corpus/token_set_layout.h"

namespace enigma::engine {
namespace {

namespace layout = token_set_layout;

absl::Status Wrong(std::string_view name, const std::string& problem) {
  return absl::InvalidArgumentError(absl::StrCat(ToAbsl(name), ": ", problem, "; prepare the token set anew"));
}

absl::Status SystemError(const std::string& path, const char* what) {
  const int error = errno;
  return absl::ErrnoToStatus(error, absl::StrCat(path, ": cannot ", what));
}

bool IsZero(std::span<const uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

Sha256 HashAt(const uint8_t* from) {
  Sha256 hash;
  std::copy_n(from, hash.size(), hash.begin());
  return hash;
}

}  // namespace

TokenSet::~TokenSet() {
  if (mapping_ != nullptr) ::munmap(mapping_, bytes_.size());
}

absl::StatusOr<std::shared_ptr<const TokenSet>> TokenSet::Open(const std::string& path) {
  // O_NONBLOCK: a FIFO is refused below, not waited for.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return SystemError(path, "open");
  std::shared_ptr<TokenSet> set(new TokenSet());
  struct stat info {};
  absl::Status status;
  if (::fstat(fd, &info) != 0) {
    status = SystemError(path, "read the size");
  } else if (!S_ISREG(info.st_mode) || info.st_size == 0) {
    status = absl::InvalidArgumentError(absl::StrCat(path, ": is no file with something in it"));
  } else {
    const auto size = static_cast<size_t>(info.st_size);
    void* mapping = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
    if (mapping == MAP_FAILED) {
      status = SystemError(path, "map");
    } else {
      set->mapping_ = mapping;
      set->bytes_ = {static_cast<const uint8_t*>(mapping), size};
    }
  }
  ::close(fd);
  ENIGMA_RETURN_IF_ERROR(status);
  ENIGMA_RETURN_IF_ERROR(set->Parse(path));
  return set;
}

absl::StatusOr<std::shared_ptr<const TokenSet>> TokenSet::FromBytes(std::vector<uint8_t> bytes, std::string_view name) {
  std::shared_ptr<TokenSet> set(new TokenSet());
  set->owned_ = std::move(bytes);
  set->bytes_ = set->owned_;
  ENIGMA_RETURN_IF_ERROR(set->Parse(name));
  return set;
}

absl::Status TokenSet::Parse(std::string_view name) {
  const uint8_t* data = bytes_.data();
  const uint64_t size = bytes_.size();
  if (size < layout::kHeaderBytes || std::memcmp(data, layout::kMagic.data(), layout::kMagic.size()) != 0) {
    return Wrong(name, "is no token set");
  }
  const auto version = Load<uint32_t>(data + layout::kVersionAt);
  if (version != layout::kVersion) {
    return Wrong(name, absl::StrCat("is a token set of version ", version, ", not ", layout::kVersion));
  }
  vocabulary_size_ = Load<uint32_t>(data + layout::kVocabularyAt);
  const auto id_bytes = Load<uint32_t>(data + layout::kIdBytesAt);
  if (id_bytes != layout::IdBytes(vocabulary_size_) || Load<uint32_t>(data + layout::kReservedAt) != 0) {
    return Wrong(name, "its header is damaged");
  }
  wide_ = id_bytes == 4;
  training_documents_ = Load<uint64_t>(data + layout::kTrainingAt);
  const auto validation = Load<uint64_t>(data + layout::kValidationAt);
  tokens_ = Load<uint64_t>(data + layout::kTokensAt);
  // Each takes some bytes of the file, so no sum below can overflow.
  if (training_documents_ > size || validation > size || tokens_ > size) {
    return Wrong(name, "its header promises more than there is");
  }
  documents_ = training_documents_ + validation;
  const layout::Sections sections = layout::Place(documents_, tokens_, id_bytes);
  if (sections.end != size) {
    return Wrong(name, absl::StrCat("has ", size, " bytes where its header promises ", sections.end));
  }
  if (documents_ > std::numeric_limits<uint32_t>::max()) {
    return absl::InvalidArgumentError(
        absl::StrCat(ToAbsl(name), ": has ", documents_, " documents; at most 2^32 - 1 can be used"));
  }
  hash_ = HashAt(data + layout::kHashAt);
  vocabulary_hash_ = HashAt(data + layout::kVocabularyHashAt);
  Sha256Hasher hasher;
  hasher.Update(data, layout::kHashAt);
  hasher.Update(data + layout::kHeaderBytes, size - layout::kHeaderBytes);
  if (hasher.Finish() != hash_) {
    return absl::DataLossError(absl::StrCat(ToAbsl(name), ": its SHA-256 is not that of its content; it is damaged"));
  }
  offsets_ = data + layout::kHeaderBytes;
  ids_ = data + sections.ids_at;
  mask_ = data + sections.mask_at;
  ENIGMA_RETURN_IF_ERROR(CheckContent(name));
  const uint64_t ids_end = sections.ids_at + tokens_ * id_bytes;
  const uint64_t mask_end = sections.mask_at + layout::MaskBytes(tokens_);
  if (!IsZero(bytes_.subspan(ids_end, sections.mask_at - ids_end)) || !IsZero(bytes_.subspan(mask_end)) ||
      (tokens_ % 8 != 0 && bytes_[mask_end - 1] >> (tokens_ % 8) != 0)) {
    return Wrong(name, "has something between its parts");
  }
  return absl::OkStatus();
}

// A hash says that the bytes are those of whoever wrote it, not that he meant well.
absl::Status TokenSet::CheckContent(std::string_view name) {
  if (begin(0) != 0 || begin(documents_) != tokens_) {
    return Wrong(name, "its documents are not all of its tokens");
  }
  for (uint64_t document = 0; document < documents_; ++document) {
    const uint64_t first = begin(document);
    const uint64_t end = begin(document + 1);
    if (end <= first || end > tokens_) return Wrong(name, absl::StrCat("document ", document, " has no place"));
    if (IsTrained(first)) return Wrong(name, absl::StrCat("document ", document, " begins with a token to predict"));
    uint64_t& trained = trained_[document < training_documents_ ? 0 : 1];
    for (uint64_t at = first; at < end; ++at) {
      if (static_cast<uint32_t>(Token(at)) >= vocabulary_size_) {
        return Wrong(name, absl::StrCat("token ", at, " is none of its vocabulary"));
      }
      trained += IsTrained(at) ? 1 : 0;
    }
  }
  return absl::OkStatus();
}

uint64_t TokenSet::tokens(Part part) const {
  const uint64_t first = first_document(part);
  return begin(first + documents(part)) - begin(first);
}

absl::Status TokenSet::CheckVocabulary(const Tokenizer& tokenizer) const {
  if (tokenizer.vocab_size() == vocabulary_size_ && VocabularyHash(tokenizer) == vocabulary_hash_) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "the token set was made with another vocabulary (of ", vocabulary_size_, " tokens) than the model's (",
      tokenizer.vocab_size(), " tokens): prepare the corpus with this model"));
}

}  // namespace enigma::engine
