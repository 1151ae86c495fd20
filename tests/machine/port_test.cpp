#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/machine/machine.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace podctl::machine {
namespace {

class Listener {
public:
    Listener() : fd_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* any = reinterpret_cast<sockaddr*>(&address);
        EXPECT_EQ(::bind(fd_.get(), any, size), 0);
        EXPECT_EQ(::listen(fd_.get(), 1), 0);
        EXPECT_EQ(::getsockname(fd_.get(), any, &size), 0);
        port_ = ntohs(address.sin_port);
    }
    std::uint16_t port() const { return port_; }
    void close() { fd_.close(); }

private:
    Fd fd_;
    std::uint16_t port_ = 0;
};

TEST(Port, IsTakenWhileSomebodyListens) {
    Listener listener;
    EXPECT_FALSE(port_is_free("127.0.0.1", listener.port()));
    EXPECT_FALSE(port_is_free("0.0.0.0", listener.port()));
    EXPECT_FALSE(port_is_free("localhost", listener.port()));
    EXPECT_FALSE(port_is_free("", listener.port()));
    listener.close();
    EXPECT_TRUE(port_is_free("127.0.0.1", listener.port()));
}

TEST(Port, IsTakenWhenOneAddressOfAListIs) {
    const Listener listener;
    EXPECT_TRUE(port_is_free("127.0.0.2", listener.port()));
    EXPECT_FALSE(port_is_free("127.0.0.2, 127.0.0.1", listener.port()));
}

TEST(Port, CannotBeBoundToAnAddressOfAnotherMachine) {
    EXPECT_FALSE(port_is_free("192.0.2.1", 9000));  // TEST-NET-1 belongs to nobody
}

TEST(Port, IsListenedOnAtEveryAddressOfAListOrAtNone) {
    Listener other;
    const auto port = other.port();
    EXPECT_TRUE(listen_on("127.0.0.2, localhost", port).empty());
    EXPECT_TRUE(port_is_free("127.0.0.2", port));
    other.close();
    const auto listeners = listen_on("127.0.0.2, localhost", port);
    EXPECT_EQ(listeners.size(), 2u);
    EXPECT_FALSE(port_is_free("127.0.0.1", port));
    EXPECT_FALSE(port_is_free("127.0.0.2", port));
}

TEST(Port, OfNoAddressIsAnError) {
    EXPECT_THROW(port_is_free("example.invalid", 9000), Error);
    EXPECT_THROW(port_is_free("0.0.0.0:9000", 9000), Error);
    EXPECT_THROW(port_is_free("256.0.0.1", 9000), Error);
}

}  // namespace
}  // namespace podctl::machine
