#include "podctl/fetch/download.hpp"

#include "podctl/base/error.hpp"

#include "control_file.hpp"
#include "http_rules.hpp"
#include "partial_file.hpp"
#include "transfer.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace podctl::fetch {
namespace {

constexpr std::size_t copy_block = 1 << 20;

struct LocalFile {
    Fd fd;
    std::uint64_t size = 0;
};

LocalFile open_local(const std::filesystem::path& path) {
    if (path.native().find('\0') != std::string::npos)
        throw Error{ErrorKind::not_found, "a file:// URL with a zero byte", "check the URL"};
    // O_NONBLOCK: a FIFO must not hang here.
    LocalFile file{.fd = Fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)}};
    if (!file.fd && (errno == ENOENT || errno == ENOTDIR))
        throw Error{ErrorKind::not_found, fmt::format("{}: no such file", path.string()),
                    "check the file:// URL"};
    struct stat status {};
    if (!file.fd || ::fstat(file.fd.get(), &status) != 0)
        throw system_error(fmt::format("opening {}", path.string()), errno);
    if (!S_ISREG(status.st_mode))
        throw Error{ErrorKind::not_found, fmt::format("{}: not a regular file", path.string()),
                    "check the file:// URL"};
    file.size = static_cast<std::uint64_t>(status.st_size);
    return file;
}

void copy_bytes(const LocalFile& from, PartialFile& to, const std::filesystem::path& path,
                const DownloadMonitor& monitor, std::stop_token stop) {
    std::vector<char> buffer(copy_block);
    while (true) {
        if (stop.stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
        const auto got = ::read(from.fd.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw system_error(fmt::format("reading {}", path.string()), errno);
        if (got == 0) return;
        to.append(buffer.data(), static_cast<std::size_t>(got));
        if (monitor.on_progress) monitor.on_progress({.done = to.size(), .total = from.size});
    }
}

Downloaded copy_local(const DownloadRequest& request, const std::filesystem::path& path,
                      const DownloadMonitor& monitor, std::stop_token stop) {
    const auto from = open_local(path);
    PartialFile to(request.partial);
    if (to.is_same_file(from.fd.get()))
        throw Error{ErrorKind::conflict, fmt::format("{}: is its own copy", path.string()),
                    "name another file"};
    to.restart();
    to.reserve(from.size);
    copy_bytes(from, to, path, monitor, stop);
    Downloaded copied{.size = to.size()};
    copied.sha256 = to.finish();
    remove_control(request.partial);
    try {
        check_bytes(request, copied.sha256, copied.size);
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::integrity) ::unlink(request.partial.c_str());
        throw;
    }
    return copied;
}

}  // namespace

Downloaded download(const DownloadRequest& request, HttpClient& http, const Mirrors& mirrors,
                    const DownloadMonitor& monitor, std::stop_token stop) {
    const std::string mirrored = mirrors.apply(request.url);
    const auto url = parse_url(mirrored);
    DownloadRequest named = request;
    if (named.name.empty() && url) named.name = url->file_name();
    if (named.name.empty()) named.name = shown(request.url);
    if (url && url->scheme == "file")
        return copy_local(named, percent_decode(url->path), monitor, stop);
    return Transfer(named, http, mirrored, monitor, stop).run();
}

}  // namespace podctl::fetch
