#pragma once

#include "podctl/base/error.hpp"

#include <string>
#include <string_view>

namespace podctl::download {

// .html .htm .xhtml: of these a web page is what was asked for.
bool is_page_name(std::string_view name);

// "a web page came in place of the file", with what helps. ErrorKind::network where it may be
// another answer next time.
Error page_in_place_of(const std::string& name, ErrorKind kind);

}  // namespace podctl::download
