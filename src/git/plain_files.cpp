#include "plain_files.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"

#include "git_folder.hpp"
#include "git_settings.hpp"
#include "library.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;

// What people write, and what git writes a line of for every file or ref. libgit2 reads both into
// memory as a whole.
constexpr std::uint64_t most_of_a_text = 4u << 20, most_of_a_list = 256u << 20;
constexpr std::uint64_t any_size = std::numeric_limits<std::uint64_t>::max();

// A link to "/" would have the whole machine looked at.
constexpr std::size_t most_git_files = 2'000'000;

constexpr std::array rule_names{".gitignore", ".gitattributes", ".gitmodules"};

const char* what_stands_there(mode_t mode) {
    if (S_ISFIFO(mode)) return "a pipe";
    if (S_ISSOCK(mode)) return "a socket";
    return S_ISCHR(mode) || S_ISBLK(mode) ? "a device" : "no file";
}

// What does not exist, or cannot be looked at, cannot be opened either.
void require_plain(const fs::path& path, std::uint64_t most) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || S_ISDIR(status.st_mode)) return;
    constexpr const char* hint =
        "remove it; where git needs it, move the repository away and podctl clones it anew";
    if (!S_ISREG(status.st_mode))
        throw Error{ErrorKind::git,
                    fmt::format("{}: is {}{}, where git reads a file", path.string(),
                                fs::is_symlink(fs::symlink_status(path)) ? "a link to " : "",
                                what_stands_there(status.st_mode)),
                    hint};
    if (static_cast<std::uint64_t>(status.st_size) > most)
        throw Error{ErrorKind::git,
                    fmt::format("{}: has {} bytes, which no such file of git has", path.string(),
                                status.st_size),
                    hint};
}

// By the path in the git folder. Packs and objects are mapped or read piece by piece.
std::uint64_t most_of(std::string_view name) {
    if (name == "index" || name == "packed-refs" || name == "shallow") return most_of_a_list;
    const bool is_text = name == "HEAD" || name == "config" || name == "config.worktree" ||
                         name == "commondir" || name == "gitdir" || name.starts_with("refs/") ||
                         name.starts_with("info/") || name == "objects/info/alternates";
    return is_text ? most_of_a_text : any_size;
}

class GitFiles {
public:
    void look_at_git_folder(const fs::path& folder) {
        look_into(folder, folder);
        look_at_alternates(folder / "objects");
        look_at_settings(folder / "config", 0);
        look_at_settings(folder / "config.worktree", 0);
    }

private:
    bool is_new(const fs::path& path) {
        struct stat status {};
        return ::stat(path.c_str(), &status) == 0 &&
               seen_.emplace(status.st_dev, status.st_ino).second;
    }

    // `top` is the git folder that `start` is in. Links to folders are git's own way to share them.
    void look_into(const fs::path& start, const fs::path& top) {
        std::vector<fs::path> left{start};
        while (!left.empty()) {
            const fs::path folder = std::move(left.back());
            left.pop_back();
            if (!is_new(folder)) continue;
            std::error_code failed;
            for (fs::directory_iterator at{folder, failed}, end; !failed && at != end;
                 at.increment(failed))
                look_at(*at, top, left);
        }
    }

    void look_at(const fs::directory_entry& entry, const fs::path& top,
                 std::vector<fs::path>& left) {
        if (++count_ > most_git_files)
            throw Error{
                ErrorKind::git,
                fmt::format("{}: has more than {} files in it", top.string(), most_git_files),
                "move the repository away, and podctl clones it anew"};
        const auto& path = entry.path();
        const auto name = std::string_view{path.native()}.substr(top.native().size() + 1);
        std::error_code ignored;
        if (entry.is_directory(ignored)) {
            // A submodule's repository is looked at when it is opened.
            if (name != "modules") left.push_back(path);
            return;
        }
        const auto most = most_of(name);
        if (most == any_size && !entry.is_symlink(ignored) && entry.is_regular_file(ignored))
            return;
        require_plain(path, most);
    }

    void look_at_alternates(const fs::path& objects) {
        require_plain(objects / "info/alternates", most_of_a_text);
        const auto text = read_file_if_exists(objects / "info/alternates");
        for (const auto& line : split(text.value_or(""), '\n')) {
            const auto target = trim(line);
            if (target.empty() || target.starts_with('#')) continue;
            const fs::path other = normal_path(objects / fs::path{target});
            struct stat status {};
            if (::stat(other.c_str(), &status) != 0 ||
                seen_.contains({status.st_dev, status.st_ino}))
                continue;
            look_into(other, other.parent_path());
            look_at_alternates(other);
        }
    }

    // libgit2 follows ten includes, too.
    void look_at_settings(const fs::path& file, int depth) {
        require_plain(file, most_of_a_text);
        if (depth > 10 || !file_stamp(file) || (depth > 0 && !is_new(file))) return;
        for (const auto& target : files_named_in(read_file(file), file.parent_path())) {
            require_plain(target.path, most_of_a_text);
            if (target.is_settings) look_at_settings(target.path, depth + 1);
        }
    }

    std::set<std::pair<dev_t, ino_t>> seen_;
    std::size_t count_ = 0;
};

bool looks_bare(const fs::path& path) {
    std::error_code ignored;
    return fs::exists(path / "HEAD", ignored) && fs::is_directory(path / "objects", ignored) &&
           fs::is_directory(path / "refs", ignored);
}

void require_plain_rules_in(const fs::path& folder) {
    for (const char* name : rule_names)
        require_plain(folder / name, most_of_a_text);
}

}  // namespace

void require_plain_repository(const fs::path& path) {
    const fs::path whole = normal_path(path);
    require_plain(whole / ".git", most_of_a_text);
    std::set<fs::path> folders;
    if (const auto found = find_gitdir(whole)) {
        const fs::path gitdir = normal_path(*found);
        folders = {gitdir, normal_path(find_common_dir(gitdir))};  // mostly the same
    }
    if (looks_bare(whole)) folders.insert(whole);
    GitFiles files;
    for (const auto& folder : folders)
        files.look_at_git_folder(folder);
}

void require_plain_rules(git_repository* repository) {
    const fs::path workdir = git_repository_workdir(repository);
    const auto index = make<IndexHandle>(workdir.string(), git_repository_index, repository);
    std::set<std::string> folders{""};
    for (std::size_t i = 0; i < git_index_entrycount(index.get()); ++i) {
        std::string_view path = git_index_get_byindex(index.get(), i)->path;
        while (path.rfind('/') != path.npos) {
            path = path.substr(0, path.rfind('/'));
            if (!folders.emplace(path).second) break;
        }
    }
    for (const auto& folder : folders)
        require_plain_rules_in(workdir / folder);
}

void require_plain_work_tree(git_repository* repository) {
    const fs::path workdir = git_repository_workdir(repository);
    require_plain_rules_in(workdir);
    std::error_code failed;
    constexpr auto options = fs::directory_options::skip_permission_denied;
    for (fs::recursive_directory_iterator at{workdir, options, failed}, end; !failed && at != end;
         at.increment(failed)) {
        const auto name = at->path().filename().native();
        if (name == ".git") at.disable_recursion_pending();
        for (const char* rules : rule_names)
            if (name == rules) require_plain(at->path(), most_of_a_text);
    }
}

}  // namespace podctl::git
