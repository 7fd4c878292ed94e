#pragma once

#include <map>
#include <string>
#include <utility>

#include <grpcpp/generic/async_generic_service.h>

namespace enigma::worker {

// A gRPC server takes one generic service. This one hands calls on to several, by method; others are answered
// UNIMPLEMENTED. Thread-safe once the server has started. Outlives the server, and the services outlive it.
class MethodRouter : public grpc::CallbackGenericService {
 public:
  explicit MethodRouter(std::map<std::string, grpc::CallbackGenericService*> services)
      : services_(std::move(services)) {}

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
    const auto found = services_.find(context->method());
    if (found == services_.end()) return CallbackGenericService::CreateReactor(context);
    return found->second->CreateReactor(context);
  }

 private:
  const std::map<std::string, grpc::CallbackGenericService*> services_;
};

}  // namespace enigma::worker
