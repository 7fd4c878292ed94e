// Captions from whoever wrote them, and a set of pictures from another machine: the same bytes as either.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "engine/corpus/captions.h"
#include "engine/corpus/picture_set.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace enigma::engine;
  const auto captions = ReadCaptions({"input", std::string_view(reinterpret_cast<const char*>(data), size)});
  if (captions.ok()) {
    for (const CaptionedPicture& picture : *captions) {
      const std::string path = "/" + picture.image + "/";
      if (picture.caption.empty() || picture.image.front() == '/' || path.find("/../") != std::string::npos)
        std::abort();
    }
  }
  const auto set = PictureSet::FromBytes(std::vector<uint8_t>(data, data + size), "input");
  if (!set.ok()) return 0;
  for (uint64_t number = 0; number < (*set)->pictures(); ++number) {
    const Image picture = (*set)->Picture(number);
    if (picture.rgb.size() != size_t{3} * (*set)->side() * (*set)->side()) std::abort();
  }
  return 0;
}
