// Requests with images to the model "auto".
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/text/tokenizer_file.h"
#include "tests/unit/coordinator/vision_fixture.h"

namespace enigma::coordinator::testing {
namespace {

class PictureRoutingTest : public VisionTest {
 protected:
  // Behind "auto": "blind" for what is said, this model for pictures, and more tasks.
  void WriteRegistry(const std::string& for_pictures, const std::string& more = "") const {
    const std::string file = folder_ + "/specialists.yaml";
    std::ofstream(file + ".next") << "default: talk\ntasks:\n  talk: {model: blind}\n  pictures: {model: "
                                  << for_pictures << "}\n"
                                  << more;
    std::filesystem::rename(file + ".next", file);
  }
  // On two workers, with nothing loaded.
  void BeginRouting(const std::string& for_pictures = "eye") {
    GiveTemplate();
    WriteRegistry(for_pictures);
    Coordinator::Options options = Options();
    options.specialists_file = folder_ + "/specialists.yaml";
    options.specialists_look = absl::Milliseconds(20);
    StartCoordinator(options);
    StartWorker("n0");
    StartWorker("n1");
    ASSERT_TRUE(WaitForState("ready", 2));
    ASSERT_TRUE(Import("blind").ok());
    ASSERT_TRUE(ImportEye(WriteEncoder()).ok());
    ASSERT_TRUE(Eventually([&] { return Specialist("pictures") == for_pictures; }));
  }
  // Whose model answers for the task by the registry that is in force; empty: none.
  std::string Specialist(const std::string& task) const {
    PictureJson registry = PictureJson::parse(Get(port(), "/api/specialists").body);
    if (!registry["fault"].is_null()) return "";
    for (const PictureJson& one : registry["tasks"]) {
      if (one.at("name") == task) return one.at("model");
    }
    return "";
  }
};

TEST_F(PictureRoutingTest, AnImageGoesToTheSpecialistThatTakesOne) {
  BeginRouting();
  const HttpAnswer answer = Chat(Parts({ImagePart(Png(8, 8))}), "auto");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.headers.at("x-enigma-model"), "eye");
  EXPECT_EQ(answer.headers.at("x-enigma-route-method"), "capability");
}

// As those trained here on captions: they have learned to read nothing, and would tell of a picture that is not there.
TEST_F(PictureRoutingTest, ATextGoesToNoModelThatReadsNone) {
  BeginRouting();
  const std::string captions = folder_ + "/captions.gguf";
  enigma::testing::EditModel(model_path_, captions, [](enigma::testing::EditableModel& model) {
    model.metadata.Set("tokenizer.chat_template", std::string(engine::kCaptionTemplate));
  });
  enigma::v1::ImportModelRequest teller;
  teller.set_path(captions);
  teller.set_encoder_path(folder_ + "/encoder-64.gguf");
  teller.set_name("teller");
  ASSERT_TRUE(Import(teller).ok());
  WriteRegistry("teller", "  asked: {model: teller, keywords: [picture]}\n");
  ASSERT_TRUE(Eventually([&] { return Specialist("asked") == "teller"; }));
  const PictureJson text = PictureJson::array({{{"role", "user"}, {"content", "What do you see in this picture?"}}});
  const HttpAnswer routed = Chat(text, "auto");
  EXPECT_EQ(routed.status, 200) << routed.body;
  EXPECT_EQ(routed.headers.at("x-enigma-model"), "blind");
  EXPECT_EQ(routed.headers.at("x-enigma-route-method"), "capability");
  const HttpAnswer about_one = Chat(Parts({ImagePart(Png(8, 8))}), "auto");
  EXPECT_EQ(about_one.headers.at("x-enigma-model"), "teller") << "it is in service";
  EXPECT_THAT(Refusal(Chat(text, "teller")), ::testing::HasSubstr("'teller' answers about pictures alone"));
}

TEST_F(PictureRoutingTest, AnImageGoesToNoModelThatTheKeyMayNotUse) {
  BeginRouting();
  enigma::v1::ImportModelRequest secret;
  secret.set_path(model_path_);
  secret.set_encoder_path(folder_ + "/encoder-64.gguf");
  secret.set_name("secret");
  ASSERT_TRUE(Import(secret).ok());
  WriteRegistry("eye", "  vision: {model: secret}\n");
  ASSERT_TRUE(Eventually([&] { return Specialist("vision") == "secret"; }));
  const auto asked_with_key_of = [&](const std::string& model) {
    grpc::ClientContext context;
    enigma::v1::CreateKeyRequest request;
    request.set_name("of " + model);
    request.add_models(model);
    enigma::v1::CreateKeyReply key;
    EXPECT_TRUE(cluster_->CreateKey(&context, request, &key).ok());
    const PictureJson body = {{"model", "auto"}, {"messages", Parts({ImagePart(Png(8, 8))})}, {"max_tokens", 3}};
    return Post(port(), "/v1/chat/completions", body.dump(), {"Authorization: Bearer " + key.secret()});
  };
  HttpAnswer answer = asked_with_key_of("eye");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.headers["x-enigma-model"], "eye");
  EXPECT_EQ(asked_with_key_of("blind").status, 403);
}

TEST_F(PictureRoutingTest, NobodyStandsInWhoTakesNoImage) {
  BeginRouting("blind");
  const PictureJson text = PictureJson::array({{{"role", "user"}, {"content", "Once"}}});
  ASSERT_EQ(Chat(text, "auto").status, 200) << "from now on it serves";
  for (const auto& worker : workers_) worker->HoldLoads(true);
  WriteRegistry("eye");
  ASSERT_TRUE(Eventually([&] { return Specialist("pictures") == "eye"; }));
  HttpAnswer answer;
  std::thread asking([&] { answer = Chat(Parts({ImagePart(Png(8, 8))}), "auto"); });
  EXPECT_TRUE(Eventually([&] {
    return Get(port(), "/metrics").body.find("method=\"capability\"") != std::string::npos;
  })) << "it is decided while the one that took its place is not there yet";
  for (const auto& worker : workers_) worker->HoldLoads(false);
  asking.join();
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.headers["x-enigma-model"], "eye");
}

TEST_F(PictureRoutingTest, AConversationAboutAPictureIsNoOtherOfTheSameWords) {
  BeginRouting();
  enigma::v1::GenerateRequest chat;
  chat.set_model("auto");
  chat.mutable_sampling()->set_max_tokens(2);
  const auto say = [&chat](const std::string& role) -> enigma::v1::ChatMessage& {
    enigma::v1::ChatMessage& message = *chat.mutable_chat()->add_messages();
    message.set_role(role);
    message.set_content("Once");
    return message;
  };
  const auto answered_by = [&] {
    grpc::ClientContext context;
    const auto stream = inference_->Generate(&context, chat);
    enigma::v1::GenerateChunk chunk;
    std::string model;
    while (stream->Read(&chunk)) model += chunk.model();
    const grpc::Status status = stream->Finish();
    return status.ok() ? model : status.error_message();
  };
  say("user").add_pictures(Png(8, 8));
  EXPECT_EQ(answered_by(), "eye");
  chat.mutable_chat()->mutable_messages(0)->clear_pictures();
  say("assistant");
  say("user");
  EXPECT_EQ(answered_by(), "blind") << "that one was about a picture";
}

}  // namespace
}  // namespace enigma::coordinator::testing
