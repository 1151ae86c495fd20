#pragma once

#include "podctl/base/error.hpp"
#include "podctl/template/template.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace podctl::tmpl {

// One thing that is wrong with a template, where it stands.
struct Diagnostic {
    std::string file;
    int line = 0;         // from 1; 0: no place in the file (a --set value, a key that is missing)
    int column = 0;       // from 1
    std::string key;      // dotted path: models[2].sha256
    std::string message;  // what was found, and what is allowed or meant
    // The lines around it with a caret below the place, where that helps; else empty.
    std::string excerpt = {};

    // "pod.yaml:12:5: models[2].sha256: …", and the excerpt below it.
    std::string to_string() const;
};

// All that is wrong with a template, at once. Its message is the diagnostics, a line each.
class TemplateError : public Error {
public:
    explicit TemplateError(std::vector<Diagnostic> diagnostics);
    const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }

private:
    std::vector<Diagnostic> diagnostics_;
};

// A variable's value, or nullopt when it is unset.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

struct LoadOptions {
    std::vector<std::filesystem::path> overlays = {};  // -f, later wins
    std::vector<std::string> set = {};                 // --set KEY=VALUE, after the overlays
    Environment environment = process_environment();
};

// Reads, merges, interpolates and checks. "-" is stdin. Throws TemplateError with everything that
// is wrong, Error{not_found} when a file does not exist, Error{usage} for a --set that is no
// KEY=VALUE.
Template load_template(const std::filesystem::path& path, const LoadOptions& options = {});
// The same from memory; `file` is what diagnostics call it.
Template parse_template(std::string_view text, const std::string& file,
                        const LoadOptions& options = {});

// The effective template as YAML: merged and interpolated, in the table's order. The keys of
// mappings that the template does not set are left out. Throws as load_template.
std::string effective_yaml(const std::filesystem::path& path, const LoadOptions& options = {});

// The JSON Schema (draft 2020-12) of a template, pretty-printed, with a newline at its end. Made
// from the table that the parser uses.
std::string json_schema();
// Every key of a template with its values, default and meaning: docs/template.md.
std::string markdown_reference();

}  // namespace podctl::tmpl
