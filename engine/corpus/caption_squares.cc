#include "engine/corpus/caption_squares.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <span>
#include <string_view>
#include <system_error>
#include <thread>

#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"

namespace enigma::engine {
namespace {

constexpr size_t kPicturesAtOnce = 256;  // loaded between two looks at who wants them

// Number of the first document that shows an image; keys borrow from the captions.
using ShownFirst = absl::flat_hash_map<std::string_view, uint64_t>;

// The picture in its square.
absl::StatusOr<Image> LoadSquare(const CaptionedPicture& picture, const PictureLoader& load,
                                 const PictureSetBuilder& squares, const CaptionOptions& options) {
  try {
    const absl::StatusOr<Image> image = load(picture.image);
    if (image.ok()) return squares.Fit(*image);
    return absl::Status(image.status().code(),
                        absl::StrCat(PlaceOfCaption(picture, options), picture.image, ": ", image.status().message()));
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(
        absl::StrCat(PlaceOfCaption(picture, options), picture.image, ": there is no memory left to decode it"));
  }
}

// Several on each of the threads.
std::vector<absl::StatusOr<Image>> LoadSquares(std::span<const CaptionedPicture* const> pictures,
                                               const PictureLoader& load, const CaptionOptions& options,
                                               const PictureSetBuilder& squares) {
  std::vector<absl::StatusOr<Image>> loaded(pictures.size());
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next.fetch_add(1); i < pictures.size(); i = next.fetch_add(1)) {
      loaded[i] = LoadSquare(*pictures[i], load, squares, options);
    }
  };
  std::vector<std::thread> others;
  others.reserve(static_cast<size_t>(std::max(options.threads, 1)));
  try {
    for (int thread = 1; thread < options.threads; ++thread) others.emplace_back(work);
  } catch (const std::system_error&) {
    // Those that could be started do it all.
  }
  work();
  for (std::thread& other : others) other.join();
  return loaded;
}

absl::Status AddBatch(std::span<const CaptionedPicture* const> pictures, const PictureLoader& load,
                      const CaptionOptions& options, ShownFirst& shown, PictureSetBuilder& squares) {
  std::vector<const CaptionedPicture*> fresh;
  for (size_t i = 0; i < pictures.size(); ++i) {
    if (shown.try_emplace(pictures[i]->image, squares.pictures() + i).second) fresh.push_back(pictures[i]);
  }
  const std::vector<absl::StatusOr<Image>> loaded = LoadSquares(fresh, load, options, squares);
  auto next = loaded.begin();
  for (const CaptionedPicture* picture : pictures) {
    const uint64_t first = shown.at(picture->image);
    if (first < squares.pictures()) {
      squares.Repeat(first);
      continue;
    }
    const absl::StatusOr<Image>& square = *next++;
    ENIGMA_RETURN_IF_ERROR(square.status());
    squares.AddFitted(*square);
  }
  return absl::OkStatus();
}

}  // namespace

std::string PlaceOfCaption(const CaptionedPicture& picture, const CaptionOptions& options) {
  if (options.file.empty() || picture.line == 0) return "";
  return absl::StrCat(options.file, ", line ", picture.line, ": ");
}

absl::Status AddSquares(const std::vector<const CaptionedPicture*>& pictures, const PictureLoader& load,
                        const CaptionOptions& options, PictureSetBuilder& squares) {
  ENIGMA_RETURN_IF_ERROR(squares.Reserve(pictures.size()));
  ShownFirst shown;
  for (size_t done = 0; done < pictures.size();) {
    if (options.progress && !options.progress(done, pictures.size())) {
      return absl::CancelledError("the pictures are not wanted any more");
    }
    const size_t count = std::min(kPicturesAtOnce, pictures.size() - done);
    ENIGMA_RETURN_IF_ERROR(AddBatch({pictures.data() + done, count}, load, options, shown, squares));
    done += count;
  }
  return absl::OkStatus();
}

}  // namespace enigma::engine
