#include "coordinator/state/api_key.h"

#include <algorithm>

namespace enigma::coordinator {

bool ApiKey::MayUse(std::string_view model) const {
  return models.empty() || std::find(models.begin(), models.end(), model) != models.end();
}

}  // namespace enigma::coordinator
