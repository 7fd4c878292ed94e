#pragma once

#include <string>
#include <utility>
#include <vector>

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/image/encode_png.h"
#include "tests/support/edited_model.h"
#include "tests/support/synthetic_vision.h"
#include "tests/unit/coordinator/coordinator_fixture.h"
#include "tests/unit/coordinator/http_client.h"

namespace enigma::coordinator::testing {

using PictureJson = nlohmann::json;

// A coordinator with a model that takes pictures, on workers that compute nothing.
class VisionTest : public CoordinatorTest {
 protected:
  // An encoder that goes before "stories", which is 64 wide.
  std::string WriteEncoder(uint32_t output = 64) {
    engine::VisionSpec spec = enigma::testing::SmallVisionSpec();
    spec.output = output;
    auto weights = enigma::testing::RandomVisionWeights(spec, 5);
    std::string path = absl::StrCat(folder_, "/encoder-", output, ".gguf");
    enigma::testing::WriteVisionModel(path, spec, weights, engine::DType::kF32);
    return path;
  }
  grpc::Status ImportEye(const std::string& encoder, bool replace = false) {
    enigma::v1::ImportModelRequest request;
    request.set_path(model_path_);
    request.set_encoder_path(encoder);
    request.set_name("eye");
    request.set_replace(replace);
    return Import(request);
  }
  // "eye" in service on two workers, one of which encodes.
  void ServeEye() {
    StartCluster(2);
    ASSERT_TRUE(ImportEye(WriteEncoder()).ok());
    const grpc::Status loaded = Load("eye", 0);
    ASSERT_TRUE(loaded.ok()) << loaded.error_message();
    pipelines_.SetAnswer(Tokenizer()->Encode("one two three", {}));
  }
  FakeWorker& EncodingWorker() {
    const std::string node = Replicas("eye")[0].encoder().node_id();
    return *workers_[node == "n0" ? 0 : 1];
  }
  void GiveTemplate() {
    enigma::testing::SetChatTemplate(model_path_,
                                     "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}");
  }
  static std::string Png(uint32_t width, uint32_t height) {
    const auto png = engine::EncodePng(engine::Image::Blank(width, height));
    EXPECT_TRUE(png.ok());
    return {png->begin(), png->end()};
  }
  static PictureJson ImagePart(const std::string& file) {
    return {{"type", "image_url"},
            {"image_url", {{"url", "data:image/png;base64," + absl::Base64Escape(file)}, {"detail", "auto"}}}};
  }
  static PictureJson UrlPart(const std::string& url) { return {{"type", "image_url"}, {"image_url", {{"url", url}}}}; }
  static PictureJson Parts(std::vector<PictureJson> parts) {
    return PictureJson::array({{{"role", "user"}, {"content", std::move(parts)}}});
  }
  HttpAnswer Chat(const PictureJson& messages, const std::string& model = "eye", int choices = 1) const {
    const PictureJson body = {{"model", model}, {"messages", messages}, {"max_tokens", 3}, {"n", choices}};
    return Post(port(), "/v1/chat/completions", body.dump());
  }
  static std::string Refusal(const HttpAnswer& answer) {
    EXPECT_EQ(answer.status, 400) << answer.body;
    return answer.status == 400 ? PictureJson::parse(answer.body).at("error").at("message").get<std::string>() : "";
  }
};

}  // namespace enigma::coordinator::testing
