#include "cli/settings/settings.h"

#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "cli/usage_error.h"
#include "tests/support/process.h"

namespace enigma::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const char* NoEnvironment(const char*) { return nullptr; }

class SettingsTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& text) {
    const std::string path = directory_.path() + "/settings.yaml";
    std::ofstream(path) << text;
    return path;
  }
  std::string ErrorOf(const absl::StatusOr<Settings>& settings) {
    EXPECT_FALSE(settings.ok());
    EXPECT_TRUE(IsUsageError(settings.status()));
    return ToString(settings.status().message());
  }
  testing::TemporaryDirectory directory_;
};

TEST_F(SettingsTest, DefaultsStandWhereNothingIsSaid) {
  const auto settings = Settings::Resolve(kWorkerDaemon, "", NoEnvironment, {});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->Endpoint("listen").port, 50053);
  EXPECT_EQ(settings->Port("metrics-port"), 9464);
  EXPECT_EQ(settings->Port("udp-port"), 50052);
  EXPECT_FALSE(settings->Switch("insecure"));
  EXPECT_FALSE(settings->IsSet("listen"));
  EXPECT_TRUE(settings->Texts("seed").empty());
}

TEST_F(SettingsTest, FlagsOverrideTheEnvironmentAndThatTheFile) {
  const std::string file = Write("udp-port: 1001\nmetrics-port: 1002\nlisten: 10.0.0.1:1003\n");
  const auto environment = [](const char* name) -> const char* {
    if (std::string(name) == "ENIGMA_METRICS_PORT") return "2002";
    if (std::string(name) == "ENIGMA_LISTEN") return "10.0.0.2:2003";
    return nullptr;
  };
  const auto settings = Settings::Resolve(kWorkerDaemon, file, environment, {{"listen", {"10.0.0.3:3003"}}});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->Port("udp-port"), 1001);
  EXPECT_EQ(settings->Port("metrics-port"), 2002);
  EXPECT_EQ(settings->Endpoint("listen").ToText(), "10.0.0.3:3003");
}

TEST_F(SettingsTest, OfTwoThatExcludeEachOtherThatIsNearerWhichOverridesMore) {
  const std::string file = Write("models-dir: /f\nno-default-models: true\n");
  const auto environment = [](const char* name) { return std::string(name) == "ENIGMA_MODELS_DIR" ? "/e" : nullptr; };
  const auto is_nearer = [&](const std::string& path, const Settings::Environment& from,
                             const Settings::Values& flags) {
    const auto settings = Settings::Resolve(kCoordinatorDaemon, path, from, flags);
    EXPECT_TRUE(settings.ok()) << settings.status();
    return settings.ok() && settings->IsNearer("models-dir", "no-default-models");
  };
  EXPECT_FALSE(is_nearer("", NoEnvironment, {}));
  EXPECT_FALSE(is_nearer(file, NoEnvironment, {})) << "both in the file";
  EXPECT_TRUE(is_nearer(file, environment, {}));
  EXPECT_FALSE(is_nearer(file, environment, {{"no-default-models", {"true"}}}));
  EXPECT_TRUE(is_nearer(file, NoEnvironment, {{"models-dir", {"/g"}}}));
}

TEST_F(SettingsTest, AnUnknownKeyIsNamedWithFileAndLine) {
  const std::string file = Write("udp-port: 1001\n# a comment\nudpport: 7\n");
  EXPECT_THAT(ErrorOf(Settings::Resolve(kWorkerDaemon, file, NoEnvironment, {})), HasSubstr(file + ":3: udpport"));
}

TEST_F(SettingsTest, AKeyOfTheOtherDaemonIsUnknown) {
  const std::string file = Write("token: abc\n");
  EXPECT_THAT(ErrorOf(Settings::Resolve(kCoordinatorDaemon, file, NoEnvironment, {})), HasSubstr(file + ":1: token"));
}

TEST_F(SettingsTest, ABadValueIsQuotedWithItsOrigin) {
  EXPECT_THAT(ErrorOf(Settings::Resolve(kWorkerDaemon, Write("\nudp-port: 70000\n"), NoEnvironment, {})),
              HasSubstr(":2: udp-port: \"70000\""));
  EXPECT_THAT(ErrorOf(Settings::Resolve(kWorkerDaemon, "", NoEnvironment, {{"memory", {"lots"}}})),
              HasSubstr("--memory: \"lots\""));
  const auto environment = [](const char* name) -> const char* {
    return std::string(name) == "ENIGMA_LISTEN" ? "nowhere" : nullptr;
  };
  EXPECT_THAT(ErrorOf(Settings::Resolve(kWorkerDaemon, "", environment, {})), HasSubstr("ENIGMA_LISTEN: \"nowhere\""));
}

TEST_F(SettingsTest, AFileThatIsNoYamlOrNotThereIsAnError) {
  EXPECT_THAT(ErrorOf(Settings::Resolve(kWorkerDaemon, "/nonexistent/x.yaml", NoEnvironment, {})),
              HasSubstr("/nonexistent/x.yaml: cannot be read"));
  const std::string file = Write("a: [1, 2\n");
  EXPECT_THAT(ErrorOf(Settings::Resolve(kWorkerDaemon, file, NoEnvironment, {})), HasSubstr(file + ":"));
  EXPECT_THAT(ErrorOf(Settings::Resolve(kWorkerDaemon, Write("- a\n- b\n"), NoEnvironment, {})),
              HasSubstr("key: value"));
  EXPECT_THAT(ErrorOf(Settings::Resolve(kWorkerDaemon, Write("udp-port: {a: 1}\n"), NoEnvironment, {})),
              HasSubstr("neither a value nor a list"));
}

TEST_F(SettingsTest, AnEmptyFileSaysNothing) {
  EXPECT_TRUE(Settings::Resolve(kWorkerDaemon, Write(""), NoEnvironment, {}).ok());
}

TEST_F(SettingsTest, ListsComeFromFilesAndFromCommas) {
  const auto from_file = Settings::Resolve(kWorkerDaemon, Write("seed: [a:1, b:2]\n"), NoEnvironment, {});
  ASSERT_TRUE(from_file.ok()) << from_file.status();
  EXPECT_THAT(from_file->Texts("seed"), ElementsAre("a:1", "b:2"));
  const auto environment = [](const char* name) -> const char* {
    return std::string(name) == "ENIGMA_SEED" ? "c:3,d:4" : nullptr;
  };
  const auto from_variable = Settings::Resolve(kWorkerDaemon, "", environment, {});
  ASSERT_TRUE(from_variable.ok()) << from_variable.status();
  EXPECT_THAT(from_variable->Texts("seed"), ElementsAre("c:3", "d:4"));
  EXPECT_THAT(ErrorOf(Settings::Resolve(kWorkerDaemon, Write("udp-port: [1, 2]\n"), NoEnvironment, {})),
              HasSubstr("one value, not 2"));
}

TEST_F(SettingsTest, SizesTakeSuffixes) {
  EXPECT_EQ(ParseBytes("512").value(), 512U);
  EXPECT_EQ(ParseBytes("64k").value(), 64U << 10);
  EXPECT_EQ(ParseBytes("12G").value(), uint64_t{12} << 30);
  EXPECT_FALSE(ParseBytes("").ok());
  EXPECT_FALSE(ParseBytes("G").ok());
  EXPECT_FALSE(ParseBytes("99999999999T").ok());
  EXPECT_FALSE(ParseBytes("-1").ok());
}

TEST(OptionTableTest, NamesAreUniqueAndDefaultsAreValid) {
  std::set<std::string> names;
  for (const DaemonOption& option : DaemonOptions()) {
    EXPECT_TRUE(names.insert(option.name).second) << option.name;
    EXPECT_NE(std::string(option.help), "") << option.name;
    for (const unsigned daemon : {kCoordinatorDaemon, kWorkerDaemon}) {
      const std::string fallback = DefaultOf(option, daemon);
      if ((option.daemons & daemon) == 0) {
        EXPECT_EQ(fallback, "") << option.name;
      } else if (!fallback.empty()) {
        const auto settings = Settings::Resolve(daemon, "", NoEnvironment, {{option.name, {fallback}}});
        EXPECT_TRUE(settings.ok()) << option.name << ": " << settings.status();
      }
    }
  }
  EXPECT_EQ(EnvironmentName("metrics-port"), "ENIGMA_METRICS_PORT");
}

}  // namespace
}  // namespace enigma::cli
