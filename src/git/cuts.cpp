#include "cuts.hpp"

#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"

#include "library.hpp"

#include <algorithm>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;

fs::path cuts_file(git_repository* repository) {
    return fs::path(git_repository_commondir(repository)) / "shallow";
}

fs::path kept_file(git_repository* repository) {
    return fs::path(git_repository_commondir(repository)) / "podctl-shallow";
}

std::vector<std::string> read_lines(const fs::path& file) {
    std::vector<std::string> lines;
    for (const auto& line : split(read_file_if_exists(file).value_or(""), '\n'))
        if (!trim(line).empty()) lines.emplace_back(trim(line));
    return lines;
}

void write_lines(const fs::path& file, const std::vector<std::string>& lines) {
    std::string content;
    for (const auto& line : lines)
        content += line + "\n";
    write_file_atomically(file, content);
}

bool has_object(git_odb* database, std::string_view hex) {
    git_oid id;
    return git_oid_fromstrn(&id, hex.data(), hex.size()) == 0 && git_odb_exists(database, &id) == 1;
}

// Read from the object itself, since libgit2 shows a commit at a cut without its parents.
bool misses_a_parent(git_odb* database, const std::string& commit) {
    if (!has_object(database, commit)) return false;
    git_oid id;
    check(git_oid_fromstr(&id, commit.c_str()), commit);
    const auto object = make<OdbObjectHandle>("commit " + commit, git_odb_read, database,
                                              static_cast<const git_oid*>(&id));
    const std::string_view text{static_cast<const char*>(git_odb_object_data(object.get())),
                                git_odb_object_size(object.get())};
    constexpr std::string_view parent = "parent ";
    for (const auto& line : split(text.substr(0, text.find("\n\n")), '\n'))
        if (line.starts_with(parent) &&
            !has_object(database, std::string_view(line).substr(parent.size())))
            return true;
    return false;
}

}  // namespace

std::vector<std::string> read_cuts(git_repository* repository) {
    return read_lines(cuts_file(repository));
}

KeptCuts::KeptCuts(git_repository* repository)
    : repository_(repository), kept_file_(kept_file(repository)), before_(read_lines(kept_file_)) {
    for (const auto& cut : read_cuts(repository))
        before_.push_back(cut);
    if (!before_.empty()) write_lines(kept_file_, before_);
}

void KeptCuts::restore() {
    if (before_.empty()) return;
    const auto database =
        make<OdbHandle>(git_repository_path(repository_), git_repository_odb, repository_);
    auto cuts = read_cuts(repository_);
    const auto count = cuts.size();
    for (const auto& cut : before_)
        if (std::find(cuts.begin(), cuts.end(), cut) == cuts.end() &&
            misses_a_parent(database.get(), cut))
            cuts.push_back(cut);
    if (cuts.size() != count) write_lines(cuts_file(repository_), cuts);
    remove_tree(kept_file_);
}

bool heal_cuts(git_repository* repository) {
    if (!read_file_if_exists(kept_file(repository))) return false;
    KeptCuts(repository).restore();
    return true;
}

}  // namespace podctl::git
