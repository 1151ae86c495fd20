#include "podctl/comfy/code_copy.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/process_stat.hpp"
#include "podctl/base/thread.hpp"
#include "podctl/git/git.hpp"

#include "code_files.hpp"
#include "code_note.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podctl::comfy {
namespace {

namespace fs = std::filesystem;

// What is waited for is the volume's server, not a processor.
constexpr std::size_t most_threads = 16;

// ComfyUI's folders of data (folder_paths.py), which --base-directory names. A link to one that
// lacks could not be made a folder by whoever wants it.
constexpr std::array<std::string_view, 5> data_folders{"custom_nodes", "input", "models", "output",
                                                       "user"};
// Files of Python's and git's own, and the folder of temporary files, which each start empties.
constexpr std::array<std::string_view, 4> left_out{".git", bytecode_folder,
                                                   "extra_model_paths.yaml", "temp"};

// Where ComfyUI is, for all who ask Python for the place of this module.
constexpr std::string_view module_of_paths = "folder_paths.py";

// The module itself, whatever is read by its place.
std::string stand_in_of(const fs::path& module) {
    return fmt::format(
        "# Made by podctl: this module is the checkout's, and says so.\n"
        "__file__ = {}\n"
        "with open(__file__, 'rb') as _source:\n"
        "    exec(compile(_source.read(), __file__, 'exec'))\n",
        nlohmann::json(module.string()).dump());
}

template <class Names>
bool is_among(const Names& names, const std::string& name) {
    return std::ranges::find(names, name) != names.end();
}

void require_no_stop(const std::stop_token& stop) {
    if (stop.stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
}

// Calls work(i) for each i below `count`, on as many threads as pay.
void for_each_index(std::size_t count, const std::stop_token& stop,
                    const std::function<void(std::size_t)>& work) {
    std::atomic<std::size_t> next = 0;
    on_threads(std::clamp<std::size_t>(count, 1, most_threads), [&](std::size_t) {
        for (auto i = next++; i < count; i = next++) {
            require_no_stop(stop);
            work(i);
        }
    });
}

class CodeSync {
public:
    CodeSync(const CodeCopy& code, const std::stop_token& stop)
        : code_{code}, stop_{stop}, before_{read_code_note(code.copy)} {}

    CodeChanges run() {
        if (before_.names.empty()) remove_tree(code_.copy);
        create_folders(code_.copy);
        find_what_is_at_the_top();
        auto all = now_;
        all.names.merge(std::set{before_.names});
        all.whole = before_.whole;
        if (all != before_) write_code_note(code_.copy, all);
        make_links();
        remove_what_is_gone_from_the_top();
        compare_files_at_the_top();
        write_stand_in();
        for (auto level = folders_; !level.empty();)
            level = compare_folders(level);
        for_each_index(to_copy_.size(), stop_, [&](std::size_t i) {
            copy_with_time(code_.checkout / to_copy_[i], code_.copy / to_copy_[i]);
        });
        now_.whole = true;
        if (now_ != all) write_code_note(code_.copy, now_);
        return {.copied = to_copy_.size(), .removed = removed_};
    }

private:
    // A hidden one is of git and of those who write ComfyUI: no code of Python's.
    bool is_code(const std::string& name) const {
        if (name == module_of_paths) return false;
        return tracked_.contains(name) && name.front() != '.' && !is_among(data_folders, name);
    }

    void find_what_is_at_the_top() {
        tracked_ = git::tracked_at_top(code_.checkout);
        at_top_ = entries_of(code_.checkout);
        now_.boot = before_.boot;
        for (const auto& [name, status] : at_top_) {
            if (is_among(left_out, name) || !can_be_noted(name)) continue;
            now_.names.insert(name);
            if (is_code(name) && S_ISDIR(status.st_mode)) folders_.emplace_back(name);
        }
        if (at_top_.contains(std::string{bytecode_folder})) folders_.emplace_back(bytecode_folder);
        for (const auto& name : data_folders)
            now_.names.emplace(name);
    }

    void write_stand_in() {
        if (!at_top_.contains(std::string{module_of_paths})) return;
        const auto stand_in = code_.copy / module_of_paths;
        const auto text = stand_in_of(code_.checkout / module_of_paths);
        if (read_file_if_exists(stand_in) != text) write_file_atomically(stand_in, text);
    }

    void make_links() {
        for (const auto& name : data_folders) {
            create_folders(code_.base / name);
            make_link(code_.copy / name, code_.base / name);
        }
        std::erase_if(now_.names, [&](const std::string& name) {
            if (is_code(name) || is_among(data_folders, name) || name == module_of_paths)
                return false;
            const fs::path link = code_.copy / name;
            // What a pack has made there is its own.
            std::error_code ignored;
            if (!before_.names.contains(name) && fs::exists(fs::symlink_status(link, ignored)))
                return true;
            make_link(link, code_.checkout / name);
            return false;
        });
    }

    void remove_what_is_gone_from_the_top() {
        for (const auto& name : before_.names)
            if (!now_.names.contains(name)) remove(code_.copy / name);
    }

    void remove(const fs::path& path) {
        remove_tree(path);
        const std::scoped_lock lock{mutex_};
        ++removed_;
    }

    void copy_later(const fs::path& relative) {
        const std::scoped_lock lock{mutex_};
        to_copy_.push_back(relative);
    }

    void compare_files_at_the_top() {
        const auto there = entries_of(code_.copy);
        for (const auto& [name, status] : at_top_)
            if (now_.names.contains(name) && is_code(name) && !S_ISDIR(status.st_mode))
                compare_file(name, status, there);
    }

    void compare_file(const fs::path& relative, const struct stat& status,
                      const std::map<std::string, struct stat>& there) {
        // A link of the checkout's may be relative to where it lies.
        if (!S_ISREG(status.st_mode)) {
            make_link(code_.copy / relative, code_.checkout / relative);
            return;
        }
        const auto copy = there.find(relative.filename().string());
        if (copy != there.end() && S_ISREG(copy->second.st_mode)) {
            const bool is_bytecode = is_bytecode_folder(relative.parent_path());
            if (is_bytecode ? !is_newer(status, copy->second) : is_same_file(status, copy->second))
                return;
        }
        copy_later(relative);
    }

    // Returns the folders in these.
    std::vector<fs::path> compare_folders(const std::vector<fs::path>& folders) {
        std::vector<fs::path> inner;
        for_each_index(folders.size(), stop_, [&](std::size_t i) {
            auto found = compare_folder(folders[i]);
            const std::scoped_lock lock{mutex_};
            std::ranges::move(found, std::back_inserter(inner));
        });
        return inner;
    }

    std::vector<fs::path> compare_folder(const fs::path& relative) {
        const fs::path copy = code_.copy / relative;
        std::error_code ignored;
        if (!fs::is_directory(fs::symlink_status(copy, ignored))) {
            remove_tree(copy);
            create_folders(copy);
        }
        const auto wanted = entries_of(code_.checkout / relative);
        const auto there = entries_of(copy);
        for (const auto& entry : there) {
            const bool is_of_python =
                is_bytecode_folder(relative) || is_bytecode_folder(entry.first);
            if (!wanted.contains(entry.first) && !is_of_python) remove(copy / entry.first);
        }
        std::vector<fs::path> inner;
        for (const auto& [name, status] : wanted) {
            if (S_ISDIR(status.st_mode))
                inner.push_back(relative / name);
            else
                compare_file(relative / name, status, there);
        }
        return inner;
    }

    const CodeCopy& code_;
    const std::stop_token& stop_;
    const CodeNote before_;
    CodeNote now_;
    std::set<std::string> tracked_;
    std::map<std::string, struct stat> at_top_;  // of the checkout
    std::vector<fs::path> folders_;              // of code, at the top
    std::mutex mutex_;                           // of what is below
    std::vector<fs::path> to_copy_;
    std::size_t removed_ = 0;
};

// Appears whole, as Python has it: other pods may import it at the same time, or bring their own.
void place_bytecode(const fs::path& from, const fs::path& to) {
    const fs::path partial =
        fmt::format("{}.{}-{}", to.string(), safe_file_name(host_name()), ::getpid());
    copy_with_time(from, partial);
    std::error_code failed;
    fs::rename(partial, to, failed);
    if (failed) throw system_error("cannot replace " + to.string(), failed.value());
}

// Of one folder of code; returns the folders in it.
std::vector<fs::path> keep_bytecode_of(const CodeCopy& code, const fs::path& relative,
                                       const std::stop_token& stop) {
    std::vector<fs::path> inner;
    for (const auto& [name, status] : entries_of(code.copy / relative))
        if (S_ISDIR(status.st_mode) && !is_bytecode_folder(name)) inner.push_back(relative / name);
    const fs::path folder = relative / bytecode_folder;
    const auto made = entries_of(code.copy / folder);
    if (made.empty()) return inner;
    create_folders(code.checkout / folder);
    const auto kept = entries_of(code.checkout / folder);
    for (const auto& [name, status] : made) {
        require_no_stop(stop);
        const auto there = kept.find(name);
        if (S_ISREG(status.st_mode) && (there == kept.end() || is_newer(status, there->second)))
            place_bytecode(code.copy / folder / name, code.checkout / folder / name);
    }
    return inner;
}

}  // namespace

CodeChanges sync_code(const CodeCopy& code, const std::stop_token& stop) {
    return CodeSync{code, stop}.run();
}

bool has_code(const CodeCopy& code) {
    return read_code_note(code.copy).whole;
}

void keep_bytecode(const CodeCopy& code, const std::stop_token& stop) {
    std::vector<fs::path> folders{""};
    while (!folders.empty()) {
        const auto relative = std::move(folders.back());
        folders.pop_back();
        // What the checkout has no more, or what a pack has made in the copy, has no place there.
        std::error_code ignored;
        if (!fs::is_directory(code.checkout / relative, ignored)) continue;
        std::ranges::move(keep_bytecode_of(code, relative, stop), std::back_inserter(folders));
    }
}

}  // namespace podctl::comfy
