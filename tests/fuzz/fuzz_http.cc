// What a stranger sends to the HTTP port: bytes of one connection, from the parser through the routes and the readers
// of bodies to answers. Behind the API stands a real coordinator with a small model, whose worker computes nothing.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>

#include <absl/strings/str_cat.h>

#include "coordinator/coordinator.h"
#include "proto/cluster.grpc.pb.h"
#include "rpc/channel.h"
#include "telemetry/log.h"
#include "tests/support/edited_model.h"
#include "tests/support/process.h"
#include "tests/support/synthetic_models.h"
#include "tests/unit/coordinator/fake_worker.h"

namespace {

using namespace enigma::coordinator;

constexpr size_t kInputBytesMax = 256 * 1024;
constexpr int kPatienceMs = 20'000;
constexpr int kQuietMs = 50;  // after which nothing more is expected of a server that is still open

void Require(bool holds, std::string_view what) {
  if (holds) return;
  std::cerr << "fuzz_http: " << what << std::endl;
  std::abort();
}

// Whether the input seems to hold a request with all of its body.
bool IsWhole(std::string_view input) {
  const size_t head = input.find("\r\n\r\n");
  if (head == std::string_view::npos) return false;
  constexpr std::string_view kLength = "Content-Length: ";
  const size_t at = input.find(kLength);
  if (at == std::string_view::npos || at > head) return true;
  return input.size() - head - 4 >=
         std::strtoull(std::string(input.substr(at + kLength.size(), 20)).c_str(), nullptr, 10);
}

// Whether something is there to be read before the time is over. libFuzzer's alarm interrupts poll().
bool IsReadable(int socket, int patience_ms) {
  while (true) {
    pollfd wait{.fd = socket, .events = POLLIN, .revents = 0};
    const int count = ::poll(&wait, 1, patience_ms);
    if (count >= 0 || errno != EINTR) return count > 0;
  }
}

template <class Stream, class Progress>
void Finish(const std::unique_ptr<Stream>& stream, Progress progress) {
  while (stream->Read(&progress)) {
  }
  const grpc::Status status = stream->Finish();
  Require(status.ok(), status.error_message());
}

// One for all inputs. It stays until the process ends.
class Server {
 public:
  Server() {
    Require(enigma::SetLogLevel("off").ok(), "the log");
    const std::string model = directory_.path() + "/tiny.gguf";
    enigma::testing::EditModel(
        enigma::testing::SyntheticModelPath("tiny", "q4_0"), model, [](enigma::testing::EditableModel& edited) {
          edited.metadata.Set("llama.context_length", uint64_t{128});
          edited.metadata.Set("tokenizer.chat_template",
                              std::string("{% for m in messages %}{{ m.role }}:{{ m.content | trim }}\n{% endfor %}"));
        });
    Coordinator::Options options;
    options.data_dir = directory_.path() + "/data";
    options.listen_host = "127.0.0.1";
    options.listen_port = 0;
    options.http_port = 0;
    options.udp = false;
    options.insecure = true;
    options.silence_ms = 60'000;
    auto created = Coordinator::Create(options);
    Require(created.ok(), created.status().ToString());
    coordinator_ = *std::move(created);
    const std::string endpoint = absl::StrCat("127.0.0.1:", coordinator_->grpc_port());
    testing::FakeWorker::Options worker;
    worker.node_id = "n0";
    worker_ = std::make_unique<testing::FakeWorker>(pipelines_, worker);
    worker_->AttendTo(endpoint);
    Serve(endpoint, model);
  }

  // Sends the input, and gives what the server said until it closed. A request that is whole gets its answer before the
  // server hears that nothing more comes, since it takes that for a client that is gone.
  std::string Ask(std::string_view input) const {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(coordinator_->http_port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    Require(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0, "no connection");
    bool ended = !IsWhole(input);
    while (!input.empty()) {
      const ssize_t sent = ::send(socket, input.data(), input.size(), MSG_NOSIGNAL);
      if (sent <= 0) break;  // refused before its end
      input.remove_prefix(static_cast<size_t>(sent));
    }
    if (ended) ::shutdown(socket, SHUT_WR);
    std::string said;
    while (true) {
      if (!ended && !IsReadable(socket, kQuietMs)) {
        ended = true;
        ::shutdown(socket, SHUT_WR);
      }
      Require(IsReadable(socket, kPatienceMs), "the connection hangs");
      char bytes[65536];
      const ssize_t count = ::recv(socket, bytes, sizeof(bytes), 0);
      if (count <= 0) break;
      said.append(bytes, static_cast<size_t>(count));
    }
    ::close(socket);
    return said;
  }

 private:
  void Serve(const std::string& endpoint, const std::string& model) {
    const auto stub =
        enigma::v1::Cluster::NewStub(enigma::MakeChannel(endpoint, nullptr, enigma::ExpectedPeer::AnyNode()));
    Require(testing::Eventually([&stub] {
              grpc::ClientContext context;
              enigma::v1::ListNodesReply nodes;
              return stub->ListNodes(&context, {}, &nodes).ok() && nodes.nodes_size() == 1 &&
                     nodes.nodes(0).state() == "ready";
            }),
            "no worker");
    grpc::ClientContext importing;
    enigma::v1::ImportModelRequest import;
    import.set_path(model);
    import.set_name("m");
    Finish(stub->ImportModel(&importing, import), enigma::v1::ImportModelProgress());
    grpc::ClientContext loading;
    enigma::v1::LoadRequest load;
    load.set_model("m");
    Finish(stub->Load(&loading, load), enigma::v1::LoadProgress());
  }

  enigma::testing::TemporaryDirectory directory_;
  testing::FakePipelines pipelines_;
  std::unique_ptr<Coordinator> coordinator_;
  std::unique_ptr<testing::FakeWorker> worker_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Server server;
  const std::string_view input(reinterpret_cast<const char*>(data), std::min(size, kInputBytesMax));
  const std::string said = server.Ask(input);
  Require(said.empty() || said.starts_with("HTTP/1."), "what it said is no HTTP");
  Require(!(said.starts_with("HTTP/1.1 500") || said.starts_with("HTTP/1.0 500")), "an input made the server fail");
  return 0;
}
