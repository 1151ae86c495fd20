#pragma once

#include "podctl/template/load.hpp"

#include "value.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace podctl::tmpl {

// Gathers what is wrong, so that all of it is reported at once.
class Diagnostics {
public:
    // `excerpt`: Diagnostic::excerpt.
    void add(const Place& place, std::string key, std::string message, std::string excerpt = {});
    // As add, and marks the value so that later checks leave it alone.
    void fault(Value& value, std::string key, std::string message);

    bool empty() const { return found_.empty(); }
    // Throws TemplateError with all of them, file by file and in each in the order of the lines,
    // unless there are none.
    void throw_if_any();

private:
    std::vector<Diagnostic> found_;
};

// The key's path with one step more: models[2], comfyui.port, mirrors."https://host/".
std::string key_path(const std::string& parent, std::string_view key);
std::string key_path(const std::string& parent, std::size_t index);

// Text for a message: quoted, cut when long, control characters escaped, secrets hidden.
std::string quote(std::string_view text);
// What stands there: 'text', a list, a mapping, nothing. Of interpolated values what the template
// says, never a variable's value.
std::string shown(const Value& value);
// The template's own text of a scalar: before interpolation.
const std::string& template_text(const Value& value);

// ", did you mean 'x'?", or nothing when no candidate is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace podctl::tmpl
