#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace podctl::tmpl {

// Where the template's paths live.
struct PathContext {
    std::string mount = "/workspace";  // absolute, normalised
    std::string shown = "/workspace";  // as a message may name it
};

// What text of a certain kind may be. `pattern` is ECMA-262, for the schema; it may be wider than
// `fault`, which decides. `fault` answers what is wrong, never with the text itself in it (it may
// hold a variable's value), or nullopt.
struct Format {
    std::string_view name;
    std::string_view pattern;
    std::string_view allowed;
    std::optional<std::string> (*fault)(std::string_view text, const PathContext& context);
};

namespace formats {
extern const Format line;           // not empty, one line
extern const Format optional_line;  // one line
extern const Format dns_label;
extern const Format env_name;
extern const Format sha256;
extern const Format image;
extern const Format package;  // of the image's package manager
extern const Format git_url;
extern const Format git_ref;
extern const Format torch;
extern const Format index_url;
extern const Format mount;
extern const Format path;          // in the mount
extern const Format owned_path;    // in the mount, and not the mount itself
extern const Format node_path;     // in the mount, or absolute
extern const Format store_path;    // the same, of a folder
extern const Format model_folder;  // under ComfyUI's models/, or an absolute path in the mount
extern const Format file_name;     // one component
extern const Format requirement;   // a requirement, or a file in the mount
extern const Format package_name;  // of a Python package, without a version
extern const Format registry_id;
extern const Format version;
extern const Format listen;
extern const Format http_path;
extern const Format url_prefix;
extern const Format mirror_target;  // what a prefix is replaced by
extern const Format program;        // auto, a program's name or a path
}  // namespace formats

}  // namespace podctl::tmpl
