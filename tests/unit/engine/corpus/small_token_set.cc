#include "tests/unit/engine/corpus/small_token_set.h"

#include <gtest/gtest.h>

namespace enigma::engine::testing {

TokenSetBuilder SmallBuilder(uint32_t vocabulary) { return TokenSetBuilder(vocabulary, Sha256Of("a small one")); }

std::shared_ptr<const TokenSet> SmallTokenSet(const std::vector<SmallDocument>& training,
                                              const std::vector<SmallDocument>& validation, uint32_t vocabulary) {
  TokenSetBuilder builder = SmallBuilder(vocabulary);
  const auto add = [&builder](TokenSet::Part part, const SmallDocument& document) {
    std::vector<TokenId> ids;
    std::vector<uint8_t> trained;
    for (uint32_t i = 0; i < document.size; ++i) {
      ids.push_back(document.first + static_cast<TokenId>(i));
      trained.push_back(i >= document.prompt ? 1 : 0);
    }
    EXPECT_TRUE(builder.Add(part, ids, trained).ok());
  };
  for (const SmallDocument& document : training) add(TokenSet::Part::kTraining, document);
  for (const SmallDocument& document : validation) add(TokenSet::Part::kValidation, document);
  auto set = builder.Finish();
  EXPECT_TRUE(set.ok()) << set.status();
  return set.value();
}

}  // namespace enigma::engine::testing
