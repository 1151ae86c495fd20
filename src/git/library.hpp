#pragma once

#include "podctl/base/error.hpp"

#include "handles.hpp"

#include <string>
#include <string_view>

namespace podctl::git {

// Initialises libgit2 once. Every entry to the room calls it before anything of libgit2.
void ensure_library();
// ensure_library, and what only a transfer needs: podctl's own ways to servers.
void ensure_network();

// The side on which a failing operation works: it decides what an error of the system means.
enum class Side { local, remote };

// The failure of the last libgit2 call in this thread: "<doing>: <what libgit2 says>".
Error last_error(int code, std::string_view doing, Side side = Side::local);
// Throws last_error for a negative code.
void check(int code, std::string_view doing, Side side = Side::local);

// Calls a constructor of libgit2, which takes where to put the handle first.
template <class Handle, class Function, class... Arguments>
Handle make(std::string_view doing, Function function, Arguments... arguments) {
    typename Handle::pointer handle = nullptr;
    check(function(&handle, arguments...), doing);
    return Handle{handle};
}

// As make; an empty handle when there is no such thing.
template <class Handle, class Function, class... Arguments>
Handle find(std::string_view doing, Function function, Arguments... arguments) {
    typename Handle::pointer handle = nullptr;
    const int code = function(&handle, arguments...);
    if (code == GIT_ENOTFOUND) return {};
    check(code, doing);
    return Handle{handle};
}

}  // namespace podctl::git
