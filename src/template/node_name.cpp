#include "node_name.hpp"

#include "checks.hpp"
#include "paths.hpp"

namespace podctl::tmpl {

std::string node_name(const Value& item) {
    if (item.is_scalar()) return repository_name(item.text);
    if (const std::string* name = text_of(item, "name")) return *name;
    if (const std::string* git = text_of(item, "git")) return repository_name(*git);
    if (const std::string* id = text_of(item, "registry")) return *id;
    const std::string* path = text_of(item, "path");
    if (!path) return {};
    const std::string normal = absolute_path(*path, "/");
    return normal.substr(normal.rfind('/') + 1);
}

}  // namespace podctl::tmpl
