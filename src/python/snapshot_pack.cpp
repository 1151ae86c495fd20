#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/utf8.hpp"
#include "podctl/python/python.hpp"
#include "podctl/python/snapshot.hpp"

#include "snapshot_archive.hpp"
#include "snapshot_manifest.hpp"
#include "snapshot_part_file.hpp"
#include "snapshot_tree.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

namespace podctl::python {

namespace {

namespace fs = std::filesystem;

// torch is 5 GB of machine code, which packs hardly better at a higher level.
constexpr int level_of_rest = 3, level_of_torch = 1;

void require_finished(const PackRequest& request, std::string_view when) {
    if (finished_fingerprint(request.generation) == request.fingerprint) return;
    throw Error{ErrorKind::conflict,
                fmt::format("{} {}: no snapshot of it is kept", request.generation.string(), when),
                "the next `podctl up` takes one"};
}

class Packing {
public:
    Packing(const PackRequest& request, std::stop_token stop)
        : request_(request), together_(std::move(stop)) {}

    Snapshot run() {
        require_finished(request_, "is not the finished environment that was asked for");
        if (!utf8::is_valid(request_.note + request_.platform + request_.fingerprint))
            throw Error{ErrorKind::internal, "a snapshot's note is no UTF-8"};
        create_folders(request_.folder);
        const auto tree =
            read_environment_tree(request_.generation, request_.platform, together_.token());
        Snapshot snapshot{.key = {},
                          .fingerprint = request_.fingerprint,
                          .generation = request_.generation,
                          .platform = request_.platform,
                          .note = request_.note};
        snapshot.key = snapshot_key(snapshot);
        snapshot.parts.push_back(pack(tree.rest, level_of_rest, ""));
        if (!tree.torch_identity.empty()) snapshot.parts.push_back(torch_part(tree));
        require_finished(request_, "was changed while it was packed");
        publish(snapshot);
        return snapshot;
    }

private:
    struct Written {
        Snapshot::Part part;
        std::unique_ptr<PartWriter> file;
    };

    Snapshot::Part pack(const std::vector<TreeMember>& members, int level,
                        const std::string& shared_by) {
        auto file = std::make_unique<PartWriter>(request_.folder, together_);
        Snapshot::Part part{.sha256 = {}, .shared_by = shared_by};
        {
            const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
            ArchiveWriter archive{*file, together_, level,
                                  request_.threads ? request_.threads : cores};
            archive.add(request_.generation, members);
            archive.finish(part);
        }
        file->finish(part);
        written_.push_back({part, std::move(file)});
        return part;
    }

    Snapshot::Part torch_part(const EnvironmentTree& tree) {
        if (auto standing = standing_part(tree.torch_identity)) return *standing;
        return pack(tree.torch, level_of_torch, tree.torch_identity);
    }

    std::optional<Snapshot::Part> standing_part(const std::string& identity) const {
        for (const Snapshot& other : find_snapshots(request_.folder)) {
            for (const auto& part : other.parts)
                if (part.shared_by == identity && touch(part)) return part;
        }
        return std::nullopt;
    }

    // What was touched just now is not pruned by another pod, whose last manifest may have named
    // it. False: it is not there as its manifest says.
    bool touch(const Snapshot::Part& part) const {
        const fs::path path = request_.folder / part.file();
        const Fd file = open_beneath(path, O_WRONLY | O_NONBLOCK);
        struct stat status {};
        return file && ::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) &&
               static_cast<std::uint64_t>(status.st_size) == part.packed &&
               ::futimens(file.get(), nullptr) == 0;
    }

    void publish(Snapshot& snapshot) {
        for (const auto& [part, file] : written_)
            file->publish(part);
        snapshot.made =
            std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
        write_manifest(request_.folder, snapshot);
    }

    const PackRequest& request_;
    Together together_;
    std::vector<Written> written_;
};

}  // namespace

Snapshot pack_environment(const PackRequest& request, std::stop_token stop) {
    return Packing{request, std::move(stop)}.run();
}

}  // namespace podctl::python
