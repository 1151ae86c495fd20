#include "podctl/base/file.hpp"
#include "podctl/base/remove_tree.hpp"
#include "podctl/git/git.hpp"

#include "origin.hpp"
#include "plain_files.hpp"
#include "worktree.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;

// A requirements file is a page; what is larger is something else.
constexpr git_object_size_t largest_file = 1u << 20;

class ScratchFolder {
public:
    explicit ScratchFolder(fs::path path) : path_(std::move(path)) {
        remove_tree(path_);
        create_folders(path_);
    }
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;
    ~ScratchFolder() { remove_tree_quietly(path_); }

private:
    fs::path path_;
};

struct Commit {
    CommitHandle handle;
    std::string tag;  // empty: none points there
};

// Tag by commit. The server has told where an annotated one leads ("v1^{}").
std::map<std::string, std::string> tags_of(const std::vector<RemoteRef>& refs) {
    constexpr std::string_view prefix = "refs/tags/";
    constexpr std::string_view peeled = "^{}";
    std::map<std::string, std::string> tags;
    for (const RemoteRef& ref : refs) {
        if (!ref.name.starts_with(prefix)) continue;
        std::string name = ref.name.substr(prefix.size());
        if (name.ends_with(peeled)) name.resize(name.size() - peeled.size());
        tags[ref.id] = name;
    }
    return tags;
}

// The branch as it stood over time, by its first parents, and every tagged commit.
std::vector<Commit> commits_of(git_repository* repository, const std::string& tip,
                               std::map<std::string, std::string> tags) {
    std::vector<Commit> commits;
    CommitHandle next = lookup_commit(repository, tip);
    while (next) {
        CommitHandle parent = first_parent(next.get(), tip);
        const auto tag = tags.extract(git_oid_tostr_s(git_commit_id(next.get())));
        commits.push_back({std::move(next), tag.empty() ? std::string{} : tag.mapped()});
        next = std::move(parent);
    }
    // A tag may be on a branch that was not fetched, or name something else than a commit.
    for (const auto& [id, tag] : tags) {
        if (auto commit = find_commit(repository, id)) commits.push_back({std::move(commit), tag});
    }
    std::stable_sort(commits.begin(), commits.end(), [](const Commit& a, const Commit& b) {
        return git_commit_time(a.handle.get()) > git_commit_time(b.handle.get());
    });
    return commits;
}

BlobHandle file_in(const git_commit* commit, const fs::path& file) {
    git_object* raw = nullptr;
    const auto* object = reinterpret_cast<const git_object*>(commit);
    if (git_object_lookup_bypath(&raw, object, file.generic_string().c_str(), GIT_OBJECT_BLOB) < 0)
        return {};
    return BlobHandle{reinterpret_cast<git_blob*>(raw)};
}

std::vector<FileVersion> versions_in(const std::vector<Commit>& commits, const fs::path& file) {
    std::vector<FileVersion> versions;
    std::map<std::string, std::size_t> known;  // by content
    std::vector<bool> tagged;
    for (const auto& [commit, tag] : commits) {
        const auto blob = file_in(commit.get(), file);
        if (!blob || git_blob_rawsize(blob.get()) > largest_file) continue;
        const auto [at, fresh] =
            known.emplace(git_oid_tostr_s(git_blob_id(blob.get())), versions.size());
        if (fresh) {
            const auto* text = static_cast<const char*>(git_blob_rawcontent(blob.get()));
            const auto size = static_cast<std::size_t>(git_blob_rawsize(blob.get()));
            versions.push_back({.revision = {}, .time = 0, .text = std::string(text, size)});
            tagged.push_back(false);
        } else if (tag.empty() || tagged[at->second]) {
            continue;
        }
        FileVersion& version = versions[at->second];
        version.revision = tag.empty() ? git_oid_tostr_s(git_commit_id(commit.get())) : tag;
        version.time = git_commit_time(commit.get());
        tagged[at->second] = !tag.empty();
    }
    return versions;
}

}  // namespace

std::vector<FileVersion> history_of(const HistoryRequest& request, const Network& network,
                                    std::stop_token stop) {
    const Monitor unwatched;
    Session session{network, unwatched, std::move(stop)};
    const ScratchFolder scratch{request.scratch};
    const std::string where = request.scratch.string();
    std::string tip;
    std::map<std::string, std::string> tags;
    {
        const auto repository =
            make<RepositoryHandle>(where, git_repository_init, where.c_str(), 1u);
        Origin origin{session, repository.get(), request.url};
        tip = origin.bring(origin.target_of({}), Depth::recent);
        tags = tags_of(origin.refs());
    }
    // libgit2 reads where a history is cut only when it opens the repository.
    const auto repository = make<RepositoryHandle>(where, git_repository_open_bare, where.c_str());
    auto versions = versions_in(commits_of(repository.get(), tip, std::move(tags)), request.file);
    std::stable_sort(versions.begin(), versions.end(),
                     [](const FileVersion& a, const FileVersion& b) { return a.time > b.time; });
    session.stop_if_requested(request.url);
    return versions;
}

}  // namespace podctl::git
