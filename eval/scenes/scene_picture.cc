#include "eval/scenes/scene_picture.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/counter_random.h"

namespace enigma::eval {
namespace {

using Rgb = std::array<uint8_t, 3>;

constexpr int64_t kSamples = 4;               // per pixel along each axis
constexpr int64_t kPixel = 2 * kSamples;      // coordinates count half samples, so that every sample is a whole number
constexpr int64_t kOutline = 1000;            // outlines are in thousandths of the radius
constexpr int kTint = 12;                     // brightness by which a colour varies, up or down
constexpr int64_t kStripes = 8;               // of a pattern, light and dark ones together
constexpr uint64_t kTintStream = 0x74696E74;  // "tint"

struct Point {
  int64_t x, y;
};

constexpr Point kTriangle[] = {{0, -1000}, {1000, 1000}, {-1000, 1000}};
constexpr Point kDiamond[] = {{0, -1000}, {1000, 0}, {0, 1000}, {-1000, 0}};
constexpr Point kSquare[] = {{-1000, -1000}, {1000, -1000}, {1000, 1000}, {-1000, 1000}};
// Corners on circles of radius 1 and 0.42, each 36 degrees further than the last.
constexpr Point kStar[] = {{0, -1000}, {247, -340}, {951, -309}, {399, 130},   {588, 809},
                           {0, 420},   {-588, 809}, {-399, 130}, {-951, -309}, {-247, -340}};
constexpr Point kCross[] = {{-330, -1000}, {330, -1000}, {330, -330}, {1000, -330}, {1000, 330},   {330, 330},
                            {330, 1000},   {-330, 1000}, {-330, 330}, {-1000, 330}, {-1000, -330}, {-330, -330}};

constexpr Rgb kColours[kFigureColours] = {{220, 40, 40},  {40, 165, 60},  {45, 85, 220},   {240, 215, 45},
                                          {245, 135, 25}, {135, 55, 185}, {250, 150, 195}, {115, 70, 35}};

std::span<const Point> OutlineOf(Shape shape) {
  switch (shape) {
    case Shape::kTriangle:
      return kTriangle;
    case Shape::kDiamond:
      return kDiamond;
    case Shape::kSquare:
      return kSquare;
    case Shape::kStar:
      return kStar;
    case Shape::kCross:
      return kCross;
    case Shape::kCircle:
    case Shape::kRing:
    case Shape::kMoon:
      return {};
  }
  return {};
}

// Whether a line to the right from the point crosses the outline an odd number of times. The point is relative to the
// figure's centre, times kOutline; corners are times the radius, so that nothing is divided.
bool IsInside(std::span<const Point> outline, int64_t radius, Point at) {
  bool inside = false;
  Point from = {outline.back().x * radius, outline.back().y * radius};
  for (const Point& corner : outline) {
    const Point to = {corner.x * radius, corner.y * radius};
    if ((from.y > at.y) != (to.y > at.y)) {
      const int64_t side = (to.x - from.x) * (at.y - from.y) - (at.x - from.x) * (to.y - from.y);
      if ((side > 0) == (to.y > from.y)) inside = !inside;
    }
    from = to;
  }
  return inside;
}

// A figure with its lengths in half samples.
struct PlacedFigure {
  Shape shape;
  int64_t x, y, radius;

  bool Covers(int64_t at_x, int64_t at_y) const {
    const int64_t dx = at_x - x, dy = at_y - y;
    const std::span<const Point> outline = OutlineOf(shape);
    if (!outline.empty()) return IsInside(outline, radius, {dx * kOutline, dy * kOutline});
    const int64_t distance = dx * dx + dy * dy;  // squared, as all below
    if (distance > radius * radius) return false;
    if (shape == Shape::kRing) return distance * 100 >= radius * radius * 36;  // its hole has six tenths of the radius
    if (shape == Shape::kCircle) return true;
    // The moon lacks a circle of eight tenths of its radius, five tenths to the right.
    const int64_t away_x = 10 * dx - 5 * radius, away_y = 10 * dy;
    return away_x * away_x + away_y * away_y > 64 * radius * radius;
  }
};

Rgb Tinted(const Rgb& colour, uint64_t tint, uint64_t position) {
  Rgb tinted;
  for (size_t c = 0; c < 3; ++c) {
    const double share = CounterUniform(tint, kTintStream, 3 * position + c);
    const int change = static_cast<int>(share * (2 * kTint + 1)) - kTint;
    tinted[c] = static_cast<uint8_t>(std::clamp(colour[c] + change, 0, 255));
  }
  return tinted;
}

// What of a striped or checked background is dark.
bool IsDark(Background background, int64_t x, int64_t y, int64_t size) {
  if (background == Background::kStriped) return y * kStripes / size % 2 == 1;
  if (background == Background::kChecked) return (x * kStripes / size + y * kStripes / size) % 2 == 1;
  return false;
}

Rgb PlainColour(Background background) {
  switch (background) {
    case Background::kWhite:
      return {243, 243, 243};
    case Background::kGrey:
      return {128, 128, 128};
    case Background::kBlack:
      return {16, 16, 16};
    case Background::kBeige:
      return {222, 204, 168};
    case Background::kStriped:
    case Background::kChecked:
      return {225, 230, 235};
  }
  return {};
}

engine::Image DrawBackground(const Scene& scene, uint32_t size) {
  constexpr Rgb kDark = {165, 175, 185};
  const Rgb light = Tinted(PlainColour(scene.background), scene.tint, 0), dark = Tinted(kDark, scene.tint, 1);
  engine::Image picture = engine::Image::Blank(size, size);
  for (uint32_t y = 0; y < size; ++y) {
    for (uint32_t x = 0; x < size; ++x) {
      const Rgb& colour = IsDark(scene.background, x, y, size) ? dark : light;
      std::copy(colour.begin(), colour.end(), picture.pixel(x, y));
    }
  }
  return picture;
}

// Samples of the pixel that the figure covers, of kSamples * kSamples.
int CoveredSamples(const PlacedFigure& figure, int64_t x, int64_t y) {
  int covered = 0;
  for (int64_t j = 0; j < kSamples; ++j) {
    for (int64_t i = 0; i < kSamples; ++i) {
      covered += figure.Covers(kPixel * x + 2 * i + 1, kPixel * y + 2 * j + 1) ? 1 : 0;
    }
  }
  return covered;
}

void DrawFigureOn(engine::Image& picture, const PlacedFigure& figure, const Rgb& colour) {
  constexpr int kAll = kSamples * kSamples;
  const auto pixel_of = [&](int64_t at) {
    return static_cast<uint32_t>(std::clamp<int64_t>(at / kPixel, 0, picture.width - 1));
  };
  for (uint32_t y = pixel_of(figure.y - figure.radius); y <= pixel_of(figure.y + figure.radius); ++y) {
    for (uint32_t x = pixel_of(figure.x - figure.radius); x <= pixel_of(figure.x + figure.radius); ++x) {
      const int covered = CoveredSamples(figure, x, y);
      uint8_t* pixel = picture.pixel(x, y);
      for (size_t c = 0; c < 3; ++c) {
        pixel[c] = static_cast<uint8_t>((colour[c] * covered + pixel[c] * (kAll - covered) + kAll / 2) / kAll);
      }
    }
  }
}

}  // namespace

engine::Image DrawPicture(const Scene& scene, uint32_t size) {
  engine::Image picture = DrawBackground(scene, size);
  const int64_t side = kPixel * size;
  for (size_t i = 0; i < scene.figures.size(); ++i) {
    const Figure& figure = scene.figures[i];
    const PlacedFigure placed = {figure.shape, figure.x * side / 1000, figure.y * side / 1000,
                                 figure.radius * side / 1000};
    DrawFigureOn(picture, placed, Tinted(kColours[static_cast<size_t>(figure.colour)], scene.tint, 2 + i));
  }
  return picture;
}

}  // namespace enigma::eval
