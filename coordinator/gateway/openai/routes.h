#pragma once

#include "coordinator/gateway/access.h"
#include "coordinator/gateway/openai/endpoint.h"

namespace enigma::coordinator {

// The table of the HTTP API: which endpoint answers which method and path, and who may ask. An unknown path is 404, a
// known one with another method 405.
boost::asio::awaitable<void> Route(ApiContext& api, const Access& access, HttpExchange& exchange);

}  // namespace enigma::coordinator
