// Holds the files of deploy/ to the binary: every flag, setting, environment variable, port and probe in them must be
// one that the daemons know, and must fit what those settings say.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include "cli/command_line.h"
#include "cli/settings/settings.h"
#include "cli/settings/shipped_folder.h"
#include "tests/support/process.h"

namespace enigma::cli {
namespace {

using ::testing::AnyOf;
using Variables = std::map<std::string, std::string>;

const std::string kDeploy = std::string(ENIGMA_SOURCE_DIR) + "/deploy/";
// Served over HTTP by the daemons.
const std::set<std::string> kHttpPaths = {"/metrics", "/health", "/health/ready"};
// What a daemon takes, beyond its time to drain, to end answers and close its state.
constexpr uint64_t kStopSeconds = 10;

// What a container runs: which daemon, with which settings.
struct Daemon {
  unsigned kind = 0;
  Settings settings;
};

// Parses arguments as the binary would, flags and environment together. Fails the test and returns nothing where a name
// is unknown or a value bad.
std::optional<Daemon> DaemonOf(const std::vector<std::string>& arguments, const Variables& variables,
                               const std::string& where) {
  if (arguments.empty() || (arguments[0] != "coordinator" && arguments[0] != "worker")) {
    ADD_FAILURE() << where << ": runs neither coordinator nor worker";
    return std::nullopt;
  }
  if (const absl::Status parsed = CheckCommandLine(arguments); !parsed.ok()) {
    ADD_FAILURE() << where << ": " << parsed;
    return std::nullopt;
  }
  const unsigned kind = arguments[0] == "coordinator" ? kCoordinatorDaemon : kWorkerDaemon;
  Settings::Values flags;
  for (size_t i = 1; i < arguments.size(); ++i) {
    const DaemonOption* option = FindDaemonOption(arguments[i].substr(2), kind);
    if (option == nullptr) {
      EXPECT_EQ(arguments[i], "--config") << where;
      ++i;
    } else if (option->kind == OptionKind::kSwitch) {
      flags[option->name] = {"true"};
    } else {
      flags[option->name].push_back(arguments.at(++i));
    }
  }
  for (const auto& [name, value] : variables) {
    if (name.rfind("ENIGMA_", 0) != 0) continue;
    bool known = false;
    for (const DaemonOption& option : DaemonOptions()) {
      known = known || (EnvironmentName(option.name) == name && (option.daemons & kind) != 0);
    }
    EXPECT_TRUE(known) << where << ": " << name << " is no setting of this daemon";
  }
  static const Variables* current = nullptr;
  current = &variables;
  const auto settings = Settings::Resolve(
      kind, "",
      [](const char* name) -> const char* {
        const auto found = current->find(name);
        return found == current->end() ? nullptr : found->second.c_str();
      },
      flags);
  EXPECT_TRUE(settings.ok()) << where << ": " << settings.status();
  if (!settings.ok()) return std::nullopt;
  return Daemon{kind, *settings};
}

// The TCP ports that a daemon listens on.
std::set<int> PortsOf(const Daemon& daemon) {
  if (daemon.kind == kCoordinatorDaemon) {
    return {daemon.settings.Endpoint("listen").port, daemon.settings.Endpoint("http").port};
  }
  return {daemon.settings.Endpoint("listen").port, daemon.settings.Port("metrics-port")};
}

std::vector<std::string> StringsOf(const YAML::Node& node) {
  std::vector<std::string> strings;
  for (const auto& item : node) strings.push_back(item.as<std::string>());
  return strings;
}

std::string ReadAll(const std::string& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in.good()) << path;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// --- systemd

TEST(SystemdTest, UnitsStartDaemonsWithKnownFlags) {
  for (const std::string name : {"enigma-coordinator", "enigma-worker"}) {
    std::istringstream unit(ReadAll(kDeploy + "systemd/" + name + ".service"));
    std::string line;
    int started = 0;
    while (std::getline(unit, line)) {
      if (line.rfind("ExecStart=", 0) != 0) continue;
      std::istringstream words(line.substr(line.find('=') + 1));
      std::vector<std::string> arguments(std::istream_iterator<std::string>(words), {});
      ASSERT_FALSE(arguments.empty());
      EXPECT_EQ(arguments[0], "/usr/bin/enigma");
      arguments.erase(arguments.begin());
      // Systemd's own StateDirectory= is below /var/lib.
      const auto daemon = DaemonOf(arguments, {}, name);
      ASSERT_TRUE(daemon.has_value());
      const std::string text = ReadAll(kDeploy + "systemd/" + name + ".service");
      const size_t grace = text.find("\nTimeoutStopSec=");
      ASSERT_NE(grace, std::string::npos) << name;
      EXPECT_GT(std::stoul(text.substr(grace + 16)), daemon->settings.Count("drain-timeout") + kStopSeconds) << name;
      EXPECT_THAT(text, ::testing::HasSubstr("StateDirectory=" + daemon->settings.Text("data-dir").substr(9)));
      ++started;
    }
    EXPECT_EQ(started, 1) << name;
  }
}

TEST(SystemdTest, ConfigurationFilesHoldKnownSettings) {
  const auto none = [](const char*) -> const char* { return nullptr; };
  const auto coordinator = Settings::Resolve(kCoordinatorDaemon, kDeploy + "systemd/coordinator.yaml", none, {});
  EXPECT_TRUE(coordinator.ok()) << coordinator.status();
  const auto worker = Settings::Resolve(kWorkerDaemon, kDeploy + "systemd/worker.yaml", none, {});
  ASSERT_TRUE(worker.ok()) << worker.status();
  EXPECT_EQ(coordinator->Port("udp-port"), worker->Port("udp-port"));
}

// --- Models that come with the program

TEST(ShippedModelsTest, AreWhereTheInstalledProgramLooks) {
  EXPECT_THAT(ReadAll(kDeploy + "docker/Dockerfile"),
              ::testing::HasSubstr("COPY --from=build /source/models/ /usr/share/enigma/models/"));
  EXPECT_THAT(ReadAll(kDeploy + "README.md"), ::testing::HasSubstr("-t /usr/share/enigma/models models/*"));
  const enigma::testing::TemporaryDirectory root;
  const auto folder_of = [&root](const std::string& program) { return ShippedModelsFolder(root.path() + program); };
  EXPECT_EQ(folder_of("/usr/bin/enigma"), "") << "there is none";
  std::filesystem::create_directories(root.path() + "/usr/share/enigma/models");
  std::filesystem::create_directories(root.path() + "/usr/bin");
  EXPECT_EQ(folder_of("/usr/bin/enigma"), root.path() + "/usr/share/enigma/models");
  std::filesystem::create_directories(root.path() + "/source/models");
  std::ofstream(root.path() + "/source/models/specialists.yaml") << "default: chat\n";
  std::filesystem::create_directories(root.path() + "/source/build/release");
  std::filesystem::create_directories(root.path() + "/source/other/release");
  EXPECT_EQ(folder_of("/source/build/release/enigma"), root.path() + "/source/models");
  EXPECT_EQ(folder_of("/source/other/release/enigma"), "") << "not from wherever two folders up";
  std::filesystem::remove(root.path() + "/source/models/specialists.yaml");
  EXPECT_EQ(folder_of("/source/build/release/enigma"), "") << "somebody's own models";
}

// --- Docker

TEST(DockerTest, TheImageExposesTheDefaultPorts) {
  const std::string text = ReadAll(kDeploy + "docker/Dockerfile");
  const size_t at = text.find("\nEXPOSE ");
  ASSERT_NE(at, std::string::npos);
  std::istringstream words(text.substr(at + 8, text.find('\n', at + 1) - at - 8));
  std::set<std::string> exposed(std::istream_iterator<std::string>(words), {});
  std::set<std::string> expected;
  for (const char* name : {"coordinator", "worker"}) {
    const auto daemon = DaemonOf({name}, {}, name);
    ASSERT_TRUE(daemon.has_value());
    for (const int port : PortsOf(*daemon)) expected.insert(std::to_string(port));
    expected.insert(std::to_string(daemon->settings.Port("udp-port")) + "/udp");
  }
  EXPECT_EQ(exposed, expected);
}

TEST(DockerTest, ComposeStartsKnownDaemonsThatFindEachOther) {
  const YAML::Node compose = YAML::LoadFile(kDeploy + "docker/compose.yaml");
  int workers = 0;
  std::optional<Daemon> coordinator;
  std::set<std::string> seeds;
  for (const auto& entry : compose["services"]) {
    const std::string name = entry.first.as<std::string>();
    // yaml-cpp leaves merge keys alone.
    const YAML::Node& service = entry.second;
    const YAML::Node base = service["<<"];
    const YAML::Node command = service["command"] ? service["command"] : base["command"];
    const YAML::Node environment = service["environment"] ? service["environment"] : base["environment"];
    Variables variables;
    for (const auto& variable : environment) {
      variables[variable.first.as<std::string>()] = variable.second.as<std::string>();
    }
    const auto daemon = DaemonOf(StringsOf(command), variables, name);
    ASSERT_TRUE(daemon.has_value());
    for (const auto& published : service["ports"]) {
      const std::string text = published.as<std::string>();
      EXPECT_EQ(PortsOf(*daemon).count(std::stoi(text.substr(text.rfind(':') + 1))), 1U) << name << " " << text;
    }
    const YAML::Node grace = service["stop_grace_period"] ? service["stop_grace_period"] : base["stop_grace_period"];
    EXPECT_GT(std::stoul(grace.as<std::string>("0")), daemon->settings.Count("drain-timeout") + kStopSeconds) << name;
    std::set<std::string> mounts;
    for (const auto& volume : service["volumes"]) {
      const std::string text = volume.as<std::string>();
      const std::string source = text.substr(0, text.find(':'));
      const std::string target = text.substr(source.size() + 1);
      mounts.insert(target.substr(0, target.find(':')));
      if (source[0] != '.') {
        EXPECT_TRUE(compose["volumes"][source].IsDefined()) << name << " " << source;
      }
    }
    EXPECT_EQ(mounts.count(daemon->settings.Text("data-dir")), 1U) << name;
    EXPECT_EQ(mounts.count(std::filesystem::path(daemon->settings.Text("token-file")).parent_path()), 1U) << name;
    if (daemon->kind == kWorkerDaemon) {
      ++workers;
      for (const std::string& seed : daemon->settings.Texts("seed")) seeds.insert(seed);
    } else {
      coordinator = *daemon;
      seeds.erase(name);
      EXPECT_EQ(name, "coordinator");
    }
  }
  EXPECT_EQ(workers, 3);
  ASSERT_TRUE(coordinator.has_value());
  EXPECT_EQ(seeds,
            (std::set<std::string>{"coordinator:" + std::to_string(coordinator->settings.Endpoint("listen").port)}));
}

// --- Kubernetes

class KubernetesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const YAML::Node kustomization = YAML::LoadFile(kDeploy + "kubernetes/kustomization.yaml");
    for (const std::string& file : StringsOf(kustomization["resources"])) {
      for (const YAML::Node& object : YAML::LoadAllFromFile(kDeploy + "kubernetes/" + file)) {
        objects_[object["kind"].as<std::string>()][object["metadata"]["name"].as<std::string>()].reset(object);
      }
    }
  }

  // The pod's only container.
  static YAML::Node ContainerOf(const YAML::Node& set) { return set["spec"]["template"]["spec"]["containers"][0]; }

  static std::optional<Daemon> DaemonIn(const YAML::Node& set) {
    Variables variables;
    for (const auto& variable : ContainerOf(set)["env"]) {
      // A field of the pod stands for an address here.
      variables[variable["name"].as<std::string>()] =
          variable["value"] ? variable["value"].as<std::string>() : "10.0.0.1";
    }
    return DaemonOf(StringsOf(ContainerOf(set)["args"]), variables, set["metadata"]["name"].as<std::string>());
  }

  std::map<std::string, std::map<std::string, YAML::Node>> objects_;
};

TEST_F(KubernetesTest, ContainerPortsAreThoseOfTheDaemons) {
  for (const auto& [name, set] : objects_["StatefulSet"]) {
    const auto daemon = DaemonIn(set);
    ASSERT_TRUE(daemon.has_value());
    std::set<int> ports;
    for (const auto& port : ContainerOf(set)["ports"]) ports.insert(port["containerPort"].as<int>());
    EXPECT_EQ(ports, PortsOf(*daemon)) << name;
    EXPECT_EQ(daemon->settings.Endpoint("listen").host, "0.0.0.0") << name;
    EXPECT_GT(set["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].as<uint64_t>(0),
              daemon->settings.Count("drain-timeout") + kStopSeconds)
        << name;
  }
}

TEST_F(KubernetesTest, ProbesAskPortsAndPathsThatAreServed) {
  int probes = 0;
  for (const auto& [name, set] : objects_["StatefulSet"]) {
    std::set<std::string> names;
    for (const auto& port : ContainerOf(set)["ports"]) names.insert(port["name"].as<std::string>());
    for (const char* kind : {"startupProbe", "readinessProbe", "livenessProbe"}) {
      const YAML::Node probe = ContainerOf(set)[kind];
      if (!probe) continue;
      ++probes;
      ASSERT_TRUE(probe["httpGet"] || probe["tcpSocket"]) << name << " " << kind;
      const YAML::Node target = probe["httpGet"] ? probe["httpGet"] : probe["tcpSocket"];
      EXPECT_EQ(names.count(target["port"].as<std::string>()), 1U) << name << " " << kind;
      if (!probe["httpGet"]) continue;
      EXPECT_EQ(kHttpPaths.count(target["path"].as<std::string>()), 1U) << name << " " << kind;
      EXPECT_THAT(target["port"].as<std::string>(), AnyOf("http", "metrics")) << name << " " << kind;
    }
  }
  EXPECT_GE(probes, 3);
}

TEST_F(KubernetesTest, ServicesLeadToThePodsAndTheSeedToTheCoordinator) {
  for (const auto& [name, set] : objects_["StatefulSet"]) {
    const std::string service_name = set["spec"]["serviceName"].as<std::string>();
    ASSERT_EQ(objects_["Service"].count(service_name), 1U) << name;
    const YAML::Node service = objects_["Service"][service_name];
    EXPECT_EQ(service["spec"]["clusterIP"].as<std::string>(), "None") << service_name;
    const YAML::Node labels = set["spec"]["template"]["metadata"]["labels"];
    for (const auto& label : service["spec"]["selector"]) {
      EXPECT_EQ(labels[label.first.as<std::string>()].as<std::string>(), label.second.as<std::string>());
    }
    std::map<std::string, int> container_ports;
    for (const auto& port : ContainerOf(set)["ports"]) {
      container_ports[port["name"].as<std::string>()] = port["containerPort"].as<int>();
    }
    for (const auto& port : service["spec"]["ports"]) {
      EXPECT_EQ(container_ports[port["targetPort"].as<std::string>()], port["port"].as<int>()) << service_name;
    }
  }
  const auto coordinator = DaemonIn(objects_["StatefulSet"]["enigma-coordinator"]);
  const auto worker = DaemonIn(objects_["StatefulSet"]["enigma-worker"]);
  ASSERT_TRUE(coordinator && worker);
  EXPECT_THAT(
      worker->settings.Texts("seed"),
      ::testing::ElementsAre("enigma-coordinator:" + std::to_string(coordinator->settings.Endpoint("listen").port)));
  EXPECT_FALSE(worker->settings.Texts("advertise").empty());
}

TEST_F(KubernetesTest, TheNetworkPolicyOpensThePortsOfTheDaemonsAndNoOther) {
  const YAML::Node policy = objects_["NetworkPolicy"]["enigma"];
  std::set<int> open;
  for (const auto& rule : policy["spec"]["ingress"]) {
    for (const auto& port : rule["ports"]) open.insert(port["port"].as<int>());
  }
  std::set<int> served;
  for (const auto& [name, set] : objects_["StatefulSet"]) {
    const auto daemon = DaemonIn(set);
    ASSERT_TRUE(daemon.has_value());
    served.merge(PortsOf(*daemon));
  }
  EXPECT_EQ(open, served);
  // The pods get the label that the policy goes by from the kustomization.
  const YAML::Node added = YAML::LoadFile(kDeploy + "kubernetes/kustomization.yaml")["labels"][0];
  EXPECT_TRUE(added["includeTemplates"].as<bool>());
  for (const auto& label : policy["spec"]["podSelector"]["matchLabels"]) {
    EXPECT_EQ(added["pairs"][label.first.as<std::string>()].as<std::string>(), label.second.as<std::string>());
  }
}

TEST_F(KubernetesTest, DataAndTokenAreMounted) {
  for (const auto& [name, set] : objects_["StatefulSet"]) {
    std::map<std::string, std::string> mounts;
    for (const auto& mount : ContainerOf(set)["volumeMounts"]) {
      mounts[mount["mountPath"].as<std::string>()] = mount["name"].as<std::string>();
    }
    const auto daemon = DaemonIn(set);
    ASSERT_TRUE(daemon.has_value());
    EXPECT_EQ(mounts[daemon->settings.Text("data-dir")],
              set["spec"]["volumeClaimTemplates"][0]["metadata"]["name"].as<std::string>())
        << name;
    if (!daemon->settings.IsSet("token-file")) continue;
    const std::filesystem::path token = daemon->settings.Text("token-file");
    const YAML::Node volume = set["spec"]["template"]["spec"]["volumes"][0];
    EXPECT_EQ(mounts[token.parent_path()], volume["name"].as<std::string>());
    // README's `kubectl create secret` makes this secret with this key.
    const std::string readme = ReadAll(kDeploy + "README.md");
    EXPECT_THAT(readme,
                ::testing::HasSubstr("create secret generic " + volume["secret"]["secretName"].as<std::string>() +
                                     " --from-literal=" + token.filename().string() + "="));
  }
}

TEST_F(KubernetesTest, NothingRunsAsRootOrMayBecomeIt) {
  for (const auto& [name, set] : objects_["StatefulSet"]) {
    const YAML::Node pod = set["spec"]["template"]["spec"];
    EXPECT_TRUE(pod["securityContext"]["runAsNonRoot"].as<bool>()) << name;
    EXPECT_GT(pod["securityContext"]["runAsUser"].as<int>(), 0) << name;
    const YAML::Node container = ContainerOf(set)["securityContext"];
    EXPECT_FALSE(container["allowPrivilegeEscalation"].as<bool>()) << name;
    EXPECT_TRUE(container["readOnlyRootFilesystem"].as<bool>()) << name;
    EXPECT_THAT(StringsOf(container["capabilities"]["drop"]), ::testing::ElementsAre("ALL")) << name;
  }
}

TEST_F(KubernetesTest, KustomizeRendersEveryObject) {
  if (std::system("command -v kubectl >/dev/null 2>&1") != 0) GTEST_SKIP() << "kubectl is not installed";
  const auto rendered = testing::RunCommand({"kubectl", "kustomize", kDeploy + "kubernetes"});
  ASSERT_EQ(rendered.status, 0) << rendered.err;
  size_t objects = 0;
  for (const YAML::Node& object : YAML::LoadAll(rendered.out)) {
    if (object.IsNull()) continue;
    ++objects;
    if (object["kind"].as<std::string>() != "Namespace") {
      EXPECT_EQ(object["metadata"]["namespace"].as<std::string>(), "enigma");
    }
  }
  size_t expected = 0;
  for (const auto& [kind, named] : objects_) expected += named.size();
  EXPECT_EQ(objects, expected);
}

}  // namespace
}  // namespace enigma::cli
