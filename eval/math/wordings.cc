#include "eval/math/wordings.h"

namespace enigma::eval {
namespace {

constexpr std::string_view kSums[] = {
    "What is {a} + {b}?",
    "{a} + {b}",
    "{a}+{b}",
    "{a} + {b} = ?",
    "{a}+{b}=",
    "what is {a} plus {b}",
    "{a} plus {b}?",
    "How much is {a} plus {b}?",
    "Add {a} and {b}.",
    "add {b} to {a}",
    "What do {a} and {b} make together?",
    "the sum of {a} and {b}",
    "What is the sum of {a} and {b}?",
    "please compute {a} + {b}",
    "Calculate {a} + {b}.",
    "can you tell me what {a} and {b} add up to?",
    "If I add {a} and {b}, what do I get?",
    "I have to add {b} to {a}. What is the total?",
    "whats {a}+{b}",
    "Total of {a} and {b}, please.",
};

constexpr std::string_view kDifferences[] = {
    "What is {a} - {b}?",
    "{a} - {b}",
    "{a}-{b}",
    "{a} - {b} = ?",
    "{a}-{b}=",
    "what is {a} minus {b}",
    "{a} minus {b}?",
    "How much is {a} minus {b}?",
    "Subtract {b} from {a}.",
    "take {b} away from {a}",
    "What is left of {a} when {b} is taken away?",
    "{a} less {b}",
    "please compute {a} - {b}",
    "Calculate {a} - {b}.",
    "whats {a}-{b}",
    "can you work out {a} minus {b} for me?",
    "If I subtract {b} from {a}, what do I get?",
    "I start at {a} and go down by {b}. Where do I end?",
};

constexpr std::string_view kProducts[] = {
    "What is {a} * {b}?",
    "{a} * {b}",
    "{a}*{b}",
    "{a} x {b}",
    "{a} x {b} = ?",
    "{a}*{b}=",
    "what is {a} times {b}",
    "{a} times {b}?",
    "How much is {a} times {b}?",
    "Multiply {a} by {b}.",
    "multiply {a} and {b}",
    "the product of {a} and {b}",
    "What is the product of {a} and {b}?",
    "please compute {a} * {b}",
    "Calculate {a} x {b}.",
    "whats {a} times {b}",
    "can you tell me what {a} times {b} makes?",
    "If I multiply {a} by {b}, what do I get?",
    "{a} multiplied by {b}",
    "I need {a} * {b}",
};

constexpr std::string_view kSumStories[] = {
    "{name} has {a} {thing} and finds {b} more. How many {thing} does {name} have now?",
    "There are {a} {thing} on one shelf and {b} on another. How many are there altogether?",
    "{name} bought {a} {thing} on Monday and {b} on Tuesday. How many is that in all?",
    "A shop sold {a} {thing} before noon and {b} after it. How many did it sell that day?",
    "In a box lie {a} {thing}; {name} puts in another {b}. How many are in it then?",
    "{name} counted {a} {thing}, a friend counted {b} others. How many did they count between them?",
    "after getting {b} {thing} as a present on top of the {a} already there, how many does {name} own?",
    "A train has {a} passengers and {b} more get on. How many passengers are on it?",
    "{name} walked {a} km last week and {b} km this week. How far is that together, in km?",
    "The first page has {a} words and the second {b}. How many words are on both pages?",
    "{name} is {a} years old. How old will {name} be in {b} years?",
    "it was {a} degrees in the morning and got {b} degrees warmer. what does the thermometer show?",
};

constexpr std::string_view kDifferenceStories[] = {
    "{name} has {a} {thing} and gives away {b}. How many {thing} are left?",
    "Of {a} {thing} in the store, {b} were sold. How many remain?",
    "{name} had {a} {thing} but lost {b} of them. How many does {name} still have?",
    "A bus carries {a} people; {b} get off. How many stay on the bus?",
    "A book has {a} pages and {name} has read {b}. How many pages are still to read?",
    "there were {a} {thing} in the basket, {name} took {b} out. how many are in it now?",
    "{name} needs {a} {thing} and has {b}. How many are missing?",
    "A rope of {a} m is shortened by {b} m. How long is it then, in m?",
    "The class has {a} pupils, {b} of them are ill today. How many are at school?",
    "{name} saved {a} euros and spends {b}. How many euros remain?",
    "one tower is {a} m high, another one {b} m. By how many metres is the first one higher?",
    "{name} is {a} years old and the younger sister is {b}. How many years are between them?",
};

constexpr std::string_view kProductStories[] = {
    "{name} has {a} bags with {b} {thing} in each. How many {thing} is that?",
    "There are {a} rows of {b} chairs. How many chairs are there?",
    "A box holds {b} {thing}. How many do {a} boxes hold?",
    "{name} reads {b} pages a day. How many pages are read after {a} days?",
    "One ticket costs {b} euros. What do {a} tickets cost, in euros?",
    "{a} children get {b} {thing} each. How many {thing} are given out?",
    "a garden bed is {a} m long and {b} m wide. how many square metres is it?",
    "{name} trains {b} hours a week. How many hours are that in {a} weeks?",
    "Each of {a} tables has {b} guests. How many guests have come?",
    "A machine makes {b} {thing} in a minute. How many does it make in {a} minutes?",
    "{a} friends each bring {b} {thing} to the party. how many {thing} are there?",
    "{name} buys {a} packs of {b} {thing}. How many {thing} is that altogether?",
};

constexpr std::string_view kNames[] = {
    "Anna",  "Ben",   "Carla", "Deniz", "Elif",  "Farid", "Grete", "Hugo",   "Ines", "Jonas",  "Kemal", "Lena",
    "Marco", "Nadia", "Oskar", "Priya", "Quinn", "Rosa",  "Samir", "Tomasz", "Uma",  "Viktor", "Wanda", "Yusuf",
};

constexpr std::string_view kThings[] = {
    "apples", "books",   "stamps", "marbles", "pencils", "coins",  "shells", "cards",   "plums",   "buttons",
    "eggs",   "cookies", "nails",  "bottles", "candles", "tulips", "pears",  "pebbles", "tickets", "balloons",
};

}  // namespace

std::span<const std::string_view> SumWordings() { return kSums; }
std::span<const std::string_view> DifferenceWordings() { return kDifferences; }
std::span<const std::string_view> ProductWordings() { return kProducts; }
std::span<const std::string_view> SumStories() { return kSumStories; }
std::span<const std::string_view> DifferenceStories() { return kDifferenceStories; }
std::span<const std::string_view> ProductStories() { return kProductStories; }
std::span<const std::string_view> FirstNames() { return kNames; }
std::span<const std::string_view> Things() { return kThings; }

}  // namespace enigma::eval
