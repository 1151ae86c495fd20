#pragma once

#include "podctl/base/fd.hpp"

#include <filesystem>

namespace podctl::serve {

// The listening socket of a pod, which the root's lock makes the only one: what an earlier podctl
// left is replaced. The destructor takes it away.
class ControlListener {
public:
    // Throws Error{io}.
    explicit ControlListener(const std::filesystem::path& state);
    ControlListener(const ControlListener&) = delete;
    ControlListener& operator=(const ControlListener&) = delete;
    ~ControlListener();

    int fd() const { return socket_.get(); }
    // The next client, invalid: none waits. Others than the own user and root are turned away.
    // Throws Error{io}.
    Fd accept();

private:
    bool listen_in_folder();
    void listen_without_folder();

    std::filesystem::path state_;
    Fd folder_, socket_;
    bool in_folder_ = false;
};

}  // namespace podctl::serve
