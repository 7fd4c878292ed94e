#pragma once

#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

// Returns from the enclosing function when `expr` (an absl::Status) is an error.
#define ENIGMA_RETURN_IF_ERROR(expr)                                                    \
  do {                                                                                  \
    if (absl::Status enigma_status = (expr); !enigma_status.ok()) return enigma_status; \
  } while (false)

#define ENIGMA_CONCAT_INNER(a, b) a##b
#define ENIGMA_CONCAT(a, b) ENIGMA_CONCAT_INNER(a, b)

// ENIGMA_ASSIGN_OR_RETURN(auto x, F()): unpacks an absl::StatusOr, or returns its error.
#define ENIGMA_ASSIGN_OR_RETURN(lhs, expr) ENIGMA_ASSIGN_OR_RETURN_INNER(ENIGMA_CONCAT(enigma_or_, __LINE__), lhs, expr)
#define ENIGMA_ASSIGN_OR_RETURN_INNER(tmp, lhs, expr) \
  auto tmp = (expr);                                  \
  if (!tmp.ok()) return tmp.status();                 \
  lhs = std::move(tmp).value()
