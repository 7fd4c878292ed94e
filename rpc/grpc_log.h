#pragma once

namespace enigma {

// Sends gRPC's own log lines to this program's log, at level debug: every failure that matters also reaches the caller
// as a status. Idempotent; servers and channels call it.
void RouteGrpcLog();

}  // namespace enigma
