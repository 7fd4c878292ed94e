#pragma once

#include <map>
#include <string>
#include <vector>

namespace enigma::coordinator::testing {

struct HttpAnswer {
  int status = 0;                              // 0: none came
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // without the framing of chunks
  // The payloads of "data: ..." lines of a stream of events.
  std::vector<std::string> Events() const;
};

// A blocking connection that sends what it is told, byte by byte: also what no decent client would.
class RawHttp {
 public:
  explicit RawHttp(int port);
  ~RawHttp();
  RawHttp(const RawHttp&) = delete;
  RawHttp& operator=(const RawHttp&) = delete;

  bool Send(std::string_view bytes);
  void HalfClose();
  void Close();
  // One whole answer; of a stream of events everything up to its end.
  HttpAnswer Read();
  // Whether the server closes within that time without saying anything more.
  bool ClosedWithin(int milliseconds);
  // Reads until `text` has come, or the connection ends.
  bool ReadUntil(std::string_view text);

 private:
  bool Fill(int milliseconds = 30'000);
  std::string ReadChunks();

  int socket_ = -1;
  std::string buffer_;
};

HttpAnswer Get(int port, const std::string& path);
// `method`: "PUT", say.
HttpAnswer Send(int port, const std::string& method, const std::string& path, const std::string& body,
                const std::vector<std::string>& headers = {});
HttpAnswer Post(int port, const std::string& path, const std::string& body,
                const std::vector<std::string>& headers = {});

}  // namespace enigma::coordinator::testing
