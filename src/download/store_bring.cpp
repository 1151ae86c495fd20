#include "podctl/base/error.hpp"
#include "podctl/download/inert.hpp"
#include "podctl/download/store.hpp"

namespace podctl::download {
namespace {

std::optional<StoredFile> find_in(const Store& store, const StoreRequest& request,
                                  const std::stop_token& stop) {
    auto found = store.find(request.download.sha256, request.trust, stop);
    if (!found.fault.empty() && request.on_notice) request.on_notice(found.fault);
    if (!found.file) return std::nullopt;
    // Whoever brought it may have had other names and words for it.
    const auto file = store.path_of(found.file->sha256);
    if (request.download.check_format) check_model_format(file, request.place.filename().string());
    refuse_by_content(file, request.place, request.admission, stop);
    return found.file;
}

}  // namespace

std::optional<StoreResult> bring_into_store(const Store& store, const StoreRequest& request,
                                            Downloader& downloader, const DownloadMonitor& monitor,
                                            const std::stop_token& stop) {
    if (auto file = find_in(store, request, stop)) return StoreResult{.file = *file};
    if (!store.is_writable()) return std::nullopt;
    const auto& sha256 = request.download.sha256;
    if (request.before_download) request.before_download();
    const auto turn = store.turn(sha256, request.on_wait, stop);
    if (auto file = find_in(store, request, stop)) return StoreResult{.file = *file};
    auto wanted = request.download;
    wanted.partial = store.partial_of(sha256);
    const auto done = downloader.download(wanted, monitor, stop);
    refuse_partial_by_content(wanted.partial, request.place, request.admission, stop);
    const auto file = store.take({.path = wanted.partial,
                                  .sha256 = done.sha256,
                                  .identity = done.file,
                                  .name = request.place.filename().string()},
                                 stop);
    forget(wanted.partial);
    return StoreResult{.file = file, .received = done.received};
}

}  // namespace podctl::download
