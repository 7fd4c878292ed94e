#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace enigma::coordinator {

// What settled which specialist answers.
enum class RouteMethod {
  kModel,       // the router was sure enough
  kKeyword,     // words of the text
  kExplicit,    // the client named the model or the task
  kCapability,  // only some models can take such a request
  kSticky,      // the conversation began with it
  kDefault,     // nothing else did, or the client forbade routing
};
// As headers, metadata and metrics have it: "model", "keyword", ...
std::string_view RouteMethodName(RouteMethod method);

// Which specialist answers a request, and why.
struct Decision {
  std::string task;  // empty where the client named a model
  std::string model;
  std::vector<std::string> fallback;  // models that may answer in its place, best first
  RouteMethod method = RouteMethod::kDefault;
  std::string intent;     // that the router found likeliest, sure or not; empty: it was not asked, or did not answer
  double confidence = 0;  // of the intent
  std::string why;        // a sentence for people
};

}  // namespace enigma::coordinator
