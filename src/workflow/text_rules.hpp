#pragma once

#include "page.hpp"

#include <chrono>
#include <random>
#include <string>

namespace podctl::workflow {

// Without // and /* */ comments, with one of {a|b} chosen, and \{, \| and \} as they are meant:
// processDynamicPrompt().
std::string with_choices(std::string_view text, std::mt19937_64& random);

// %date:yyyy-MM-dd% and %Node.widget% filled in: applyTextReplacements().
std::string with_replacements(const Page& page, const std::string& text,
                              std::chrono::system_clock::time_point now);

}  // namespace podctl::workflow
