#include "output_log.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/printable.hpp"
#include "podctl/base/shorten.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace podctl::run {

namespace {

// Anything else is nothing that podctl wrote.
void remove_regular_file(const std::filesystem::path& path) {
    const Place place = place_beneath(path, Missing::fail);
    struct stat status {};
    const bool is_file =
        place.folder &&
        ::fstatat(place.folder.get(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(status.st_mode);
    if (is_file) ::unlinkat(place.folder.get(), place.name.c_str(), 0);
}

}  // namespace

OutputLog::OutputLog(std::filesystem::path path, Redactor redact)
    : path_(std::move(path)), redact_(std::move(redact)) {
    create_folders(path_.parent_path());
    std::error_code ignored;
    std::filesystem::remove(older(), ignored);
    open();
}

std::filesystem::path OutputLog::older() const {
    return path_.parent_path() / (path_.stem().string() + ".1" + path_.extension().string());
}

void OutputLog::open() {
    // Neither what a link names elsewhere nor a pipe that nobody reads, nor a file that another
    // user holds: it is a new one each time.
    remove_regular_file(path_);
    fd_ = open_beneath(path_, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (!fd_) throw system_error("cannot open " + path_.string(), errno);
    size_ = 0;
}

void OutputLog::add(std::string_view line) {
    std::string text = printable_without_colors(redact_(line));
    if (size_ > 0 && size_ + text.size() >= max_file) {
        rename_durably(path_, older());
        open();
    }
    write_all(fd_.get(), text + "\n", path_);
    size_ += text.size() + 1;
    last_.push_back(shorten_line(text));
    if (last_.size() > 20) last_.pop_front();
}

std::string OutputLog::tail() const {
    std::string text;
    for (const auto& line : last_)
        text += "    " + line + "\n";
    if (!text.empty()) text.pop_back();
    return text;
}

}  // namespace podctl::run
