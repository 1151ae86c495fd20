#include "snapshot_tree.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/shorten.hpp"

#include "environment_mark.hpp"
#include "wheel_record.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace podctl::python {

namespace {

namespace fs = std::filesystem;

bool is_torchs(const std::string& distribution) {
    constexpr std::array<std::string_view, 6> names{"torch",  "torchvision",    "torchaudio",
                                                    "triton", "pytorch-triton", "xformers"};
    return std::ranges::find(names, distribution) != names.end() ||
           distribution.starts_with("nvidia-") || distribution.starts_with("cuda-");
}

// Which files are torch's, by their names below the environment.
class TorchFiles {
public:
    TorchFiles(const fs::path& environment, const std::string& platform) {
        bool has_torch = false;
        std::map<std::string, std::string> identities;
        for (const fs::path& site : site_packages_of(environment)) {
            std::error_code failed;
            for (fs::directory_iterator at{site, failed}, end; !failed && at != end;
                 at.increment(failed)) {
                const auto distribution = distribution_at(at->path());
                if (!distribution || !is_torchs(distribution->name)) continue;
                has_torch |= distribution->name == "torch";
                const auto record = read_file_if_exists(distribution->metadata / "RECORD");
                take_record(environment, site, record.value_or(""));
                metadata_.push_back(at->path().lexically_relative(environment).string() + "/");
                identities[metadata_.back()] = sha256_hex(record.value_or(""));
            }
        }
        if (!has_torch) return;
        std::string text = platform + "\n";
        for (const auto& [metadata, record] : identities)
            text.append(metadata).append(" ").append(record).append("\n");
        identity_ = sha256_hex(text);
    }

    const std::string& identity() const { return identity_; }

    bool contain(const std::string& name) const {
        if (identity_.empty()) return false;
        if (names_.contains(name)) return true;
        if (const auto source = source_of(name); source && names_.contains(*source)) return true;
        return std::ranges::any_of(metadata_,
                                   [&](const auto& folder) { return name.starts_with(folder); });
    }

private:
    // Of what lies in site-packages: programs name the environment's path, and stay with the rest,
    // so that the part is good at any path. (Bytecode tells its path, too; Python puts it right
    // when it loads it.)
    void take_record(const fs::path& environment, const fs::path& site, const std::string& record) {
        for (const std::string& whole : split(record, '\n')) {
            std::string_view line = trim(whole);
            const fs::path path = site / take_record_field(line);
            if (!line.empty() && is_inside(path, site))
                names_.insert(path.lexically_normal().lexically_relative(environment).string());
        }
    }

    // a/__pycache__/b.cpython-311.pyc is of a/b.py.
    static std::optional<std::string> source_of(const std::string& name) {
        constexpr std::string_view cache = "__pycache__/";
        const auto slash = name.rfind('/');
        if (slash == name.npos || !name.ends_with(".pyc")) return std::nullopt;
        const std::string_view folder = std::string_view{name}.substr(0, slash + 1);
        if (!folder.ends_with(cache)) return std::nullopt;
        const std::string file = name.substr(slash + 1);
        return std::string{folder.substr(0, folder.size() - cache.size())} +
               file.substr(0, file.find('.')) + ".py";
    }

    std::unordered_set<std::string> names_;
    std::vector<std::string> metadata_;  // folders, with a slash at their end
    std::string identity_;
};

struct CloseListing {
    void operator()(DIR* listing) const { ::closedir(listing); }
};

// The kind of what stands there itself; nullopt: it is not packed, or gone.
std::optional<MemberKind> kind_of(int folder, const dirent& entry) {
    unsigned char type = entry.d_type;
    if (type == DT_UNKNOWN) {
        struct stat status {};
        if (::fstatat(folder, entry.d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
        type = static_cast<unsigned char>(IFTODT(status.st_mode));
    }
    if (type == DT_DIR) return MemberKind::folder;
    if (type == DT_LNK) return MemberKind::link;
    if (type == DT_REG) return MemberKind::file;
    return std::nullopt;
}

class TreeWalk {
public:
    TreeWalk(const fs::path& environment, const std::string& platform, const std::stop_token& stop)
        : environment_(environment), torch_(environment, platform), stop_(stop) {}

    EnvironmentTree run() {
        list(AT_FDCWD, environment_, "", 0);
        tree_.torch_identity = torch_.identity();
        return std::move(tree_);
    }

private:
    void list(int parent, const std::string& name, const std::string& prefix, std::size_t depth) {
        if (stop_.stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
        if (depth > deepest_member)
            throw Error{ErrorKind::conflict,
                        fmt::format("{}: folders are nested too deeply to be packed",
                                    shorten_middle((environment_ / prefix).string())),
                        "remove what is no part of the environment"};
        Fd folder{::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
        if (!folder && depth > 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) return;
        const std::unique_ptr<DIR, CloseListing> listing{folder ? ::fdopendir(folder.get())
                                                                : nullptr};
        if (!listing) throw system_error("cannot read " + (environment_ / prefix).string(), errno);
        const int opened = folder.release();
        for (const auto& [found, kind] : members(listing.get(), opened, depth)) {
            const std::string whole = prefix + found;
            const bool is_torchs = kind != MemberKind::folder && torch_.contain(whole);
            (is_torchs ? tree_.torch : tree_.rest).push_back({whole, kind});
            if (kind == MemberKind::folder) list(opened, found, whole + "/", depth + 1);
        }
    }

    // In the order of their names, so that the same environment gives the same archive.
    static std::map<std::string, MemberKind> members(DIR* listing, int opened, std::size_t depth) {
        std::map<std::string, MemberKind> found;
        while (const dirent* entry = ::readdir(listing)) {
            const std::string_view name = entry->d_name;
            if (name == "." || name == ".." || (depth == 0 && is_of_mark(name))) continue;
            if (const auto kind = kind_of(opened, *entry)) found.emplace(name, *kind);
        }
        return found;
    }

    const fs::path& environment_;
    const TorchFiles torch_;
    const std::stop_token& stop_;
    EnvironmentTree tree_;
};

}  // namespace

EnvironmentTree read_environment_tree(const fs::path& environment, const std::string& platform,
                                      const std::stop_token& stop) {
    return TreeWalk{environment, platform, stop}.run();
}

}  // namespace podctl::python
