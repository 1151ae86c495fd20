#pragma once

#include <string>
#include <string_view>

namespace podctl::python {

// What stands before a requirement's per-line options, looked at as PEP 508 and pip do.
struct Specifier {
    enum class Form { named, url, path, invalid };

    Form form = Form::invalid;
    std::string name = {};    // normalised; may be empty for url and path
    std::string target = {};  // of `name @ target`, a bare URL or a path
};

// Whether it may stand in a package's name (PEP 508) or in a version.
bool is_name_character(char c);

Specifier parse_specifier(std::string_view text);

// "https://user@host/a.git@v1#egg=a" → "host/a.git": so a target stands in what git, uv and pip
// say.
std::string bare_address(std::string_view target);

}  // namespace podctl::python
