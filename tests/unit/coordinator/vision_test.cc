// Models that take pictures: their two files, the stage that encodes, and requests with images.
#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include <absl/synchronization/notification.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/gateway/request_pictures.h"
#include "engine/spec/manifest.h"
#include "engine/text/given_row.h"
#include "tests/unit/coordinator/vision_fixture.h"

namespace enigma::coordinator::testing {
namespace {

using ::testing::HasSubstr;

TEST_F(VisionTest, AModelIsTwoFilesAndSurvivesARestart) {
  StartCoordinator(Options());
  const std::string encoder = WriteEncoder();
  const grpc::Status imported = ImportEye(encoder);
  ASSERT_TRUE(imported.ok()) << imported.error_message();
  EXPECT_EQ(imported_.encoder().path(), encoder);
  EXPECT_EQ(imported_.encoder().image_size(), 24u);
  EXPECT_EQ(imported_.encoder().rows(), 9u);
  const std::string content = imported_.content_id();
  coordinator_.reset();
  StartCoordinator(Options());
  ASSERT_TRUE(ImportEye(encoder).ok()) << "the same content again";
  EXPECT_EQ(imported_.content_id(), content);
  EXPECT_EQ(ImportFile(model_path_, "eye").error_code(), grpc::StatusCode::ALREADY_EXISTS);

  const auto file = engine::GgufFile::Open(encoder);
  ASSERT_TRUE(file.ok()) << file.status();
  const auto manifest = engine::BuildManifest(**file, "eye");
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  for (const engine::Blob& blob : manifest->blobs) {
    grpc::ClientContext context;
    enigma::v1::FetchRequest request;
    request.set_sha256(blob.hash.data(), blob.hash.size());
    const auto stream = content_->Fetch(&context, request);
    engine::Sha256Hasher hash;
    enigma::v1::FetchChunk chunk;
    while (stream->Read(&chunk)) hash.Update(chunk.data().data(), chunk.data().size());
    ASSERT_TRUE(stream->Finish().ok());
    EXPECT_EQ(hash.Finish(), blob.hash);
  }
}

TEST_F(VisionTest, WhatDoesNotGoTogetherIsRefused) {
  StartCoordinator(Options());
  EXPECT_THAT(ImportEye(WriteEncoder(72)).error_message(), HasSubstr("they do not go together"));
  EXPECT_THAT(ImportEye(model_path_).error_message(), HasSubstr("not that of an image encoder"));
  EXPECT_THAT(ImportEye(folder_ + "/none.gguf").error_message(), HasSubstr("none.gguf"));
  EXPECT_THAT(ImportFile(WriteEncoder(), "eye").error_message(), HasSubstr("--encoder"));
}

// The model with one layer, `hidden` wide in place of 64, of zeros.
void Widen(uint64_t hidden, enigma::testing::EditableModel& model) {
  model.metadata.Set("llama.context_length", uint64_t{8192});
  model.metadata.Set("llama.block_count", uint64_t{1});
  model.metadata.Set("llama.embedding_length", hidden);
  for (const char* length : {"key", "value"}) {
    model.metadata.Set(absl::StrCat("llama.attention.", length, "_length"), uint64_t{8});
  }
  std::erase_if(model.tensors, [](const auto& tensor) {
    return tensor.plan.name.starts_with("blk.") && !tensor.plan.name.starts_with("blk.0.");
  });
  for (auto& tensor : model.tensors) {
    const bool leads_back =
        tensor.plan.name.ends_with("attn_output.weight") || tensor.plan.name.ends_with("ffn_down.weight");
    tensor.plan.shape[leads_back ? 1 : 0] = hidden;
    uint64_t elements = 1;
    for (const uint64_t extent : tensor.plan.shape) elements *= extent;
    tensor.data.assign(elements * sizeof(float), 0);
  }
}

TEST_F(VisionTest, AnEncoderWhosePictureIsTooLargeForARequestIsRefused) {
  StartCoordinator(Options());
  const std::string plain = folder_ + "/plain.gguf";
  std::filesystem::rename(model_path_, plain);
  enigma::testing::EditModel(plain, model_path_, [](auto& model) { Widen(4128, model); });
  engine::VisionSpec spec = enigma::testing::SmallVisionSpec();
  spec.image_size = 128;
  spec.stem = {1};
  spec.hidden = spec.ffn = 8;
  spec.heads = spec.layers = spec.merge = 1;
  spec.output = 4128;
  std::map<std::string, std::vector<float>> weights;
  for (const auto& plan : engine::VisionTensors(spec)) {
    weights[plan.name].resize(plan.shape[0] * (plan.shape.size() == 2 ? plan.shape[1] : 1));
  }
  const std::string encoder = folder_ + "/large.gguf";
  enigma::testing::WriteVisionModel(encoder, spec, weights, engine::DType::kQ4_0);
  const grpc::Status refused = ImportEye(encoder);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(refused.error_message(), HasSubstr("4096 rows of a picture, 67633152 bytes; "));
}

TEST_F(VisionTest, TheEncoderIsAStageOfItsOwn) {
  ServeEye();
  const enigma::v1::ReplicaInfo replica = Replicas("eye")[0];
  ASSERT_EQ(replica.stages_size(), 1);
  EXPECT_FALSE(replica.encoder().host_name().empty());
  EXPECT_NE(replica.encoder().node_id(), replica.stages(0).node_id()) << "beside the decoder it would cost its time";
  const auto loads = EncodingWorker().loaded();
  ASSERT_EQ(loads.size(), 1u);
  EXPECT_TRUE(loads[0].encoder());
  EXPECT_EQ(engine::ManifestFromJson(loads[0].manifest_json())->blobs.back().kind, engine::BlobKind::kEncoder);
  ASSERT_TRUE(Unload("eye").ok());
  EXPECT_TRUE(workers_[0]->stages().empty());
  EXPECT_TRUE(workers_[1]->stages().empty());
}

TEST_F(VisionTest, AnOlderWorkerIsAskedForNoEncoder) {
  StartCoordinator(Options());
  FakeWorker::Options old;
  old.encodes_pictures = false;
  StartWorker("n0", old);
  ASSERT_TRUE(WaitForState("ready", 1));
  ASSERT_TRUE(ImportEye(WriteEncoder()).ok());
  EXPECT_THAT(Load("eye", 0).error_message(), HasSubstr("too old for image encoders"));
  EXPECT_EQ(workers_[0]->load_calls(), 0);
  StartWorker("n1");
  ASSERT_TRUE(WaitForState("ready", 2));
  const grpc::Status loaded = Load("eye", 0);
  ASSERT_TRUE(loaded.ok()) << loaded.error_message();
  EXPECT_EQ(Replicas("eye")[0].encoder().node_id(), "n1");
}

TEST_F(VisionTest, RowsStandBeforeTheTextAndCount) {
  ServeEye();
  const std::string png = Png(8, 8);
  const HttpAnswer answer = Chat(Parts({{{"type", "text"}, {"text", "Once"}}, ImagePart(png)}));
  ASSERT_EQ(answer.status, 200) << answer.body;
  ASSERT_EQ(pipelines_.opened().size(), 1u);
  const enigma::v1::OpenSequence open = pipelines_.opened()[0];
  const std::vector<int32_t> prompt(open.prompt().begin(), open.prompt().end());
  const auto tokenizer = Tokenizer();
  std::vector<int32_t> expected = {*tokenizer->bos()};
  expected.insert(expected.end(), FakeWorker::kPictureRows, engine::kGivenRow);
  for (const int32_t id : tokenizer->Encode("Once", {})) expected.push_back(id);
  EXPECT_EQ(prompt, expected);
  ASSERT_EQ(open.given_size(), FakeWorker::kPictureRows * 64);
  EXPECT_EQ(open.given(0), static_cast<float>(png.size()));
  EXPECT_EQ(PictureJson::parse(answer.body)["usage"]["prompt_tokens"], expected.size());
}

TEST_F(VisionTest, EachPictureIsEncodedOnceForAllChoices) {
  ServeEye();
  const std::string first = Png(8, 8);
  const std::string second = Png(64, 40);
  ASSERT_NE(first.size(), second.size());
  ASSERT_EQ(Chat(Parts({ImagePart(first), ImagePart(second)}), "eye", 3).status, 200);
  EXPECT_EQ(EncodingWorker().encode_calls(), 2);
  ASSERT_EQ(pipelines_.opened().size(), 3u);
  for (const auto& open : pipelines_.opened()) {
    ASSERT_EQ(open.given_size(), 2 * FakeWorker::kPictureRows * 64);
    EXPECT_EQ(open.given(0), static_cast<float>(first.size()));
    EXPECT_EQ(open.given(open.given_size() - 1), static_cast<float>(second.size()));
    EXPECT_EQ(std::count(open.prompt().begin(), open.prompt().end(), engine::kGivenRow), 2 * FakeWorker::kPictureRows);
    EXPECT_EQ(open.prompt_size(), 2 * FakeWorker::kPictureRows + 1)
        << "nothing but the pictures behind the begin token";
  }
}

TEST_F(VisionTest, ATemplateMakesThePromptBehindThePicture) {
  GiveTemplate();
  ServeEye();
  ASSERT_EQ(Chat(Parts({ImagePart(Png(8, 8)), {{"type", "text"}, {"text", "Once"}}})).status, 200);
  ASSERT_EQ(Chat(Parts({ImagePart(Png(8, 8))})).status, 200);
  ASSERT_EQ(pipelines_.opened().size(), 2u);
  const enigma::v1::OpenSequence open = pipelines_.opened()[0];
  const auto tokenizer = Tokenizer();
  std::vector<int32_t> expected = {*tokenizer->bos()};
  expected.insert(expected.end(), FakeWorker::kPictureRows, engine::kGivenRow);
  const std::vector<int32_t> text = tokenizer->Encode("<s>user: Once", {.add_special = false, .parse_special = true});
  expected.insert(expected.end(), text.begin() + 1, text.end());
  EXPECT_EQ(std::vector<int32_t>(open.prompt().begin(), open.prompt().end()), expected);
  EXPECT_EQ(pipelines_.opened()[1].prompt_size(), 1 + FakeWorker::kPictureRows) << "a picture alone is the prompt";
}

TEST_F(VisionTest, PicturesOverGrpc) {
  ServeEye();
  const std::string png = Png(8, 8);
  enigma::v1::GenerateRequest plain = Ask("eye", "", 2);
  plain.add_pictures(png);
  const Generated described = Generate(plain);
  ASSERT_TRUE(described.status.ok()) << described.status.error_message();
  EXPECT_EQ(std::count(described.prompt_ids.begin(), described.prompt_ids.end(), engine::kGivenRow),
            FakeWorker::kPictureRows);
  enigma::v1::GenerateRequest chat;
  chat.set_model("eye");
  chat.mutable_sampling()->set_max_tokens(2);
  enigma::v1::ChatMessage& message = *chat.mutable_chat()->add_messages();
  message.set_role("user");
  message.set_content("Once");
  message.add_pictures(png);
  const Generated chatted = Generate(chat);
  ASSERT_TRUE(chatted.status.ok()) << chatted.status.error_message();
  EXPECT_EQ(std::count(chatted.prompt_ids.begin(), chatted.prompt_ids.end(), engine::kGivenRow),
            FakeWorker::kPictureRows);
}

TEST_F(VisionTest, WhatIsNoPictureIsRefusedWithASentence) {
  ServeEye();
  ASSERT_TRUE(Import("blind").ok());
  ASSERT_TRUE(Load("blind", 1).ok());
  const std::string png = Png(8, 8);
  EXPECT_THAT(Refusal(Chat(Parts({ImagePart(png)}), "blind")), HasSubstr("'blind' takes none"));
  EXPECT_THAT(Refusal(Chat(Parts({ImagePart("no picture at all")}))), HasSubstr("image 1: the image is neither"));
  EXPECT_THAT(Refusal(Chat(Parts({ImagePart(png), ImagePart(png + "corrupt")}))),
              HasSubstr("image 2: the image is damaged"));
  EXPECT_THAT(Refusal(Chat(Parts({UrlPart("https://example.org/a.png")}))), HasSubstr("fetches no images"));
  EXPECT_THAT(Refusal(Chat(Parts({UrlPart("data:text/plain;base64,QUJD")}))), HasSubstr("data:image/TYPE;base64,"));
  EXPECT_THAT(Refusal(Chat(Parts({UrlPart("data:image/png;base64,%%%")}))), HasSubstr("base64 of an image is broken"));
  EXPECT_THAT(Refusal(Chat(Parts({{{"type", "image_url"}, {"image_url", "x"}}}))), HasSubstr("a string url"));
  EXPECT_THAT(Refusal(Chat(PictureJson::array({{{"role", "system"}, {"content", {ImagePart(png)}}}}))),
              HasSubstr("of the user alone"));
  // What a PNG of 30,000 x 30,000 pixels says of itself.
  std::string huge = png;
  for (const size_t at : {16, 20}) huge.replace(at, 4, std::string("\x00\x00\x75\x30", 4));
  EXPECT_THAT(Refusal(Chat(Parts({ImagePart(huge)}))), HasSubstr("image 1:"));
  std::vector<PictureJson> many(kPicturesMost + 1, ImagePart(png));
  EXPECT_THAT(Refusal(Chat(Parts(many))), HasSubstr("at most 8"));
  EXPECT_TRUE(pipelines_.opened().empty());
  EXPECT_EQ(Chat(Parts({ImagePart(std::string(size_t{13} << 20, 'x'))})).status, 413);
}

TEST_F(VisionTest, TheEncodersDeathEndsTheRequestAndThePlacementComesBack) {
  ServeEye();
  FakeWorker& encoding = EncodingWorker();
  encoding.HoldPictures(true);
  HttpAnswer answer;
  std::thread asking([&] { answer = Chat(Parts({ImagePart(Png(8, 8))})); });
  EXPECT_TRUE(Eventually([&] { return encoding.encode_calls() == 1; }));
  encoding.Kill();
  asking.join();
  EXPECT_EQ(answer.status, 503) << answer.body;
  EXPECT_THAT(answer.body, HasSubstr("lost"));
  ASSERT_TRUE(ServedAgain("eye"));
  EXPECT_EQ(Replicas("eye")[0].encoder().node_id(), Replicas("eye")[0].stages(0).node_id()) << "both on what is left";
  EXPECT_EQ(Chat(Parts({ImagePart(Png(8, 8))})).status, 200);
}

TEST_F(VisionTest, AnotherReplicasEncoderTakesThePictureOver) {
  StartCluster(2);
  ASSERT_TRUE(ImportEye(WriteEncoder()).ok());
  for (const char* node : {"n0", "n1"}) {
    grpc::ClientContext context;
    enigma::v1::LoadRequest request;
    request.set_model("eye");
    request.set_another_replica(true);
    request.mutable_options()->add_nodes(node);
    const auto stream = cluster_->Load(&context, request);
    enigma::v1::LoadProgress progress;
    while (stream->Read(&progress)) {
    }
    ASSERT_TRUE(stream->Finish().ok()) << node;
  }
  pipelines_.SetAnswer(Tokenizer()->Encode("one two three", {}));
  workers_[0]->HoldPictures(true);
  HttpAnswer answer;
  std::thread asking([&] { answer = Chat(Parts({ImagePart(Png(8, 8))})); });
  EXPECT_TRUE(Eventually([&] { return workers_[0]->encode_calls() == 1; }));
  workers_[0]->Kill();
  asking.join();
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(workers_[1]->encode_calls(), 1);
}

TEST_F(VisionTest, AClientThatGoesWaitsForNoPicture) {
  ServeEye();
  FakeWorker& encoding = EncodingWorker();
  encoding.HoldPictures(true);
  grpc::ClientContext context;
  enigma::v1::GenerateRequest request = Ask("eye", "", 2);
  request.add_pictures(Png(8, 8));
  const auto stream = inference_->Generate(&context, request);
  EXPECT_TRUE(Eventually([&] { return encoding.encode_calls() == 1; }));
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(Eventually([&] { return encoding.cancelled_pictures() == 1; }));
  encoding.HoldPictures(false);
  EXPECT_EQ(Chat(Parts({ImagePart(Png(8, 8))})).status, 200);
  EXPECT_EQ(pipelines_.opened().size(), 1u) << "of the second request alone";
}

TEST_F(VisionTest, NothingOfAnEndedRequestsPicturesIsKept) {
  FakeWorker::Options options;
  options.node_id = "n0";
  FakeWorker encoding(pipelines_, options);
  Model model;
  model.name = "eye";
  Replica replica;
  replica.id = 7;
  replica.model = std::make_shared<const Model>(model);
  replica.encoder.emplace().set_node_id("n0");
  std::weak_ptr<RequestPictures> pictures;
  std::weak_ptr<int> asking;
  PictureEncoders encoders;
  const auto ask = [&](const std::vector<std::string>& files) {
    absl::Notification done;
    absl::StatusCode code = absl::StatusCode::kOk;
    const auto made = RequestPictures::Make(files);
    pictures = made;
    made->Encode(encoders, "eye", [&, kept = std::make_shared<int>()](const auto& rows) {
      asking = kept;
      code = rows.status().code();
      done.Notify();
    });
    done.WaitForNotification();
    return code;
  };
  // An answer may still be on its way out of what holds it.
  const auto gone = [&] { return Eventually([&] { return pictures.expired() && asking.expired(); }); };
  EXPECT_EQ(ask({Png(8, 8), Png(64, 40)}), absl::StatusCode::kUnavailable) << "no encoder is in service";
  EXPECT_TRUE(gone());
  encoders.Add(replica, MakeChannel(absl::StrCat("127.0.0.1:", encoding.port()), nullptr, ExpectedPeer::AnyNode()));
  EXPECT_EQ(ask({Png(8, 8), Png(64, 40)}), absl::StatusCode::kOk);
  EXPECT_TRUE(gone());
  EXPECT_EQ(ask({Png(8, 8) + "corrupt", Png(64, 40)}), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(gone());
}

}  // namespace
}  // namespace enigma::coordinator::testing
