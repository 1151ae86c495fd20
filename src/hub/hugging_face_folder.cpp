// The hub's tree endpoint as huggingface_hub's hf_api.py (list_repo_tree, repo_info) uses it.
#include "podctl/base/digest.hpp"
#include "podctl/base/json.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/shorten.hpp"
#include "podctl/http/http_message.hpp"
#include "podctl/http/url_rules.hpp"
#include "podctl/hub/folder.hpp"
#include "podctl/hub/hub_errors.hpp"

#include "hubs.hpp"
#include "hugging_face_tree.hpp"

#include <fmt/core.h>
#include <fnmatch.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

namespace podctl::hub {
namespace {

// More than any model has; a data set is no model.
constexpr std::size_t most_files_of_folder = 20'000;

constexpr int most_pages = 200;
constexpr std::size_t entries_of_full_page = 1'000;
constexpr std::size_t longest_path = 1'024;
constexpr std::ptrdiff_t deepest_path = 32;
constexpr std::uint64_t largest_file = std::uint64_t{1} << 50;

// A page has a thousand entries of some hundred bytes.
constexpr std::size_t largest_page = 16u << 20;

std::string api_url(const HuggingFaceSource& source) {
    const auto kind = kind_prefix(source.kind);
    return fmt::format("{}/api/{}{}", hugging_face_root(source), kind.empty() ? "models/" : kind,
                       source.repository);
}

Error nonsense(const std::string& what, const std::string& why) {
    return {
        ErrorKind::integrity, fmt::format("{}: the hub's answer makes no sense: {}", what, why),
        "a mirror or a proxy may have changed it: name the files one by one, or another mirror"};
}

http::Response ask_api(const std::string& mirrored, const std::string& url, const std::string& what,
                       const Asking& asking) {
    auto response = http::send_with_retry(asking.http, {.url = mirrored, .max_body = largest_page},
                                          asking.retry, asking.stop);
    if (response.status != 200) throw refusal(response, url, what);
    return response;
}

nlohmann::json answer_of(std::string_view body, const std::string& what) {
    auto answer = parse_json(body, {.bytes = largest_page});
    if (!answer) throw nonsense(what, json_fault(body, {.bytes = largest_page}));
    return std::move(*answer);
}

std::string text_of(const nlohmann::json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::string commit_of(const HuggingFaceSource& source, const std::string& what,
                      const Asking& asking) {
    const std::string url =
        fmt::format("{}/revision/{}", api_url(source), percent_encode(source.revision));
    const auto response = ask_api(asking.mirrors.apply(url), url, what, asking);
    const std::string commit = text_of(answer_of(response.body, what), "sha");
    if (!is_git_id(commit)) throw nonsense(what, "it names no commit");
    return commit;
}

// The target of the link of that header whose relation is "next" (RFC 8288); empty: there is none.
std::string next_link(std::string_view header) {
    while (header.find('<') != header.npos) {
        header.remove_prefix(header.find('<') + 1);
        const auto end = header.find('>');
        if (end == header.npos) return {};
        const auto target = header.substr(0, end);
        header.remove_prefix(end + 1);
        const auto parameters = header.substr(0, header.find('<'));
        for (const auto* next : {"rel=\"next\"", "rel=next"})
            if (parameters.find(next) != parameters.npos) return std::string{target};
    }
    return {};
}

// Link: <https://…?cursor=…>; rel="next". It must stay where the first page came from:
// the token goes there.
std::optional<std::string> next_page(const http::Response& response, const std::string& asked,
                                     const std::string& what, const Mirrors& mirrors) {
    const std::string target_text = next_link(response.header("link").value_or(""));
    if (target_text.empty()) return std::nullopt;
    const auto base = http::checked_url(asked);
    const auto target = resolve_reference(base, target_text);
    const auto mirrored = target ? parse_url(mirrors.apply(target->to_string())) : std::nullopt;
    if (!mirrored || mirrored->origin() != base.origin())
        throw nonsense(what, "its next page is at another host");
    return mirrored->to_string();
}

bool begins_with_dot(const std::string& path) {
    return path.starts_with('.') || path.find("/.") != path.npos;
}

bool is_possible(const std::string& path) {
    return std::ranges::all_of(split(path, '/'), [](const std::string& part) {
        return !part.empty() && part == safe_file_name(part);
    });
}

void require_no_file_in_a_file(const Folder& folder, const std::string& what) {
    const auto is_file = [&](const std::string& path) {
        return std::ranges::binary_search(folder.files, path, {}, &FolderFile::path);
    };
    for (const auto& [path, file] : folder.files)
        for (auto slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1))
            if (is_file(path.substr(0, slash))) throw nonsense(what, "a file is in a file");
}

// Within the folder of the source. nullopt: no file, or one that is passed over.
std::optional<std::string> path_within(const nlohmann::json& entry, const HuggingFaceSource& source,
                                       const std::string& what) {
    if (text_of(entry, "type") != "file") return std::nullopt;
    std::string path = text_of(entry, "path");
    const std::string prefix = source.path.empty() ? "" : source.path + "/";
    if (!path.starts_with(prefix)) throw nonsense(what, "it lists a file of another folder");
    path.erase(0, prefix.size());
    if (path.empty()) throw nonsense(what, "a file without a path");
    if (begins_with_dot(path)) return std::nullopt;
    // Wanted or not: what is kept of a listing, and compared with globs, has bounds.
    if (path.size() > longest_path || std::ranges::count(path, '/') >= deepest_path)
        throw nonsense(what, "a file's path is too long");
    return path;
}

FolderFile file_of(const nlohmann::json& entry, const std::string& path,
                   const HuggingFaceSource& source, const std::string& commit,
                   const std::string& what) {
    const auto size = entry.find("size");
    if (size == entry.end() || !size->is_number_unsigned())
        throw nonsense(what, "a file without a size");
    if (size->get<std::uint64_t>() > largest_file) throw nonsense(what, "a file of absurd size");
    const std::string oid = to_lower(text_of(entry, "oid"));
    const auto lfs = entry.find("lfs");
    const std::string sha256 = lfs == entry.end() ? "" : to_lower(text_of(*lfs, "oid"));
    return folder_file(source, commit, path, size->get<std::uint64_t>(),
                       is_sha256(sha256) ? sha256 : "",
                       lfs == entry.end() && is_git_id(oid) ? oid : "");
}

HuggingFaceSource file_in(const HuggingFaceSource& folder, const std::string& path) {
    HuggingFaceSource file = folder;
    file.is_folder = false;
    file.path = folder.path.empty() ? path : folder.path + "/" + path;
    return file;
}

bool matches_one_of(const std::string& path, const std::vector<std::string>& globs) {
    return std::ranges::any_of(globs, [&](const std::string& glob) {
        const std::string whole = glob.ends_with('/') ? glob + "*" : glob;
        return ::fnmatch(whole.c_str(), path.c_str(), FNM_NOESCAPE) == 0;
    });
}

}  // namespace

bool is_folder(const Source& source) {
    const auto* hub = std::get_if<HuggingFaceSource>(&source.location);
    return hub && hub->is_folder;
}

FolderFile folder_file(const HuggingFaceSource& folder, const std::string& revision,
                       const std::string& path, std::uint64_t size, const std::string& sha256,
                       const std::string& git_blob) {
    return {.path = path,
            .file = {.url = hugging_face_url(file_in(folder, path), revision),
                     .name = path.substr(path.rfind('/') + 1),
                     .size = size,
                     .approximate_size = size,
                     .sha256 = sha256,
                     .git_blob = sha256.empty() ? git_blob : "",
                     .revision = revision}};
}

Source source_of_file(const HuggingFaceSource& folder, const FolderFile& file) {
    auto one = file_in(folder, file.path);
    one.revision = file.file.revision;
    std::string text =
        fmt::format("hf:{}{}@{}/{}", kind_prefix(one.kind), one.repository, one.revision, one.path);
    return {.text = std::move(text), .location = std::move(one)};
}

std::size_t read_tree_page(const HuggingFaceSource& source, std::string_view page,
                           const std::string& what, Folder& folder) {
    const nlohmann::json entries = answer_of(page, what);
    if (!entries.is_array()) throw nonsense(what, "no list of files");
    for (const auto& entry : entries) {
        auto path = path_within(entry, source, what);
        if (!path) continue;
        if (is_possible(*path))
            folder.files.push_back(file_of(entry, *path, source, folder.revision, what));
        else
            folder.impossible.push_back(std::move(*path));
    }
    return entries.size();
}

void finish_tree(const std::string& what, Folder& folder) {
    std::ranges::sort(folder.impossible);
    std::ranges::sort(folder.files, {}, &FolderFile::path);
    const auto twice = std::ranges::adjacent_find(folder.files, {}, &FolderFile::path);
    if (twice != folder.files.end()) throw nonsense(what, "it lists a file twice");
    require_no_file_in_a_file(folder, what);
}

Folder list_folder(const Source& source, http::Client& http, const Mirrors& mirrors,
                   const http::RetryPolicy& retry, std::stop_token stop) {
    const auto& hub = std::get<HuggingFaceSource>(source.location);
    const Asking asking{http, mirrors, retry, std::move(stop)};
    Folder folder{.revision = commit_of(hub, source.text, asking)};
    const std::string below = hub.path.empty() ? "" : "/" + percent_encode(hub.path, "/");
    const std::string url =
        fmt::format("{}/tree/{}{}?recursive=true", api_url(hub), folder.revision, below);
    std::optional<std::string> page = mirrors.apply(url);
    for (int pages = 0; page; ++pages) {
        if (pages == most_pages) throw nonsense(source.text, "it has pages without end");
        const auto response = ask_api(*page, url, source.text, asking);
        const auto entries = read_tree_page(hub, response.body, source.text, folder);
        if (folder.files.size() + folder.impossible.size() > most_files_of_folder)
            throw Error{
                ErrorKind::template_,
                fmt::format("{}: has more than {} files", source.text, most_files_of_folder),
                "name a folder of it"};
        page = next_page(response, *page, source.text, mirrors);
        if (!page && entries >= entries_of_full_page)
            throw nonsense(source.text, "a full page is its last one");
    }
    finish_tree(source.text, folder);
    return folder;
}

bool is_chosen(const std::string& path, const Globs& globs) {
    if (!globs.include.empty() && !matches_one_of(path, globs.include)) return false;
    return !matches_one_of(path, globs.exclude);
}

Folder chosen_of(const Folder& all, const Globs& globs) {
    Folder chosen{.revision = all.revision};
    std::ranges::copy_if(all.files, std::back_inserter(chosen.files),
                         [&](const FolderFile& file) { return is_chosen(file.path, globs); });
    std::ranges::copy_if(all.impossible, std::back_inserter(chosen.impossible),
                         [&](const std::string& path) { return is_chosen(path, globs); });
    return chosen;
}

std::optional<Error> impossible_in(const Folder& chosen, const std::string& what,
                                   std::string_view the_word) {
    if (chosen.impossible.empty()) return std::nullopt;
    std::vector<std::string> shown;
    std::ranges::transform(chosen.impossible, std::back_inserter(shown),
                           [](const std::string& path) { return shorten_middle(path); });
    return Error{
        ErrorKind::integrity,
        fmt::format("{}: has {}, which no file here can be called", what, list_first(shown, 3)),
        fmt::format("{} leaves {} out", the_word, shown.size() == 1 ? "it" : "them")};
}

}  // namespace podctl::hub
