#include "eval/scenes/scene_captions.h"

#include <array>
#include <span>
#include <string_view>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>

#include "base/counter_random.h"
#include "base/text.h"

namespace enigma::eval {
namespace {

// Tells the choice of a wording from the draws of its scene.
constexpr uint64_t kWordingStream = uint64_t{1} << 63;

// {a}: the figure or figures; of a pair {a} is left of or above {b}.
constexpr std::string_view kSingleWordings[] = {
    "{a} on {ground}",          "there is {a} on {ground}",          "{ground} with {a}",
    "on {ground} there is {a}", "the picture shows {a} on {ground}",
};
constexpr std::string_view kCountWordings[] = {
    "{a} on {ground}",           "there are {a} on {ground}",         "{ground} with {a}",
    "on {ground} there are {a}", "the picture shows {a} on {ground}",
};
constexpr std::string_view kLeftWordings[] = {
    "{a} left of {b} on {ground}",         "{b} right of {a} on {ground}",   "{a} to the left of {b} on {ground}",
    "{b} to the right of {a} on {ground}", "on {ground} {a} is left of {b}", "on {ground} {b} is right of {a}",
};
constexpr std::string_view kAboveWordings[] = {
    "{a} above {b} on {ground}",          "{b} below {a} on {ground}",    "there is {a} above {b} on {ground}",
    "there is {b} below {a} on {ground}", "on {ground} {a} is above {b}", "on {ground} {b} is below {a}",
};

std::span<const std::string_view> WordingsOf(const Scene& scene) {
  if (scene.kind == SceneKind::kSingle) return kSingleWordings;
  if (scene.kind == SceneKind::kCount) return kCountWordings;
  return scene.relation == Relation::kLeftOf ? kLeftWordings : kAboveWordings;
}

std::string OneFigure(const Figure& figure) {
  return absl::StrCat("a ", figure.is_large ? "large " : "small ", ToAbsl(NameOf(figure.colour)), " ",
                      ToAbsl(NameOf(figure.shape)));
}

std::string Figures(const Scene& scene) {
  constexpr std::array<const char*, 6> kNumbers = {"no", "one", "two", "three", "four", "five"};
  const Figure& figure = scene.figures.front();
  if (scene.kind != SceneKind::kCount) return OneFigure(figure);
  const absl::string_view shape = ToAbsl(NameOf(figure.shape));
  return absl::StrCat(kNumbers[scene.figures.size()], " ", ToAbsl(NameOf(figure.colour)), " ", shape,
                      figure.shape == Shape::kCross ? "es" : "s");
}

}  // namespace

std::vector<std::string> SceneCaptions(const Scene& scene) {
  const std::string ground = absl::StrCat("a ", ToAbsl(NameOf(scene.background)), " background");
  std::vector<std::string> captions;
  for (const std::string_view wording : WordingsOf(scene)) {
    captions.push_back(absl::StrReplaceAll(
        ToAbsl(wording), {{"{a}", Figures(scene)}, {"{b}", OneFigure(scene.figures.back())}, {"{ground}", ground}}));
  }
  return captions;
}

std::string ChosenCaption(const Scene& scene, uint64_t seed, uint64_t number) {
  const std::vector<std::string> captions = SceneCaptions(scene);
  const double share = CounterUniform(seed, kWordingStream, number);
  return captions[static_cast<size_t>(share * static_cast<double>(captions.size()))];
}

}  // namespace enigma::eval
