#include "podctl/download/download.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/http/url_rules.hpp"

#include "control_file.hpp"
#include "partial_file.hpp"
#include "partial_lease.hpp"
#include "transfer.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace podctl::download {
namespace {

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

std::uint64_t copy_bytes(const LocalFile& from, PartialFile& to, BlockPool& pool,
                         const std::filesystem::path& path, const DownloadMonitor& monitor,
                         const std::stop_token& stop) {
    std::uint64_t at = 0;
    while (true) {
        if (stop.stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
        Block block = pool.take();
        const std::size_t size = read_at(from.fd.get(), at, {block.data(), block.capacity()}, path);
        if (size == 0) return at;
        to.write(std::move(block), at, size);
        at += size;
        to.check();
        if (monitor.on_progress) monitor.on_progress({.done = at, .total = from.size});
    }
}

Downloaded copy_local(const DownloadRequest& request, const std::filesystem::path& path,
                      TransferShare& share, const DownloadMonitor& monitor,
                      const std::stop_token& stop) {
    const auto from = open_local(path);
    if (monitor.is_wanted && !monitor.is_wanted({.size = from.size})) return {.declined = true};
    PartialFile to(request.partial, share.blocks, stop);
    if (to.is_same_file(from.fd.get()))
        throw Error{ErrorKind::conflict, fmt::format("{}: is its own copy", path.string()),
                    "name another file"};
    to.restart();
    to.reserve(from.size);
    if (share.cache->take(to.identity(), from.size)) to.keep_in_cache();
    Downloaded copied;
    copied.size = copy_bytes(from, to, share.blocks, path, monitor, stop);
    copied.sha256 = to.finish(copied.size, stop);
    copied.file = to.identity();
    try {
        check_bytes(request, copied.sha256, copied.size);
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::integrity) remove_tree(request.partial);
        throw;
    }
    return copied;
}

}  // namespace

Downloader::Downloader(http::Client& http, Mirrors mirrors, std::shared_ptr<CacheRoom> cache)
    : http_(http),
      mirrors_(std::move(mirrors)),
      share_(std::make_unique<TransferShare>(http.options().connections, std::move(cache))) {}

Downloader::~Downloader() = default;

Downloaded Downloader::download(const DownloadRequest& request, const DownloadMonitor& monitor,
                                std::stop_token stop) {
    const std::string mirrored = mirrors_.apply(request.url);
    const auto url = parse_url(mirrored);
    DownloadRequest named = request;
    if (named.name.empty() && url) named.name = url->file_name();
    if (named.name.empty()) named.name = http::shown(request.url);
    if (url && url->scheme == "file")
        return copy_local(named, percent_decode(url->path), *share_, monitor, stop);
    return Transfer(named, {http_, *share_}, mirrored, monitor, stop).run();
}

std::uint64_t bytes_present(const std::filesystem::path& partial) {
    const auto stamp = file_stamp(partial);
    if (!stamp) return 0;
    if (const auto known = ControlFile::load(partial)) return known->have.size();
    return stamp->size;
}

void forget(const std::filesystem::path& partial) {
    if (file_stamp(partial)) return;
    ControlFile::remove(partial);
    remove_partial_lease(partial);
}

void discard(const std::filesystem::path& partial) {
    remove_tree(partial);
    ControlFile::remove(partial);
    remove_partial_lease(partial);
}

}  // namespace podctl::download
