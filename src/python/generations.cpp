#include "podctl/python/generations.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/trust.hpp"
#include "podctl/python/python.hpp"

#include "environment_mark.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <vector>

namespace podctl::python {

namespace {

namespace fs = std::filesystem;

// As many links in a row as Linux follows.
constexpr int most_links = 40;

fs::path folder_beside(const fs::path& place) {
    return place.parent_path() / fmt::format(".{}.podctl", place.filename().string());
}

bool is_link(const fs::path& path) {
    std::error_code ignored;
    return fs::is_symlink(path, ignored);
}

fs::path target_of(const fs::path& link) {
    std::error_code failed;
    const fs::path target = fs::read_symlink(link, failed);
    if (failed) throw system_error(link.string(), failed.value());
    return (link.parent_path() / target).lexically_normal();
}

fs::path true_place(const fs::path& given) {
    fs::path place = fs::absolute(given).lexically_normal();
    if (!place.has_filename()) place = place.parent_path();
    // Another user's link stands for nothing: it is replaced.
    for (int links = 0; links < most_links && is_link(place) && has_trusted_owner(place); ++links) {
        const fs::path target = target_of(place);
        if (target.parent_path() == folder_beside(place)) break;
        place = target;
    }
    return place;
}

// 0: not the name of a generation.
unsigned number_of(const fs::path& generation) {
    const std::string name = generation.filename();
    unsigned number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    return error == std::errc{} && end == name.data() + name.size() ? number : 0;
}

// Oldest first.
std::vector<fs::path> generations_beside(const fs::path& place) {
    std::vector<fs::path> found;
    std::error_code failed;
    for (fs::directory_iterator at{folder_beside(place), failed}, end; !failed && at != end;
         at.increment(failed)) {
        if (number_of(at->path()) != 0) found.push_back(at->path());
    }
    std::ranges::sort(found, {}, number_of);
    return found;
}

fs::path new_generation(const fs::path& place) {
    const auto there = generations_beside(place);
    const unsigned last = there.empty() ? 0 : number_of(there.back());
    return folder_beside(place) / std::to_string(last + 1);
}

std::optional<fs::path> current_at(const fs::path& place) {
    if (is_link(place)) {
        if (!has_trusted_owner(place)) return std::nullopt;
        const fs::path target = target_of(place);
        return read_mark(target) ? std::optional{target} : std::nullopt;
    }
    return read_mark(place) ? std::optional{place} : std::nullopt;
}

// A link appears at the place by one rename. A folder there cannot be renamed over: it becomes a
// generation first.
void point(const fs::path& place, const fs::path& generation) {
    std::error_code failed;
    if (!is_link(place) && fs::exists(place, failed)) {
        if (read_mark(place)) {
            rename_durably(place, new_generation(place));
        } else if (::rmdir(place.c_str()) != 0) {
            throw system_error(place.string(), errno);
        }
    }
    const fs::path link = folder_beside(place) / "current";
    remove_tree(link);
    const fs::path target = folder_beside(place).filename() / generation.filename();
    const Place where = place_beneath(link, Missing::fail);
    if (!where.folder || ::symlinkat(target.c_str(), where.folder.get(), where.name.c_str()) != 0)
        throw system_error(link.string(), errno);
    rename_durably(link, place);
}

void refuse_what_is_not_ours(const fs::path& place) {
    std::error_code failed;
    // Its owner could exchange what podctl builds there.
    const fs::path beside = folder_beside(place);
    if (fs::exists(fs::symlink_status(beside, failed)) && !has_trusted_owner(beside)) {
        throw Error{ErrorKind::conflict, fmt::format("{} belongs to another user", beside.string()),
                    "move it away, or set python.path to another folder"};
    }
    if (is_link(place) || !fs::exists(place, failed) || read_mark(place)) return;
    if (fs::is_directory(place, failed) && fs::is_empty(place, failed)) {
        struct ::stat there {
        }, above{};
        const bool mount = ::stat(place.c_str(), &there) == 0 &&
                           ::stat(place.parent_path().c_str(), &above) == 0 &&
                           there.st_dev != above.st_dev;
        if (!mount) return;
        throw Error{ErrorKind::conflict,
                    fmt::format("{} is a file system of its own", place.string()),
                    fmt::format("set python.path to a folder inside it: {}",
                                (place / "environment").string())};
    }
    throw Error{ErrorKind::conflict,
                fmt::format("{} is there already and podctl did not make it", place.string()),
                "move it away, or set python.path to another folder"};
}

// What is half removed must not pass for whole, so the mark goes first.
void remove_generation(const fs::path& generation, const std::stop_token& stop) {
    write_mark(generation, {});
    std::vector<fs::path> folders{generation};
    std::error_code failed;
    for (fs::recursive_directory_iterator at{generation, failed}, end; !failed && at != end;
         at.increment(failed)) {
        if (at->is_directory(failed) && !at->is_symlink(failed)) folders.push_back(at->path());
    }
    // The deepest first; the mark's own folder is the last.
    std::ranges::reverse(folders);
    for (const auto& folder : folders) {
        if (stop.stop_requested()) return;
        remove_tree(folder);
    }
}

}  // namespace

std::optional<fs::path> current_generation(const fs::path& place) {
    return current_at(true_place(place));
}

bool is_generation_of(const fs::path& place, const fs::path& folder) {
    return folder.parent_path() == folder_beside(true_place(place)) && number_of(folder) > 0;
}

void remove_abandoned_marks(const fs::path& place) {
    if (const auto current = current_generation(place)) remove_abandoned_mark(*current);
}

fs::path next_generation(const fs::path& given) {
    const fs::path place = true_place(given);
    refuse_what_is_not_ours(place);
    const auto current = current_at(place);
    if (current && !finished_fingerprint(*current)) return *current;
    const auto there = generations_beside(place);
    if (!current) {
        for (const fs::path& generation : there)
            remove_generation(generation, {});
        const fs::path first = new_generation(place);
        create_folders(first);
        write_mark(first, {});
        point(place, first);
        return first;
    }
    // Without its mark it would count as somebody else's.
    const auto begun = std::ranges::find_if(
        there, [](const fs::path& it) { return is_ours(it) && !finished_fingerprint(it); });
    return begun != there.end() ? *begun : new_generation(place);
}

std::optional<fs::path> find_generation(const fs::path& given, const std::string& fingerprint) {
    const fs::path place = true_place(given);
    const auto current = current_at(place);
    for (const fs::path& generation : generations_beside(place)) {
        if (generation != current && finished_fingerprint(generation) == fingerprint)
            return generation;
    }
    return std::nullopt;
}

void swap_in(const fs::path& given, const fs::path& generation) {
    const fs::path place = true_place(given);
    const auto current = current_at(place);
    if (current == generation) return;
    Mark mark = read_mark(generation).value_or(Mark{});
    mark.before.clear();
    if (current && finished_fingerprint(*current)) {
        const auto standing = read_mark(*current);
        // One that is on trial itself is not what to go back to.
        const bool is_folder = *current == place;
        mark.before = !standing->before.empty() ? standing->before
                      : is_folder               ? new_generation(place).filename().string()
                                                : current->filename().string();
    }
    write_mark(generation, mark);
    point(place, generation);
}

void accept_generation(const fs::path& given, std::stop_token stop) {
    const fs::path place = true_place(given);
    const auto current = current_at(place);
    if (!current || *current == place) return;
    Mark mark = read_mark(*current).value_or(Mark{});
    if (!mark.before.empty()) {
        mark.before.clear();
        write_mark(*current, mark);
    }
    for (const fs::path& generation : generations_beside(place)) {
        if (stop.stop_requested()) return;
        if (generation != *current) remove_generation(generation, stop);
    }
}

void remove_environment(const fs::path& given, const std::stop_token& stop) {
    const fs::path place = true_place(given);
    const auto current = current_at(place);
    if (!current) return;
    // The one at the place is the last, so that a stop leaves something that is found again.
    for (const fs::path& generation : generations_beside(place)) {
        if (stop.stop_requested()) return;
        if (generation != *current) remove_generation(generation, stop);
    }
    if (stop.stop_requested()) return;
    remove_generation(*current, stop);
    if (stop.stop_requested()) return;
    if (is_link(place)) remove_tree(place);
    remove_tree(folder_beside(place));
}

std::optional<fs::path> swap_back(const fs::path& given) {
    const fs::path place = true_place(given);
    const auto current = current_at(place);
    if (!current || !finished_fingerprint(*current)) return std::nullopt;
    const std::string before = read_mark(*current)->before;
    if (before.empty() || number_of(before) == 0) return std::nullopt;
    const fs::path generation = folder_beside(place) / before;
    if (!finished_fingerprint(generation)) return std::nullopt;
    point(place, generation);
    return generation;
}

}  // namespace podctl::python
