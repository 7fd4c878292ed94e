// What routing looks at of a request.
#include "coordinator/gateway/routable_request.h"

#include <string>

#include <gtest/gtest.h>

namespace enigma::coordinator {
namespace {

TEST(RoutableRequest, IsWhatTheUserSaidLastAndAsLongAsAllOfIt) {
  const Json messages = {
      {{"role", "system"}, {"content", "be brief"}},
      {{"role", "user"}, {"content", "first"}},
      {{"role", "assistant"}, {"content", "answer"}},
      {{"role", "user"}, {"content", {{{"type", "text"}, {"text", "sec"}}, {{"type", "text"}, {"text", "ond"}}}}}};
  const RoutableRequest request = RoutableRequestOf(messages, "");
  EXPECT_EQ(request.features.text, "sec\nond");
  EXPECT_FALSE(request.features.wants_tools);
  EXPECT_FALSE(request.features.has_image);
  EXPECT_EQ(request.turns.size(), 4u);
  EXPECT_EQ(request.features.prompt_bytes, request.all_text.size());
  // Tools are part of the prompt.
  const std::string tools(1000, 't');
  const RoutableRequest with_tools = RoutableRequestOf(messages, tools);
  EXPECT_TRUE(with_tools.features.wants_tools);
  EXPECT_EQ(with_tools.features.text, "sec\nond");
  EXPECT_EQ(with_tools.features.prompt_bytes, request.features.prompt_bytes + tools.size());
}

TEST(RoutableRequest, OverGrpcIsTheSame) {
  enigma::v1::GenerateRequest request;
  enigma::v1::ChatMessage& message = *request.mutable_chat()->add_messages();
  message.set_role("user");
  message.set_content("text");
  enigma::v1::Tool& tool = *request.mutable_chat()->add_tools();
  tool.set_name("f");
  tool.set_parameters_json(std::string(1000, 'x'));
  auto described = RoutableRequestOf(request);
  ASSERT_TRUE(described.ok()) << described.status();
  EXPECT_TRUE(described->features.wants_tools);
  EXPECT_GT(described->features.prompt_bytes, 1000u);
  request.mutable_chat()->set_tool_choice("none");
  described = RoutableRequestOf(request);
  ASSERT_TRUE(described.ok()) << described.status();
  EXPECT_FALSE(described->features.wants_tools);
  EXPECT_EQ(described->features.prompt_bytes, 4u);
}

}  // namespace
}  // namespace enigma::coordinator
