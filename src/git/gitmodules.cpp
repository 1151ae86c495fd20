#include "gitmodules.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"

#include "library.hpp"

#include <fmt/format.h>

#include <map>

namespace podctl::git {
namespace {

constexpr const char* leave_out_hint = "do not use this repository, or set submodules: false";

// "submodule.NAME.KEY"; the name may have dots of its own.
void take(std::string_view key, const char* value,
          std::map<std::string, Declaration>& declarations) {
    constexpr std::string_view section = "submodule.";
    const auto dot = key.rfind('.');
    if (!key.starts_with(section) || dot < section.size()) return;
    const std::string name{key.substr(section.size(), dot - section.size())};
    key.remove_prefix(dot + 1);
    Declaration& declaration = declarations[name];
    declaration.name = name;
    const std::string text = value == nullptr ? "" : value;
    if (key == "path") declaration.path = text;
    if (key == "url") declaration.url = text;
    if (key == "update") declaration.update = text;
}

}  // namespace

// A header of that section may stand wherever a bracket may; nothing else is called so.
void require_plain_gitmodules(std::string_view text, const std::string& where) {
    if (text.size() > largest_gitmodules)
        throw Error{ErrorKind::git,
                    fmt::format("{}: has {} bytes, which no such file has", where, text.size()),
                    leave_out_hint};
    for (auto at = text.find('['); at != text.npos; at = text.find('[', at + 1)) {
        const auto header = to_lower(trim(text.substr(at + 1, 80)));
        if (header.starts_with("include"))
            throw Error{ErrorKind::git,
                        fmt::format("{}: includes another file, which no .gitmodules may", where),
                        leave_out_hint};
    }
}

std::vector<Declaration> read_gitmodules(const std::filesystem::path& file) {
    const std::string where = file.string();
    require_plain_gitmodules(read_file(file), where);
    const auto settings = make<ConfigHandle>(where, git_config_open_ondisk, file.c_str());
    const auto entries = make<ConfigIteratorHandle>(where, git_config_iterator_new,
                                                    static_cast<const git_config*>(settings.get()));
    std::map<std::string, Declaration> declarations;
    git_config_entry* entry = nullptr;
    while (git_config_next(&entry, entries.get()) == 0) {
        take(entry->name, entry->value, declarations);
        require_few_submodules(declarations.size(), where);
    }
    std::vector<Declaration> result;
    for (auto& [name, declaration] : declarations) {
        while (declaration.path.ends_with('/'))
            declaration.path.pop_back();
        result.push_back(std::move(declaration));
    }
    return result;
}

void require_few_submodules(std::size_t count, const std::string& where) {
    if (count <= most_submodules) return;
    throw Error{ErrorKind::git, fmt::format("{}: more than {} submodules", where, most_submodules),
                leave_out_hint};
}

}  // namespace podctl::git
