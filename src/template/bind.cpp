#include "bind.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/secret_names.hpp"

#include "keys.hpp"

#include <algorithm>

namespace podctl::tmpl {
namespace {

// What the values of a tree hold of the environment.
void gather(const Value& value, Template& result) {
    const auto text = trim(value.text);
    if (value.from_environment && !text.empty()) result.from_environment.emplace(text);
    for (const auto& hidden : value.hidden)
        if (is_worth_hiding(hidden)) result.hidden.emplace_back(hidden);
    for (const Value& item : value.items)
        gather(item, result);
    for (const Entry& entry : value.entries)
        gather(entry.value, result);
}

// The names in the `env` of a section that hold a secret.
std::set<std::string> secrets_among(const Value& section, Template& result) {
    std::set<std::string> names;
    const Value* env = section.find("env");
    if (!env) return names;
    for (const auto& [name, place, value] : env->entries) {
        const bool listed =
            std::find(result.secrets.begin(), result.secrets.end(), name) != result.secrets.end();
        if (!value.secret && !listed && !names_a_secret(name)) continue;
        names.insert(name);
        if (is_worth_hiding(value.text)) result.hidden.emplace_back(value.text);
    }
    return names;
}

}  // namespace

Template bind(const Value& root) {
    Template result;
    keys_of<Template>().bind(root, result);
    gather(root, result);
    if (const Value* pod = root.find("pod")) result.pod.secret_env = secrets_among(*pod, result);
    if (const Value* services = root.find("services"))
        for (const Value& service : services->items)
            secrets_among(service, result);
    return result;
}

}  // namespace podctl::tmpl
