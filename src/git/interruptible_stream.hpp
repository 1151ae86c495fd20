#pragma once

#include "podctl/base/fd.hpp"

#include <functional>
#include <optional>
#include <stop_token>

namespace podctl::git {

// While it lives, a stop request ends every wait of this thread for a server. libgit2 itself can
// only be stopped between two packets, which never come from a server that hangs.
class InterruptibleNetwork {
public:
    explicit InterruptibleNetwork(const std::stop_token& stop);
    ~InterruptibleNetwork();
    InterruptibleNetwork(const InterruptibleNetwork&) = delete;
    InterruptibleNetwork& operator=(const InterruptibleNetwork&) = delete;

private:
    Fd event_;
    int outer_;
    std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

// Makes libgit2 use podctl's sockets for git and ssh. They give up on a server that is silent for a
// minute, and never raise SIGPIPE.
void register_interruptible_stream();

}  // namespace podctl::git
