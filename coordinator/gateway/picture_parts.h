#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "coordinator/gateway/openai/body.h"

namespace enigma::coordinator {

// Parts of a message's content that are pictures: OpenAI's {"type": "image_url", "image_url": {"url": "data:image/png;
// base64,..."}}.

bool IsPicturePart(const Json& part);
// What is wrong with one, by its shape and URL; empty: nothing. Remote URLs are refused: this server fetches nothing.
std::string WrongPicturePart(const Json& part);
// Takes the files out of a content, in their order, and leaves a mark with their hash in place of each, so that two
// conversations with different pictures differ. What is wrong (no base64), or empty.
std::string TakePictures(Json& content, std::vector<std::string>& files);
// The mark of a file.
std::string PictureMark(std::string_view file);

// The messages with their texts alone.
Json WithoutPictures(Json messages);
// The texts of messages without pictures, with a newline between.
std::string TextOfMessages(const Json& messages);

}  // namespace enigma::coordinator
