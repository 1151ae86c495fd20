#pragma once

#include "snapshot_folder.hpp"
#include "snapshot_queue.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace podctl::python {

// Writes an archive's files beside the thread that unpacks it: to make a file and fill it costs
// about as much as to unpack it.
class MemberWriter {
public:
    // `together` outlives it.
    MemberWriter(MemberFolder folder, Together& together);
    MemberWriter(const MemberWriter&) = delete;
    MemberWriter& operator=(const MemberWriter&) = delete;
    ~MemberWriter();

    // One file after another, each from begin() to end(). Throw Error{interrupted} when somebody
    // has failed.
    void begin(std::string name, const MemberStatus& status);
    void add(std::string_view bytes);
    void end();
    // Returns when all of them are written, or `together` has failed.
    void finish();

private:
    // A large file comes in several.
    enum class Piece { whole, first, middle, last };
    struct Work {
        std::string name;
        MemberStatus status;
        Piece piece = Piece::whole;
        std::size_t size = 0;  // of its bytes, which follow those of the one before
    };
    // Small files are handed over by the hundred.
    struct Batch {
        std::vector<Work> work;
        Chunk bytes;
    };

    void hand_over(Piece piece);
    void pass_on();
    void work();
    void write(const Work& one, std::string_view bytes);

    MemberFolder folder_;
    Together& together_;
    Work current_;
    Batch gathered_;
    BoundedQueue<Batch> queue_{16};
    Fd large_;  // of the thread: the file that comes in several pieces
    std::jthread thread_;
};

}  // namespace podctl::python
