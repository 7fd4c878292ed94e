#include "engine/spec/dtype.h"

#include <gtest/gtest.h>

namespace enigma::engine {
namespace {

TEST(DTypeTest, TraitsMatchTheFormatsBlocks) {
  struct Case {
    DType type;
    const char* name;
    uint64_t bytes_of_256;
  };
  // Bytes of 256 elements, from the bits per weight that the formats state.
  for (const Case& c :
       {Case{DType::kF32, "f32", 1024}, Case{DType::kF16, "f16", 512}, Case{DType::kBF16, "bf16", 512},
        Case{DType::kQ8_0, "q8_0", 272}, Case{DType::kQ4_0, "q4_0", 144}, Case{DType::kQ4_1, "q4_1", 160},
        Case{DType::kQ5_0, "q5_0", 176}, Case{DType::kQ5_1, "q5_1", 192}, Case{DType::kQ4_K, "q4_k", 144},
        Case{DType::kQ5_K, "q5_k", 176}, Case{DType::kQ6_K, "q6_k", 210}}) {
    EXPECT_STREQ(Traits(c.type).name, c.name);
    EXPECT_EQ(RowBytes(c.type, 256), c.bytes_of_256) << c.name;
    EXPECT_EQ(DTypeFromName(c.name), c.type);
  }
  EXPECT_EQ(FindTraits(10), nullptr);
  EXPECT_EQ(DTypeFromName("q2_k"), std::nullopt);
}

}  // namespace
}  // namespace enigma::engine
