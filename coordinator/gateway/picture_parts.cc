#include "coordinator/gateway/picture_parts.h"

#include <algorithm>
#include <utility>

#include <absl/strings/escaping.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "base/text.h"
#include "engine/spec/manifest.h"

namespace enigma::coordinator {
namespace {

constexpr std::string_view kPictureType = "image_url";
constexpr absl::string_view kBase64 = ";base64";

// The base64 behind the comma of a data URI that has an image; empty for anything else.
absl::string_view EncodedImage(absl::string_view url) {
  const size_t comma = url.find(',');
  if (comma == absl::string_view::npos) return {};
  const absl::string_view head = url.substr(0, comma);
  if (!absl::StartsWithIgnoreCase(head, "data:image/") || !absl::EndsWithIgnoreCase(head, kBase64)) return {};
  return url.substr(comma + 1);
}

const std::string& UrlOf(const Json& part) { return part["image_url"]["url"].get_ref<const std::string&>(); }

// The text parts of a typed content, with a newline between.
std::string TextOfParts(const Json& content) {
  std::string text;
  for (const Json& part : content) {
    if (!part.contains("text") || !part["text"].is_string()) continue;
    absl::StrAppend(&text, text.empty() ? "" : "\n", part["text"].get_ref<const std::string&>());
  }
  return text;
}

}  // namespace

bool IsPicturePart(const Json& part) {
  return part.is_object() && part.contains("type") && part["type"].is_string() &&
         part["type"].get_ref<const std::string&>() == kPictureType;
}

std::string WrongPicturePart(const Json& part) {
  const bool has_url = part.contains("image_url") && part["image_url"].is_object() &&
                       part["image_url"].contains("url") && part["image_url"]["url"].is_string();
  if (!has_url) return "a part of type 'image_url' has an object image_url with a string url";
  const std::string& url = UrlOf(part);
  if (absl::StartsWithIgnoreCase(url, "http:") || absl::StartsWithIgnoreCase(url, "https:")) {
    return "this server fetches no images from elsewhere; send the file itself, as data:image/png;base64,...";
  }
  if (EncodedImage(url).empty()) return "the url of an image is data:image/TYPE;base64, and the file in base64";
  return "";
}

std::string TakePictures(Json& content, std::vector<std::string>& files) {
  if (!content.is_array()) return "";
  for (Json& part : content) {
    if (!IsPicturePart(part)) continue;
    std::string file;
    if (!absl::Base64Unescape(EncodedImage(UrlOf(part)), &file)) return "the base64 of an image is broken";
    part = Json{{"type", kPictureType}, {"image_url", {{"url", PictureMark(file)}}}};
    files.push_back(std::move(file));
  }
  return "";
}

std::string PictureMark(std::string_view file) {
  return absl::StrCat("sha256:", engine::HexOf(engine::Sha256Of(file)));
}

Json WithoutPictures(Json messages) {
  for (Json& message : messages) {
    if (!message.contains("content") || !message["content"].is_array()) continue;
    Json& content = message["content"];
    if (std::any_of(content.begin(), content.end(), IsPicturePart)) content = TextOfParts(content);
  }
  return messages;
}

std::string TextOfMessages(const Json& messages) {
  std::string all;
  for (const Json& message : messages) {
    if (!message.contains("content")) continue;
    const Json& content = message["content"];
    const std::string text = content.is_string()  ? content.get<std::string>()
                             : content.is_array() ? TextOfParts(content)
                                                  : std::string();
    if (!text.empty()) absl::StrAppend(&all, all.empty() ? "" : "\n", text);
  }
  return all;
}

}  // namespace enigma::coordinator
