#pragma once

#include <string>
#include <string_view>

namespace enigma::coordinator {

// "/v1/models/a%20b?x=1" to path "/v1/models/a b" and query "x=1". False for what is no path: it does not begin with
// '/', an escape is broken, or it decodes to a control character.
bool SplitTarget(std::string_view target, std::string& path, std::string& query);

}  // namespace enigma::coordinator
