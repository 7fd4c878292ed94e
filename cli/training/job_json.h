#pragma once

#include "cli/output/format.h"
#include "proto/training.pb.h"

namespace enigma::cli {

namespace v1 = ::enigma::v1;

// Messages of proto/training.proto as JSON with the same field names. What is not known (a loss before the first step)
// is null; configuration and report are objects, where they are there.
Json ToJson(const v1::JobInfo& job);
Json ToJson(const v1::JobPoint& point);
Json ToJson(const v1::EstimateJobReply& estimate);

// A JSON text as a value; null for what is none.
Json Parsed(const std::string& text);

}  // namespace enigma::cli
