#include "eval/scenes/scene.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/counter_random.h"
#include "base/text.h"
#include "eval/held_out.h"

namespace enigma::eval {
namespace {

constexpr uint64_t kHeldOutCombinations = 10;  // one of them is held out
constexpr uint32_t kSmallRadius[] = {95, 125};
constexpr uint32_t kLargeRadius[] = {185, 220};
constexpr uint32_t kEdge = 20;   // between a figure and the picture's edge, at least
constexpr uint32_t kGap = 40;    // between two figures, at least
constexpr uint32_t kAside = 60;  // of a pair: how far the centres are off their common line, at most
constexpr uint32_t kGrid = 3;    // counted figures stand in cells of a grid

// The draws of one attempt, which depend on the seed and on the attempt's number alone.
class SceneDraw {
 public:
  SceneDraw(uint64_t seed, uint64_t attempt) : seed_(seed), attempt_(attempt) {}

  uint32_t Between(uint32_t low, uint32_t high) {
    const double share = CounterUniform(seed_, attempt_, position_++);
    return low + static_cast<uint32_t>(share * static_cast<double>(high - low + 1));
  }
  template <typename Enum>
  Enum OneOf(size_t count) {
    return static_cast<Enum>(Between(0, static_cast<uint32_t>(count - 1)));
  }

 private:
  const uint64_t seed_;
  const uint64_t attempt_;
  uint64_t position_ = 0;
};

Figure DrawFigure(SceneDraw& draw) {
  Figure figure;
  figure.shape = draw.OneOf<Shape>(kShapes);
  figure.colour = draw.OneOf<FigureColour>(kFigureColours);
  return figure;
}

void DrawSize(SceneDraw& draw, Figure& figure) {
  figure.is_large = draw.Between(0, 1) == 1;
  const auto& radius = figure.is_large ? kLargeRadius : kSmallRadius;
  figure.radius = draw.Between(radius[0], radius[1]);
}

uint32_t DrawPlace(SceneDraw& draw, uint32_t radius) { return draw.Between(kEdge + radius, 1000 - kEdge - radius); }

std::vector<Figure> DrawSingle(SceneDraw& draw) {
  Figure figure = DrawFigure(draw);
  DrawSize(draw, figure);
  figure.x = DrawPlace(draw, figure.radius);
  figure.y = DrawPlace(draw, figure.radius);
  return {figure};
}

std::vector<Figure> DrawPair(SceneDraw& draw, Relation relation) {
  Figure first = DrawFigure(draw), second = DrawFigure(draw);
  while (first.shape == second.shape && first.colour == second.colour) second = DrawFigure(draw);
  DrawSize(draw, first);
  DrawSize(draw, second);
  // Along the relation both have their room and share out what is left before, between and behind them.
  const uint32_t used = 2 * (first.radius + second.radius) + 2 * kEdge + kGap;
  const uint32_t between = draw.Between(0, 1000 - used);
  const uint32_t before = draw.Between(0, 1000 - used - between);
  const uint32_t along_first = kEdge + before + first.radius;
  const uint32_t along_second = along_first + first.radius + kGap + between + second.radius;
  const uint32_t larger = std::max(first.radius, second.radius);
  const uint32_t across_first = DrawPlace(draw, larger);
  const uint32_t low = std::max(across_first, kEdge + larger + kAside) - kAside;
  const uint32_t high = std::min(across_first + kAside, 1000 - kEdge - larger);
  const uint32_t across_second = draw.Between(low, high);
  std::tie(first.x, first.y) = std::pair(along_first, across_first);
  std::tie(second.x, second.y) = std::pair(along_second, across_second);
  if (relation == Relation::kAbove) {
    std::swap(first.x, first.y);
    std::swap(second.x, second.y);
  }
  return {first, second};
}

std::vector<Figure> DrawCount(SceneDraw& draw) {
  const Figure model = DrawFigure(draw);
  const uint32_t count = draw.Between(2, 5);
  std::array<uint32_t, kGrid * kGrid> cells;
  for (uint32_t i = 0; i < cells.size(); ++i) cells[i] = i;
  std::vector<Figure> figures;
  for (uint32_t i = 0; i < count; ++i) {
    std::swap(cells[i], cells[draw.Between(i, cells.size() - 1)]);
    Figure figure = model;
    figure.radius = draw.Between(kSmallRadius[0], kSmallRadius[1]);
    const uint32_t room = 1000 / kGrid / 2 - figure.radius - kEdge;  // on either side of the cell's centre
    figure.x = 1000 * (2 * (cells[i] % kGrid) + 1) / (2 * kGrid) - room + draw.Between(0, 2 * room);
    figure.y = 1000 * (2 * (cells[i] / kGrid) + 1) / (2 * kGrid) - room + draw.Between(0, 2 * room);
    figures.push_back(figure);
  }
  return figures;
}

Scene DrawScene(SceneDraw draw) {
  Scene scene;
  scene.kind = draw.OneOf<SceneKind>(kSceneKinds);
  scene.background = draw.OneOf<Background>(kBackgrounds);
  scene.tint = draw.Between(0, 0xFFFFFFFE);
  if (scene.kind == SceneKind::kSingle) scene.figures = DrawSingle(draw);
  if (scene.kind == SceneKind::kCount) scene.figures = DrawCount(draw);
  if (scene.kind == SceneKind::kPair) {
    scene.relation = draw.OneOf<Relation>(2);
    scene.figures = DrawPair(draw, scene.relation);
  }
  return scene;
}

template <size_t kCount, typename Enum>
std::string_view NameIn(const std::array<std::string_view, kCount>& names, Enum value) {
  return names[static_cast<size_t>(value)];
}

}  // namespace

std::string_view NameOf(SceneKind kind) {
  return NameIn(std::array<std::string_view, kSceneKinds>{"single", "pair", "count"}, kind);
}

std::string_view NameOf(Shape shape) {
  return NameIn(
      std::array<std::string_view, kShapes>{"circle", "square", "triangle", "diamond", "star", "cross", "ring", "moon"},
      shape);
}

std::string_view NameOf(FigureColour colour) {
  return NameIn(std::array<std::string_view, kFigureColours>{"red", "green", "blue", "yellow", "orange", "purple",
                                                             "pink", "brown"},
                colour);
}

std::string_view NameOf(Background background) {
  return NameIn(std::array<std::string_view, kBackgrounds>{"white", "grey", "black", "beige", "striped", "checked"},
                background);
}

std::string_view NameOf(Relation relation) { return relation == Relation::kLeftOf ? "left of" : "above"; }

std::string Scene::Facts() const {
  std::string facts = ToString(absl::StrCat(ToAbsl(NameOf(kind)), ";", ToAbsl(NameOf(background))));
  if (kind == SceneKind::kPair) absl::StrAppend(&facts, ";", ToAbsl(NameOf(relation)));
  if (kind == SceneKind::kCount) absl::StrAppend(&facts, ";", figures.size());
  for (const Figure& figure : figures) {
    absl::StrAppend(&facts, ";", ToAbsl(NameOf(figure.colour)), " ", ToAbsl(NameOf(figure.shape)));
    if (kind == SceneKind::kCount) break;
    absl::StrAppend(&facts, figure.is_large ? " large" : " small");
  }
  return facts;
}

bool Scene::IsHeldOut() const { return PartOf(Facts(), kHeldOutCombinations) == 0; }

Scene MakeScene(uint64_t seed, uint64_t number, bool held_out) {
  // Each number has attempts of its own, so that a scene does not depend on those before it.
  constexpr uint64_t kAttempts = 1 << 16;
  for (uint64_t attempt = 0;; ++attempt) {
    Scene scene = DrawScene(SceneDraw(seed, number * kAttempts + attempt));
    // One attempt in ten is held out, and nine are not: the last attempt is never reached.
    if (scene.IsHeldOut() == held_out || attempt + 1 == kAttempts) return scene;
  }
}

}  // namespace enigma::eval
