#pragma once

#include "podctl/base/cache_room.hpp"

#include "block_pool.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace podctl::download {

// What one transfer could use.
struct Claim {
    std::uint64_t remaining = 0;  // bytes
    unsigned wanted = 0;          // connections
};

// How many connections each may have of `limit`: one each, those with the least to do first, so
// that a small file does not wait behind a large one; then what is left, evenly.
std::vector<unsigned> allot(const std::vector<Claim>& claims, unsigned limit);

// The connections that all transfers of a process share. Thread-safe.
class ConnectionBudget {
    struct Place;

public:
    explicit ConnectionBudget(unsigned limit) : limit_(limit) {}

    // One transfer's part of it; what it holds is free again when it is gone.
    class Seat {
    public:
        Seat(ConnectionBudget& budget, std::function<void()> on_change);
        ~Seat();
        Seat(const Seat&) = delete;
        Seat& operator=(const Seat&) = delete;

        void claim(Claim claim);
        // Another connection. False: not now; on_change tells when it is worth asking again.
        bool take();
        void give_back();
        // How many connections others wait for that this transfer has beyond its part.
        unsigned surplus() const;

    private:
        ConnectionBudget& budget_;
        Place* place_;
    };

    unsigned limit() const { return limit_; }

private:
    struct Place {
        std::function<void()> on_change;
        Claim claim = {};
        unsigned held = 0, part = 0;
    };

    void share_out();             // under mutex_
    unsigned free_count() const;  // under mutex_

    const unsigned limit_;
    mutable std::mutex mutex_;
    std::vector<std::unique_ptr<Place>> places_;  // under mutex_
};

// What all transfers of one Downloader have in common.
struct TransferShare {
    TransferShare(unsigned connections, std::shared_ptr<CacheRoom> cache);

    ConnectionBudget connections;
    BlockPool blocks;
    std::shared_ptr<CacheRoom> cache;
};

}  // namespace podctl::download
