#include "submodules.hpp"

#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/shorten.hpp"

#include "cuts.hpp"
#include "gitmodules.hpp"
#include "location.hpp"
#include "origin.hpp"
#include "pending_update.hpp"
#include "plain_files.hpp"
#include "worktree.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <vector>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;

// Deeper than any repository goes; one that contains itself has no end.
constexpr int deepest_submodule = 8;

struct Submodule {
    Declaration declared;
    std::string commit;
};

// A name becomes a folder under .git/modules, a path one in the work tree: neither may lead out of
// it, nor into a .git (CVE-2018-11235 and its kin).
bool is_safe_relative(std::string_view text) {
    if (text.empty() || text.front() == '/' || text.front() == '-') return false;
    for (const char c : text)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\') return false;
    for (const auto& part : split(text, '/'))
        if (part.empty() || part == "." || part == ".." || to_lower(part) == ".git") return false;
    return true;
}

// Every folder above it is a folder: a link there would lead the checkout out of the work tree.
bool goes_through_link(const fs::path& root, const std::string& path) {
    fs::path at = root;
    for (const auto& part : split(path, '/')) {
        at /= part;
        std::error_code ignored;
        if (fs::is_symlink(fs::symlink_status(at, ignored))) return true;
    }
    return false;
}

std::vector<Declaration> read_declarations(Session& session, git_repository* superproject) {
    const fs::path file = fs::path(git_repository_workdir(superproject)) / ".gitmodules";
    std::error_code ignored;
    const auto status = fs::symlink_status(file, ignored);
    if (!fs::exists(status)) return {};
    if (!fs::is_regular_file(status)) {
        session.notice(
            fmt::format("{} is no regular file: its submodules are left out", file.string()));
        return {};
    }
    return read_gitmodules(file);
}

// One's repository would lie in another's, and write among its files (CVE-2019-1387).
void require_apart(const std::vector<Declaration>& declarations, const std::string& where) {
    std::set<std::string_view> names;
    for (const auto& declared : declarations)
        names.insert(declared.name);
    for (std::string_view name : names)
        for (auto at = name.find('/'); at != name.npos; at = name.find('/', at + 1))
            if (names.contains(name.substr(0, at)))
                throw Error{
                    ErrorKind::git,
                    fmt::format("{}: .gitmodules has a submodule named in another's: \"{}\"", where,
                                shorten_middle(name)),
                    "do not use this repository, or set submodules: false"};
}

// The declarations that have a commit, and a notice about everything else.
std::vector<Submodule> find_submodules(Session& session, git_repository* superproject) {
    const fs::path workdir = git_repository_workdir(superproject);
    auto links = read_gitlinks(superproject);
    require_few_submodules(links.size(), workdir.string());
    std::vector<Submodule> result;
    auto declarations = read_declarations(session, superproject);
    require_apart(declarations, workdir.string());
    for (auto& declared : declarations) {
        if (!is_safe_relative(declared.name) || !is_safe_relative(declared.path) ||
            goes_through_link(workdir, declared.path))
            throw Error{ErrorKind::git,
                        fmt::format("{}: .gitmodules declares a submodule that leads out of the "
                                    "repository: name \"{}\", path \"{}\"",
                                    workdir.string(), shorten_middle(declared.name),
                                    shorten_middle(declared.path)),
                        "do not use this repository, or set submodules: false"};
        const auto link = links.find(declared.path);
        if (link == links.end()) {
            session.notice(
                fmt::format("{}: .gitmodules declares {}, but no commit of it is recorded: "
                            "left out, as git does",
                            workdir.string(), declared.path));
            continue;
        }
        const std::string commit = link->second;
        links.erase(link);
        if (declared.update == "none") {
            session.notice(fmt::format("{}: submodule {} says update = none: left out",
                                       workdir.string(), declared.path));
            continue;
        }
        result.push_back({std::move(declared), commit});
    }
    for (const auto& [path, commit] : links)
        session.notice(
            fmt::format("{}: {} is a submodule without an entry in .gitmodules: left out, "
                        "as git does",
                        workdir.string(), path));
    return result;
}

// Where a submodule may lead is where its superproject is from, and nothing less guarded. The
// user's own mirrors may be anything.
std::string submodule_url(const Session& session, const Submodule& submodule,
                          const std::string& parent) {
    const auto& declared = submodule.declared;
    if (declared.url.empty() || declared.url.starts_with('-'))
        throw Error{ErrorKind::git, fmt::format("{}: submodule {} has no usable url in .gitmodules",
                                                without_secrets(parent), declared.path)};
    const std::string url = resolve_submodule_url(parent, declared.url);
    // As git has it since CVE-2022-39253: what came from a server may not read the local disk.
    if (transport_of(url) == Transport::local && transport_of(parent) != Transport::local)
        throw Error{
            ErrorKind::git,
            fmt::format("{}: submodule {} points at the local disk: {}", without_secrets(parent),
                        shorten_middle(declared.path), shorten_middle(url)),
            "do not use this repository, or set submodules: false"};
    // git:// is neither encrypted nor does anybody prove there who he is.
    const bool is_guarded =
        transport_of(parent) == Transport::http || transport_of(parent) == Transport::ssh;
    if (is_guarded && transport_of(session.mirrors().apply(url)) == Transport::git)
        throw Error{ErrorKind::git,
                    fmt::format("{}: submodule {} is to come by git://, which is not guarded: {}",
                                without_secrets(parent), shorten_middle(declared.path),
                                shorten_middle(url)),
                    "name a mirror of it (--mirror FROM=TO), or set submodules: false"};
    require_no_control(url);
    return url;
}

// What `git submodule init` writes, so that git goes on from here.
void register_submodule(git_repository* superproject, const Declaration& declared,
                        const std::string& url) {
    const std::string where = git_repository_path(superproject);
    const auto config = make<ConfigHandle>(where, git_repository_config, superproject);
    const std::string key = "submodule." + declared.name;
    check(git_config_set_string(config.get(), (key + ".url").c_str(), without_login(url).c_str()),
          where);
    check(git_config_set_bool(config.get(), (key + ".active").c_str(), 1), where);
}

// As git has it: each names the other, from where it stands, so that both can be moved together.
void link_work_tree(git_repository* repository, const fs::path& gitdir, const fs::path& workdir) {
    const fs::path from = normal_path(gitdir), to = normal_path(workdir);
    const auto config = make<ConfigHandle>(gitdir.string(), git_repository_config, repository);
    check(git_config_set_string(config.get(), "core.worktree", to.lexically_relative(from).c_str()),
          gitdir.string());
    write_file_atomically(workdir / ".git",
                          fmt::format("gitdir: {}\n", from.lexically_relative(to).string()));
}

// Its repository is kept when the submodule leaves the work tree, with what the user may have in
// it; so is one whose first checkout was killed, since its note tells what that left.
RepositoryHandle reopen_submodule(const fs::path& gitdir, const fs::path& workdir) {
    require_plain_repository(gitdir);
    // Without its work tree: where the folder that it names is gone, libgit2 says (and leaks) as
    // much as if there were no repository.
    const auto repository =
        find<RepositoryHandle>(gitdir.string(), git_repository_open_ext, gitdir.c_str(),
                               GIT_REPOSITORY_OPEN_NO_SEARCH | GIT_REPOSITORY_OPEN_BARE,
                               static_cast<const char*>(nullptr));
    if (!repository) return {};
    const bool is_unborn = git_repository_head_unborn(repository.get()) != 0;
    if (is_unborn && PendingUpdate(repository.get()).commits().empty()) return {};
    create_folders(workdir);
    link_work_tree(repository.get(), gitdir, workdir);
    return open_repository(workdir);
}

RepositoryHandle create_submodule(const fs::path& gitdir, const fs::path& workdir) {
    // Without a HEAD it is what a kill left of an earlier clone.
    remove_tree(gitdir);
    std::error_code ignored;
    fs::remove(workdir / ".git", ignored);
    git_repository_init_options options = GIT_REPOSITORY_INIT_OPTIONS_INIT;
    options.flags = GIT_REPOSITORY_INIT_MKPATH | GIT_REPOSITORY_INIT_NO_DOTGIT_DIR |
                    GIT_REPOSITORY_INIT_RELATIVE_GITLINK;
    const std::string work = workdir.string();
    options.workdir_path = work.c_str();
    return make<RepositoryHandle>(work, git_repository_init_ext, gitdir.c_str(), &options);
}

// A submodule on its way to its commit.
struct Moving {
    RepositoryHandle repository = {};
    std::optional<UpdateNote> note = {};  // nullopt: it was there already
    std::optional<Reach> reach = {};      // where its own submodules may lead
};

// Moves its work tree, and HEAD where there was none: a killed update is to find what belongs to
// it.
void bring_submodule(Session& session, const Superproject& superproject, const Submodule& submodule,
                     const std::string& url, Moving& moving) {
    git_repository* above = superproject.repository;
    const fs::path workdir = fs::path(git_repository_workdir(above)) / submodule.declared.path;
    const fs::path gitdir =
        fs::path(git_repository_commondir(above)) / "modules" / submodule.declared.name;
    auto& repository = moving.repository;
    const auto head = read_head(workdir);
    repository = head ? open_repository(workdir) : reopen_submodule(gitdir, workdir);
    if (repository && heal_cuts(repository.get())) repository = open_repository(workdir);
    const bool fresh = !repository, reopened = repository && !head;
    if (fresh) repository = create_submodule(gitdir, workdir);
    if (head && head->commit == submodule.commit && !PendingUpdate(repository.get()).exists())
        return;
    moving.note.emplace(repository.get());
    const Reach reach = superproject.reach ? *superproject.reach
                                           : reach_from(session.mirrors().apply(superproject.url));
    Origin origin{session, repository.get(), url, reach};
    const bool shallow = fresh || git_repository_is_shallow(repository.get()) == 1;
    origin.bring({Target::Kind::commit, submodule.commit}, shallow ? Depth::one : Depth::whole);
    const auto before = reopened ? Before::nothing : Before::head;
    move_work_tree(session, repository.get(), submodule.commit, *moving.note, before);
    if (git_repository_head_unborn(repository.get()) != 0)
        point_head(repository.get(), submodule.commit, {}, Upstream::no);
    moving.reach = origin.reach_of_submodules();
}

// A pack without it may still be of use, which only the user can know.
Error of_submodule(const Error& error, const Superproject& superproject,
                   const Submodule& submodule) {
    if (error.kind() == ErrorKind::interrupted) return error;
    return Error{
        error.kind(),
        fmt::format("{}: submodule {} at {}: {}", without_secrets(superproject.url),
                    shorten_middle(submodule.declared.path), submodule.commit, error.message()),
        fmt::format("{}{}`submodules: false` leaves all of them out", error.hint(),
                    error.hint().empty() ? "" : "; ")};
}

void update_submodule(Session& session, const Superproject& superproject,
                      const Submodule& submodule) {
    const std::string url = submodule_url(session, submodule, superproject.url);
    session.stop_if_requested(without_secrets(url));
    require_few_submodules(++session.submodules, without_secrets(superproject.url));
    register_submodule(superproject.repository, submodule.declared, url);
    Moving moving;
    try {
        bring_submodule(session, superproject, submodule, url, moving);
    } catch (const Error& error) {
        throw of_submodule(error, superproject, submodule);
    }
    // What the internet has named stays there, however it was reached.
    if (superproject.reach == Reach::internet) moving.reach = Reach::internet;
    update_submodules(session, {.repository = moving.repository.get(),
                                .url = url,
                                .reach = moving.reach,
                                .depth = superproject.depth + 1});
    if (!moving.note) return;
    // After its own submodules: until then HEAD tells where they were before, and the note where
    // they go. One that a kill left at either is not the user's.
    point_head(moving.repository.get(), submodule.commit, {}, Upstream::no);
    moving.note->done();
}

}  // namespace

void update_submodules(Session& session, const Superproject& superproject) {
    const auto submodules = find_submodules(session, superproject.repository);
    if (!submodules.empty() && superproject.depth == deepest_submodule)
        throw Error{ErrorKind::git,
                    fmt::format("{}: submodules are nested more than {} deep",
                                without_secrets(superproject.url), deepest_submodule),
                    "do not use this repository, or set submodules: false"};
    for (const auto& submodule : submodules)
        if (!superproject.left_alone.contains(submodule.declared.path))
            update_submodule(session, superproject, submodule);
}

}  // namespace podctl::git
