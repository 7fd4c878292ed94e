#pragma once

#include <absl/status/status.h>

#include "coordinator/gateway/openai/body.h"
#include "coordinator/operations/control_plane.h"
#include "proto/worker.pb.h"

namespace enigma::coordinator {

// The field "response_format": text, json_object, or json_schema with a name, a schema and strict. A schema is kept to
// in every case, so strict changes nothing; without one, json_schema is json_object.
void ReadResponseFormat(Fields& fields, enigma::v1::SamplingParams& sampling);

// Whether answers can be held to the schema that was read. INVALID_ARGUMENT names the place in it that is wrong or not
// supported. Compiles one that is new: for ApiContext::schema_executor.
absl::Status CheckResponseFormat(ControlPlane& plane, const enigma::v1::SamplingParams& sampling);

}  // namespace enigma::coordinator
