#pragma once

namespace enigma {

// Keeps gRPC's threads for callbacks running until the process ends. gRPC 1.51 stops them with the last server or
// channel that uses callbacks, and can abort the process when an event arrives just then. Servers and channels of rpc/
// call this.
void KeepCallbackQueue();

}  // namespace enigma
