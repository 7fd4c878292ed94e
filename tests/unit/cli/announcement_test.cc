#include "cli/cluster/announcement.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/endpoint_file.h"
#include "tests/support/process.h"

namespace enigma::cli {
namespace {

using ::testing::HasSubstr;

class AnnouncementTest : public ::testing::Test {
 protected:
  void Write(const std::string& text) const { std::ofstream(path()) << text; }
  Announcement WriteAndRead(const coordinator::EndpointRecord& record) const {
    EXPECT_TRUE(coordinator::WriteEndpointFile(folder_.path(), record).ok());
    const auto read = ReadAnnouncement(folder_.path());
    EXPECT_TRUE(read.ok()) << read.status();
    return read.value_or(Announcement{});
  }
  std::string path() const { return folder_.path() + "/endpoint.json"; }

  const enigma::testing::TemporaryDirectory folder_;
};

TEST_F(AnnouncementTest, WhatACoordinatorWritesIsRead) {
  const coordinator::EndpointRecord record = {.grpc = "127.0.0.1:1",
                                              .http = "10.0.0.1:2",
                                              .https = true,
                                              .public_grpc = "[::1]:3",
                                              .tls_chain_path = "/etc/chain.pem",
                                              .tls_key_path = "/etc/key.pem",
                                              .cluster_id = "c",
                                              .insecure = true};
  const Announcement read = WriteAndRead(record);
  EXPECT_EQ(read.grpc, "127.0.0.1:1");
  EXPECT_EQ(read.ApiUrl(), "https://10.0.0.1:2/v1");
  EXPECT_EQ(read.public_grpc, "[::1]:3");
  EXPECT_EQ(read.tls_chain_path, "/etc/chain.pem");
  EXPECT_EQ(read.tls_key_path, "/etc/key.pem");
  EXPECT_TRUE(read.insecure);
}

TEST_F(AnnouncementTest, WithoutTlsTheApiIsPlain) {
  coordinator::EndpointRecord record;
  record.grpc = "127.0.0.1:1";
  record.http = "127.0.0.1:2";
  const Announcement read = WriteAndRead(record);
  EXPECT_EQ(read.ApiUrl(), "http://127.0.0.1:2/v1");
  EXPECT_EQ(read.public_grpc, "");
  EXPECT_FALSE(read.insecure);
}

TEST_F(AnnouncementTest, APathThatIsNoUtf8HidesNothingElse) {
  coordinator::EndpointRecord record;
  record.grpc = "127.0.0.1:1";
  record.tls_chain_path = "/etc/\xff.pem";
  EXPECT_EQ(WriteAndRead(record).grpc, "127.0.0.1:1");
}

TEST_F(AnnouncementTest, AFileOfAnEarlierVersionIsRead) {
  Write(R"({"cluster_id": "c", "grpc": "127.0.0.1:1", "http": "127.0.0.1:2", "insecure": false, "pid": 7})");
  const auto read = ReadAnnouncement(folder_.path());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->ApiUrl(), "http://127.0.0.1:2/v1");
  Write(R"({"grpc": "127.0.0.1:1"})");
  EXPECT_EQ(ReadAnnouncement(folder_.path())->ApiUrl(), "");
}

TEST_F(AnnouncementTest, WhatIsNoneIsNamed) {
  EXPECT_TRUE(absl::IsNotFound(ReadAnnouncement(folder_.path()).status()));
  for (const char* text : {"", "{", "[]", "{}", R"({"grpc": 5})", R"({"grpc": ""})"}) {
    Write(text);
    const absl::Status status = ReadAnnouncement(folder_.path()).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(path() + " is damaged")) << text;
  }
}

}  // namespace
}  // namespace enigma::cli
