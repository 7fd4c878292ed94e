#include "tests/unit/coordinator/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

namespace enigma::coordinator::testing {

std::vector<std::string> HttpAnswer::Events() const {
  std::vector<std::string> events;
  for (const auto line : absl::StrSplit(body, '\n')) {
    constexpr size_t kPrefix = 6;
    if (line.substr(0, kPrefix) == "data: ") events.emplace_back(line.substr(kPrefix));
  }
  return events;
}

RawHttp::RawHttp(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) Close();
}

RawHttp::~RawHttp() { Close(); }

bool RawHttp::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

void RawHttp::HalfClose() { ::shutdown(socket_, SHUT_WR); }

void RawHttp::Close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

bool RawHttp::Fill(int milliseconds) {
  pollfd wait{.fd = socket_, .events = POLLIN, .revents = 0};
  if (::poll(&wait, 1, milliseconds) != 1) return false;
  char bytes[65536];
  const ssize_t count = ::recv(socket_, bytes, sizeof(bytes), 0);
  if (count <= 0) return false;
  buffer_.append(bytes, static_cast<size_t>(count));
  return true;
}

bool RawHttp::ReadUntil(std::string_view text) {
  while (buffer_.find(text) == std::string::npos) {
    if (!Fill()) return false;
  }
  return true;
}

bool RawHttp::ClosedWithin(int milliseconds) {
  pollfd wait{.fd = socket_, .events = POLLIN, .revents = 0};
  if (::poll(&wait, 1, milliseconds) != 1) return false;
  char byte = 0;
  return ::recv(socket_, &byte, 1, MSG_PEEK) <= 0;
}

std::string RawHttp::ReadChunks() {
  std::string body;
  while (true) {
    size_t end = 0;
    while ((end = buffer_.find("\r\n")) == std::string::npos) {
      if (!Fill()) return body;
    }
    const size_t bytes = std::stoul(buffer_.substr(0, end), nullptr, 16);
    while (buffer_.size() < end + 2 + bytes + 2) {
      if (!Fill()) return body;
    }
    body.append(buffer_, end + 2, bytes);
    buffer_.erase(0, end + 2 + bytes + 2);
    if (bytes == 0) return body;
  }
}

HttpAnswer RawHttp::Read() {
  HttpAnswer answer;
  if (!ReadUntil("\r\n\r\n")) return answer;
  const size_t end = buffer_.find("\r\n\r\n");
  const std::vector<std::string> lines = absl::StrSplit(buffer_.substr(0, end), "\r\n");
  buffer_.erase(0, end + 4);
  for (const std::string& line : lines) {
    const size_t colon = line.find(": ");
    if (colon != std::string::npos)
      answer.headers[absl::AsciiStrToLower(line.substr(0, colon))] = line.substr(colon + 2);
  }
  const auto framing = answer.headers.find("transfer-encoding");
  if (framing != answer.headers.end() && framing->second == "chunked") {
    answer.body = ReadChunks();
  } else {
    size_t length = 0;
    const auto given = answer.headers.find("content-length");
    if (given == answer.headers.end() || !absl::SimpleAtoi(given->second, &length)) length = SIZE_MAX;
    while (buffer_.size() < length && Fill()) {
    }
    answer.body = buffer_.substr(0, length);
    buffer_.erase(0, answer.body.size());
  }
  if (lines[0].size() > 12) answer.status = std::atoi(lines[0].c_str() + 9);
  return answer;
}

HttpAnswer Get(int port, const std::string& path) {
  RawHttp http(port);
  http.Send(absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  return http.Read();
}

HttpAnswer Post(int port, const std::string& path, const std::string& body, const std::vector<std::string>& headers) {
  return Send(port, "POST", path, body, headers);
}

HttpAnswer Send(int port, const std::string& method, const std::string& path, const std::string& body,
                const std::vector<std::string>& headers) {
  RawHttp http(port);
  std::string head = absl::StrCat(method, " ", path, " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n");
  for (const std::string& header : headers) absl::StrAppend(&head, header, "\r\n");
  http.Send(absl::StrCat(head, "Content-Length: ", body.size(), "\r\n\r\n", body));
  return http.Read();
}

}  // namespace enigma::coordinator::testing
