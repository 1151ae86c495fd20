#include "snapshot_member_writer.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/thread.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace podctl::python {

namespace {

constexpr std::size_t most_in_batch = 256;

}  // namespace

MemberWriter::MemberWriter(MemberFolder folder, Together& together)
    : folder_(std::move(folder)), together_(together) {
    gathered_.bytes = together_.chunks().take();
    thread_ = start_thread([this](const std::stop_token&) { work(); },
                           [this](const std::exception_ptr& failure) { together_.fail(failure); });
}

MemberWriter::~MemberWriter() {
    queue_.close();
}

void MemberWriter::work() {
    while (auto batch = queue_.pop(together_.token())) {
        std::string_view bytes = batch->bytes.view();
        for (const Work& one : batch->work) {
            write(one, bytes.substr(0, one.size));
            bytes.remove_prefix(one.size);
        }
        together_.chunks().give_back(std::move(batch->bytes));
    }
}

void MemberWriter::write(const Work& one, std::string_view bytes) {
    const bool begins = one.piece == Piece::whole || one.piece == Piece::first;
    const bool ends = one.piece == Piece::whole || one.piece == Piece::last;
    if (begins) large_ = folder_.create_file(one.name, one.status);
    folder_.write(large_, bytes, one.name);
    if (!ends) return;
    folder_.set_time(large_, one.status, one.name);
    large_ = Fd{};
}

void MemberWriter::pass_on() {
    Batch batch{.work = std::exchange(gathered_.work, {}),
                .bytes = std::exchange(gathered_.bytes, together_.chunks().take())};
    if (!queue_.push(std::move(batch), together_.token()))
        throw Error{ErrorKind::interrupted, "stopped"};
}

void MemberWriter::hand_over(Piece piece) {
    current_.piece = piece;
    gathered_.work.push_back(current_);
    current_.size = 0;
}

void MemberWriter::begin(std::string name, const MemberStatus& status) {
    current_ = {.name = std::move(name), .status = status};
}

void MemberWriter::add(std::string_view bytes) {
    Chunk& chunk = gathered_.bytes;
    while (!bytes.empty()) {
        if (chunk.size == chunk_size) {
            hand_over(current_.piece == Piece::whole ? Piece::first : Piece::middle);
            pass_on();
        }
        const auto size = std::min(bytes.size(), chunk_size - chunk.size);
        std::memcpy(chunk.bytes.get() + chunk.size, bytes.data(), size);
        chunk.size += size;
        current_.size += size;
        bytes.remove_prefix(size);
    }
}

void MemberWriter::end() {
    hand_over(current_.piece == Piece::whole ? Piece::whole : Piece::last);
    if (gathered_.work.size() >= most_in_batch) pass_on();
}

void MemberWriter::finish() {
    pass_on();
    queue_.close();
    thread_.join();
}

}  // namespace podctl::python
