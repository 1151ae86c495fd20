#include "transfer_share.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace podctl::download {
namespace {

// All blocks together: with curl's buffers and the program itself it stays below 64 MiB.
constexpr std::size_t block_memory = 32u << 20;

// Two blocks a connection at least, one that fills and one on its way to the disk; more memory a
// block than this brings nothing.
std::size_t block_size_for(unsigned connections) {
    constexpr std::size_t largest = 1u << 20, smallest = 64u << 10;
    std::size_t size = largest;
    while (size > smallest && size * connections * 2 > block_memory)
        size /= 2;
    return size;
}

}  // namespace

std::vector<unsigned> allot(const std::vector<Claim>& claims, unsigned limit) {
    std::vector<std::size_t> order(claims.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return claims[i].remaining; });
    std::vector<unsigned> parts(claims.size(), 0);
    for (bool gave = true; limit > 0 && gave;) {
        gave = false;
        for (const std::size_t i : order) {
            if (limit == 0) break;
            if (parts[i] >= claims[i].wanted) continue;
            ++parts[i];
            --limit;
            gave = true;
        }
    }
    return parts;
}

ConnectionBudget::Seat::Seat(ConnectionBudget& budget, std::function<void()> on_change)
    : budget_(budget) {
    const std::scoped_lock lock(budget_.mutex_);
    budget_.places_.push_back(std::make_unique<Place>(Place{.on_change = std::move(on_change)}));
    place_ = budget_.places_.back().get();
}

ConnectionBudget::Seat::~Seat() {
    const std::scoped_lock lock(budget_.mutex_);
    std::erase_if(budget_.places_, [&](const auto& place) { return place.get() == place_; });
    budget_.share_out();
}

void ConnectionBudget::Seat::claim(Claim claim) {
    const std::scoped_lock lock(budget_.mutex_);
    place_->claim = claim;
    budget_.share_out();
}

bool ConnectionBudget::Seat::take() {
    const std::scoped_lock lock(budget_.mutex_);
    if (place_->held >= place_->part || budget_.free_count() == 0) return false;
    ++place_->held;
    return true;
}

void ConnectionBudget::Seat::give_back() {
    const std::scoped_lock lock(budget_.mutex_);
    --place_->held;
    for (const auto& place : budget_.places_)
        if (place.get() != place_ && place->held < place->part) place->on_change();
}

unsigned ConnectionBudget::Seat::surplus() const {
    const std::scoped_lock lock(budget_.mutex_);
    if (place_->held <= place_->part) return 0;
    unsigned short_of = 0;
    for (const auto& place : budget_.places_)
        if (place->held < place->part) short_of += place->part - place->held;
    const unsigned free = budget_.free_count();
    return std::min(place_->held - place_->part, short_of > free ? short_of - free : 0);
}

void ConnectionBudget::share_out() {
    std::vector<Claim> claims;
    for (const auto& place : places_)
        claims.push_back(place->claim);
    const auto parts = allot(claims, limit_);
    for (std::size_t i = 0; i < parts.size(); ++i)
        if (std::exchange(places_[i]->part, parts[i]) != parts[i]) places_[i]->on_change();
}

unsigned ConnectionBudget::free_count() const {
    unsigned held = 0;
    for (const auto& place : places_)
        held += place->held;
    return limit_ > held ? limit_ - held : 0;
}

TransferShare::TransferShare(unsigned limit, std::shared_ptr<CacheRoom> room)
    : connections(limit),
      blocks(block_size_for(limit), block_memory / block_size_for(limit)),
      cache(std::move(room)) {}

}  // namespace podctl::download
