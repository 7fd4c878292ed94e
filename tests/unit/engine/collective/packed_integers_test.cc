#include "engine/collective/packed_integers.h"

#include <limits>

#include <gtest/gtest.h>

#include "base/counter_random.h"

namespace enigma::engine {
namespace {

constexpr int64_t kLowest = std::numeric_limits<int64_t>::min();
constexpr int64_t kHighest = std::numeric_limits<int64_t>::max();

std::vector<uint8_t> Packed(const std::vector<int64_t>& values) {
  std::vector<uint8_t> packed;
  PackIntegers(values, packed);
  return packed;
}

// Values of which some need exactly `bits` bits with their sign, and none more.
std::vector<int64_t> ValuesOf(int bits, size_t count) {
  std::vector<int64_t> values(count, 0);
  if (bits == 0) return values;
  for (size_t i = 0; i < count; ++i) {
    const auto random = Philox({static_cast<uint32_t>(i), 0, 0, 0}, {static_cast<uint32_t>(bits), 1});
    const uint64_t word = (uint64_t{random[0]} << 32) | random[1];
    values[i] = static_cast<int64_t>(word) >> (64 - bits);
  }
  if (count > 0) values[count / 2] = kLowest >> (64 - bits);
  if (count > 1) values[count / 2 - 1] = kHighest >> (64 - bits);
  return values;
}

TEST(PackedIntegers, EveryWidthAndCountComesBack) {
  for (int bits = 0; bits <= 64; ++bits) {
    for (const size_t count : {0, 1, 2, 3, 255, 256, 257, 511, 513, 1000}) {
      const std::vector<int64_t> values = ValuesOf(bits, count);
      const std::vector<uint8_t> packed = Packed(values);
      std::vector<int64_t> out(count, 77);
      ASSERT_TRUE(UnpackIntegers(packed, out).ok()) << bits << " bits, " << count << " values";
      ASSERT_EQ(out, values) << bits << " bits, " << count << " values";
      ASSERT_LE(packed.size(), PackedBytesMax(count));
      // A copy that ends with the last byte: sanitizers see whether more is read.
      const std::vector<uint8_t> exact(packed.begin(), packed.end());
      std::vector<int64_t> sums(count, kHighest);
      ASSERT_TRUE(UnpackAndAddIntegers(exact, sums).ok());
      for (size_t i = 0; i < count; ++i) {
        ASSERT_EQ(static_cast<uint64_t>(sums[i]), static_cast<uint64_t>(kHighest) + static_cast<uint64_t>(values[i]));
      }
    }
  }
}

TEST(PackedIntegers, TakesWhatTheFormatSays) {
  EXPECT_EQ(Packed({}).size(), 0U);
  EXPECT_EQ(Packed(std::vector<int64_t>(2560, 0)).size(), 10U);
  EXPECT_EQ(Packed(std::vector<int64_t>(256, (int64_t{1} << 43) - 1)).size(), 1 + 256 * 11 / 2U);
  EXPECT_EQ(Packed(std::vector<int64_t>(256, -(int64_t{1} << 43))).size(), 1 + 256 * 11 / 2U);
  EXPECT_EQ(Packed(std::vector<int64_t>(256, int64_t{1} << 43)).size(), 1 + 256 * 6U);
  EXPECT_EQ(Packed(std::vector<int64_t>(256, kLowest)).size(), 1 + 256 * 8U);
  EXPECT_EQ(Packed({-1, 7, -8}), (std::vector<uint8_t>{1, 0x7F, 0x08}));
  EXPECT_EQ(Packed({0x123, -1}), (std::vector<uint8_t>{3, 0x23, 0xF1, 0xFF}));
  EXPECT_EQ(Packed({kLowest}), (std::vector<uint8_t>{16, 0, 0, 0, 0, 0, 0, 0, 0x80}));
}

TEST(PackedIntegers, OneBlockDoesNotWidenAnother) {
  std::vector<int64_t> values(768, 0);
  values[300] = kLowest;
  EXPECT_EQ(Packed(values).size(), 3 + 256 * 8U);
}

TEST(PackedIntegers, AppendsToWhatIsThere) {
  std::vector<uint8_t> out = {1, 2, 3};
  PackIntegers(std::vector<int64_t>{5}, out);
  EXPECT_EQ(out, (std::vector<uint8_t>{1, 2, 3, 1, 5}));
}

TEST(PackedIntegers, BytesThatAreNoIntegersAreErrors) {
  const std::vector<int64_t> values = ValuesOf(37, 600);
  const std::vector<uint8_t> packed = Packed(values);
  std::vector<int64_t> out(600);
  for (size_t size = 0; size < packed.size(); ++size) {
    const std::vector<uint8_t> part(packed.begin(), packed.begin() + static_cast<ptrdiff_t>(size));
    ASSERT_EQ(UnpackIntegers(part, out).code(), absl::StatusCode::kDataLoss) << size << " bytes";
  }
  std::vector<uint8_t> longer = packed;
  longer.push_back(0);
  EXPECT_EQ(UnpackIntegers(longer, out).code(), absl::StatusCode::kDataLoss);
  std::vector<int64_t> fewer(599);
  EXPECT_EQ(UnpackIntegers(packed, fewer).code(), absl::StatusCode::kDataLoss);
  std::vector<int64_t> more(601);
  EXPECT_EQ(UnpackAndAddIntegers(packed, more).code(), absl::StatusCode::kDataLoss);
  for (int width = 17; width < 256; ++width) {
    std::vector<uint8_t> wide = packed;
    wide[0] = static_cast<uint8_t>(width);
    ASSERT_EQ(UnpackIntegers(wide, out).code(), absl::StatusCode::kDataLoss) << width;
  }
}

TEST(PackedIntegers, AnyBytesAreTakenOrRefused) {
  for (uint32_t seed = 0; seed < 2000; ++seed) {
    const auto size = Philox({seed, 1, 0, 0}, {3, 3});
    std::vector<uint8_t> bytes(size[0] % 300);
    for (size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<uint8_t>(Philox({seed, static_cast<uint32_t>(i), 2, 0}, {3, 3})[0]);
    }
    if (!bytes.empty()) bytes[0] = static_cast<uint8_t>(bytes[0] % 20);
    std::vector<int64_t> out(size[1] % 600);
    const absl::Status status = UnpackIntegers(bytes, out);
    ASSERT_TRUE(status.ok() || absl::IsDataLoss(status));
  }
}

}  // namespace
}  // namespace enigma::engine
