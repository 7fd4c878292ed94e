// A frame from a neighbouring stage that lies: header, plan, tokens.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "worker/pipeline/frame.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace enigma::worker;
  const auto frame = ParseFrame({data, size});
  if (!frame.ok()) return 0;
  if (kFrameHeaderBytes + frame->plan.size() + frame->payload.size() != size) std::abort();
  if (frame->header.payload_bytes() != frame->payload.size()) std::abort();
  if (const auto plan = DecodePlan(*frame); plan.ok()) {
    if (plan->rows() != frame->header.rows || plan->runs.size() != frame->header.run_count) std::abort();
    // What was read says the same when written and read again (bytes may differ inside an opened sequence).
    const std::string encoded = EncodePlan(*plan);
    FrameView again = *frame;
    again.plan = {reinterpret_cast<const uint8_t*>(encoded.data()), encoded.size()};
    const auto reread = DecodePlan(again);
    if (!reread.ok() || EncodePlan(*reread) != encoded) std::abort();
  }
  if (const auto tokens = DecodeTokens(*frame); tokens.ok()) {
    if (EncodeTokensFrame(frame->header.replica, frame->header.step, *tokens).size() != size) std::abort();
  }
  return 0;
}
