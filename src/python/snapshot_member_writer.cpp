#include "snapshot_member_writer.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/thread.hpp"

#include <algorithm>
#include <utility>

namespace podctl::python {

namespace {

constexpr std::size_t most_in_batch = 64, most_batch_bytes = 1u << 20;

}  // namespace

MemberWriter::MemberWriter(MemberFolder folder, Together& together)
    : folder_(std::move(folder)), together_(together) {
    thread_ = start_thread([this](const std::stop_token&) { work(); },
                           [this](const std::exception_ptr& failure) { together_.fail(failure); });
}

MemberWriter::~MemberWriter() {
    queue_.close();
}

void MemberWriter::work() {
    while (const auto batch = queue_.pop(together_.token()))
        for (const Work& one : *batch)
            write(one);
}

void MemberWriter::write(const Work& one) {
    const bool begins = one.piece == Piece::whole || one.piece == Piece::first;
    const bool ends = one.piece == Piece::whole || one.piece == Piece::last;
    if (begins) large_ = folder_.create_file(one.name, one.status);
    folder_.write(large_, one.content, one.name);
    if (!ends) return;
    folder_.set_time(large_, one.status, one.name);
    large_ = Fd{};
}

void MemberWriter::pass_on() {
    gathered_bytes_ = 0;
    if (!queue_.push(std::exchange(gathered_, {}), together_.token()))
        throw Error{ErrorKind::interrupted, "stopped"};
}

void MemberWriter::hand_over(Piece piece) {
    gathered_bytes_ += current_.content.size();
    gathered_.push_back({.name = current_.name,
                         .status = current_.status,
                         .piece = piece,
                         .content = std::exchange(current_.content, {})});
    if (gathered_.size() >= most_in_batch || gathered_bytes_ >= most_batch_bytes) pass_on();
}

void MemberWriter::begin(std::string name, const MemberStatus& status, std::uint64_t size) {
    current_ = {.name = std::move(name), .status = status};
    left_ = size;
    current_.content.reserve(std::min<std::uint64_t>(size, most_batch_bytes));
}

void MemberWriter::add(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto size = std::min(bytes.size(), most_batch_bytes - current_.content.size());
        current_.content += bytes.substr(0, size);
        bytes.remove_prefix(size);
        left_ -= std::min<std::uint64_t>(left_, size);
        if (current_.content.size() < most_batch_bytes || left_ == 0) continue;
        hand_over(current_.piece == Piece::whole ? Piece::first : Piece::middle);
        current_.piece = Piece::middle;
        current_.content.reserve(std::min<std::uint64_t>(left_, most_batch_bytes));
    }
}

void MemberWriter::end() {
    hand_over(current_.piece == Piece::whole ? Piece::whole : Piece::last);
}

void MemberWriter::finish() {
    pass_on();
    queue_.close();
    thread_.join();
}

}  // namespace podctl::python
