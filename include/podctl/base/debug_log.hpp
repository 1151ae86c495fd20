#pragma once

#include <exception>
#include <functional>
#include <string>
#include <string_view>

// What podctl does and why, in lines for whoever looks into a run afterwards: a request and its
// answer, a child and its end, why a step is done. Rooms write them without knowing where they go;
// nothing is made of them until somebody takes them.
namespace podctl {

// Takes the debug lines of all rooms and threads from its construction to its destruction. Several
// may do so at once. `take` may be called by any thread, and must not throw; what it writes may
// hold secrets and foreign text, which are its to clean.
class DebugLines {
public:
    using Take = std::function<void(std::string_view room, const std::string& line)>;
    explicit DebugLines(Take take);
    ~DebugLines();
    DebugLines(const DebugLines&) = delete;
    DebugLines& operator=(const DebugLines&) = delete;

    // For log_debug().
    static bool are_taken();
    static void hand_out(std::string_view room, const std::string& line);

private:
    const Take take_;
};

// `line` is called for the text where somebody takes it. A line that cannot be made (no memory) is
// left out: what it tells of must not fail for it.
template <class Line>
void log_debug(std::string_view room, const Line& line) noexcept {
    if (!DebugLines::are_taken()) return;
    try {
        DebugLines::hand_out(room, line());
    } catch (const std::exception&) {
    }
}

}  // namespace podctl
