#include "walk.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/trust.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <deque>

namespace podctl {

namespace {

namespace fs = std::filesystem;

// As many as Linux follows (path_resolution(7)).
constexpr int most_links = 40;

constexpr int folder_flags = O_PATH | O_DIRECTORY | O_CLOEXEC;

}  // namespace

void require_own_link(int link, int folder, const fs::path& shown) {
    struct stat status {};
    if (::fstat(link, &status) != 0) throw system_error("cannot look at " + shown.string(), errno);
    if (!is_trusted_owner(status.st_uid, folder)) {
        throw Error{
            ErrorKind::conflict,
            fmt::format("{} is a link of {}, and is not followed: it leads wherever they say",
                        shown.string(), user_name(status.st_uid)),
            fmt::format("remove it; if it is meant, make it yours: chown -h {} {}", ::geteuid(),
                        shown.string())};
    }
    if (!others_may_replace_in(folder)) {
        const auto reason = judged_link(shown);
        if (reason.empty()) return;
        throw Error{ErrorKind::conflict,
                    fmt::format("{} {}, and is not followed", shown.string(), reason),
                    "if it is meant, put a link of your own in its place"};
    }
    const auto parent = shown.parent_path().string();
    throw Error{ErrorKind::conflict,
                fmt::format("{} is a link of {} in a folder where other users may put another in "
                            "its place, so it is not followed",
                            shown.string(), user_name(status.st_uid)),
                fmt::format("if the link is yours, keep others from replacing it: chmod +t {0}, or "
                            "chmod go-w {0}",
                            parent)};
}

namespace {

std::string target_of(int link, const fs::path& shown) {
    std::array<char, PATH_MAX> target{};
    const auto size = ::readlinkat(link, "", target.data(), target.size());
    if (size < 0) throw system_error("cannot read the link " + shown.string(), errno);
    return {target.data(), static_cast<std::size_t>(size)};
}

class Walk {
public:
    Walk(int start, fs::path shown, Missing missing)
        : here_{::openat(start, ".", folder_flags)}, shown_{std::move(shown)}, missing_{missing} {}

    Fd run(const fs::path& relative) {
        for (const auto& part : relative)
            rest_.push_back(part);
        while (here_ && !rest_.empty()) {
            const std::string part = std::move(rest_.front());
            rest_.pop_front();
            const bool is_of_link = of_links_ > 0;
            if (is_of_link) --of_links_;
            if (part.empty() || part == ".") continue;
            step(part, is_of_link ? Missing::fail : missing_);
        }
        return std::move(here_);
    }

private:
    // Goes on into `part`; here_ is invalid, with errno, when that cannot be.
    void step(const std::string& part, Missing missing) {
        Fd next{::openat(here_.get(), part.c_str(), folder_flags | O_NOFOLLOW)};
        if (!next && errno == ENOENT && missing == Missing::make && part != "..") {
            if (::mkdirat(here_.get(), part.c_str(), 0755) != 0 && errno != EEXIST) return fail();
            next = Fd{::openat(here_.get(), part.c_str(), folder_flags | O_NOFOLLOW)};
        }
        if (!next && errno == ENOTDIR) return follow(part);
        if (!next) return fail();
        here_ = std::move(next);
        shown_ = part == ".." ? shown_.parent_path() : shown_ / part;
    }

    // With O_NOFOLLOW a link is no folder either.
    void follow(const std::string& part) {
        const Fd link{::openat(here_.get(), part.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
        if (!link) return fail();
        struct stat status {};
        if (::fstat(link.get(), &status) != 0) return fail();
        if (!S_ISLNK(status.st_mode)) return fail(ENOTDIR);
        if (++links_ > most_links) return fail(ELOOP);
        require_own_link(link.get(), here_.get(), shown_ / part);
        const fs::path target = target_of(link.get(), shown_ / part);
        if (target.empty()) return fail(ENOENT);
        if (target.is_absolute()) {
            here_ = Fd{::open("/", folder_flags)};
            shown_ = "/";
        }
        const fs::path relative = target.relative_path();
        const auto before = rest_.size();
        rest_.insert(rest_.begin(), relative.begin(), relative.end());
        of_links_ += rest_.size() - before;
    }

    void fail(int error = 0) {
        const int kept = error != 0 ? error : errno;
        here_ = Fd{};
        errno = kept;
    }

    Fd here_;
    fs::path shown_;
    const Missing missing_;
    std::deque<std::string> rest_;
    // How many of rest_'s first parts are of a link's target. They have to be there: what a link
    // leads to may be a volume that is not mounted.
    std::size_t of_links_ = 0;
    int links_ = 0;
};

}  // namespace

Fd open_without_links(int start, const fs::path& relative) {
    open_how how{};
    how.flags = folder_flags;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
    const fs::path path = relative.empty() ? fs::path{"."} : relative;
    return Fd{static_cast<int>(::syscall(SYS_openat2, start, path.c_str(), &how, sizeof how))};
}

Fd walk(int start, const fs::path& shown, const fs::path& relative, Missing missing) {
    return Walk{start, shown, missing}.run(relative);
}

}  // namespace podctl
