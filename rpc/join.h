#pragma once

#include <functional>
#include <string>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "base/clock.h"
#include "proto/membership.pb.h"
#include "rpc/certificate_authority.h"
#include "rpc/identity.h"
#include "rpc/join_token.h"

namespace enigma {

struct JoinOptions {
  std::string endpoint;  // the coordinator's host:port
  std::string node_id;   // what the new node calls itself
  Role role = Role::kWorker;
  absl::Duration timeout = absl::Seconds(10);
};

// The worker's side. Dials the coordinator, finds among the certificates it shows the CA that the token pins, trusts
// that one alone, proves the token and comes back with an identity (not yet saved). Every failure is a sentence: nobody
// there, another cluster's coordinator, a token that is wrong or expired, clocks that differ.
absl::StatusOr<NodeIdentity> JoinCluster(const JoinToken& token, const JoinOptions& options,
                                         const Clock& clock = Clock::System());

// The record of the token with this id; NOT_FOUND when there is none.
using FindJoinToken = std::function<absl::StatusOr<JoinTokenRecord>(const std::string& token_id)>;

// The coordinator's side: checks the proof and issues the certificate. An unknown token and a wrong secret read the
// same to the caller.
absl::StatusOr<v1::JoinReply> AnswerJoin(const v1::JoinRequest& request, const CertificateAuthority& authority,
                                         const FindJoinToken& find_token, const Clock& clock = Clock::System());

}  // namespace enigma
