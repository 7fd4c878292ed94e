#include "engine/text/constraint/string_formats.h"

#include <utility>

namespace enigma::engine {
namespace {

// RFC 3339, with the days that the months of the Gregorian calendar have.
#define ENIGMA_DATE                                                                                        \
  "(?:\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|"          \
  "02-(?:0[1-9]|1\\d|2[0-8]))|(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-" \
  "02-29)"
#define ENIGMA_TIME "(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)"
#define ENIGMA_BYTE "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"
#define ENIGMA_LABEL "[A-Za-z0-9](?:[A-Za-z0-9-]{0,20}[A-Za-z0-9])?"
#define ENIGMA_GROUP "[0-9A-Fa-f]{1,4}"

constexpr std::pair<std::string_view, std::string_view> kFormats[] = {
    {"date", "^" ENIGMA_DATE "$"},
    {"time", "^" ENIGMA_TIME "$"},
    {"date-time", "^" ENIGMA_DATE "T" ENIGMA_TIME "$"},
    {"duration",
     "^P(?:\\d{1,9}W|(?:\\d{1,9}Y(?:\\d{1,9}M(?:\\d{1,9}D)?)?|\\d{1,9}M(?:\\d{1,9}D)?|\\d{1,9}D)"
     "(?:T(?:\\d{1,9}H(?:\\d{1,9}M(?:\\d{1,9}S)?)?|\\d{1,9}M(?:\\d{1,9}S)?|\\d{1,9}S))?"
     "|T(?:\\d{1,9}H(?:\\d{1,9}M(?:\\d{1,9}S)?)?|\\d{1,9}M(?:\\d{1,9}S)?|\\d{1,9}S))$"},
    {"email", "^[A-Za-z0-9_+-]{1,20}(?:\\.[A-Za-z0-9_+-]{1,20}){0,2}@(?:" ENIGMA_LABEL "\\.){1,3}[A-Za-z]{2,12}$"},
    {"hostname", "^" ENIGMA_LABEL "(?:\\." ENIGMA_LABEL "){0,4}$"},
    {"ipv4", "^(?:" ENIGMA_BYTE "\\.){3}" ENIGMA_BYTE "$"},
    {"ipv6",
     "^(?:(?:" ENIGMA_GROUP ":){7}" ENIGMA_GROUP "|::(?:" ENIGMA_GROUP "(?::" ENIGMA_GROUP "){0,5})?|" ENIGMA_GROUP
     "::(?:" ENIGMA_GROUP "(?::" ENIGMA_GROUP "){0,4})?|" ENIGMA_GROUP ":" ENIGMA_GROUP "::(?:" ENIGMA_GROUP
     "(?::" ENIGMA_GROUP "){0,3})?|(?:" ENIGMA_GROUP ":){2}" ENIGMA_GROUP "::(?:" ENIGMA_GROUP "(?::" ENIGMA_GROUP
     "){0,2})?|(?:" ENIGMA_GROUP ":){3}" ENIGMA_GROUP "::(?:" ENIGMA_GROUP "(?::" ENIGMA_GROUP ")?)?)$"},
    {"uuid", "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$"},
    {"uri", "^[a-z][a-z0-9+.-]{1,10}://" ENIGMA_LABEL "(?:\\." ENIGMA_LABEL
            "){0,4}(?::[1-9]\\d{0,4})?(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*)?"
            "(?:\\?(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?(?:#(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|"
            "%[0-9A-Fa-f]{2})*)?$"},
};

#undef ENIGMA_DATE
#undef ENIGMA_TIME
#undef ENIGMA_BYTE
#undef ENIGMA_LABEL
#undef ENIGMA_GROUP

}  // namespace

std::string_view FormatPattern(std::string_view format) {
  for (const auto& [name, pattern] : kFormats) {
    if (name == format) return pattern;
  }
  return "";
}

}  // namespace enigma::engine
