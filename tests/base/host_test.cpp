#include "podctl/base/host.hpp"

#include <gmock/gmock.h>

namespace podctl {
namespace {

using testing::HasSubstr;

std::string fault(const std::string& text) {
    const auto url = parse_url(text);
    return url ? host_fault(*url) : "no URL";
}

TEST(HostFault, IsNoneOfWhatCanBeAsked) {
    for (const char* text :
         {"https://huggingface.co/x", "http://127.0.0.1:80/", "http://[::1]:8/x", "http://h",
          "https://a_b.example.", "https://xn--bcher-kva.de/", "https://user:p%20w@h/x"})
        EXPECT_EQ(fault(text), "") << text;
}

TEST(HostFault, TellsWhatCannotBeAsked) {
    for (const std::string text :
         {"http://a~b/x", "https://exam%70le.com/", "http://a+b/", "http://a(b)/", "http://a,b/",
          "http://a..b/", "http://.b/", "http://[fe80::1%25eth0]/", "http://us er@h/",
          "http://u%0a@h/", "http://a!b/", "http://a*b/", "http://a;b/", "http://a=b/",
          "http://a&b/", "http://a'b/", "http://a$b/"})
        EXPECT_NE(fault(text), "") << text;
    EXPECT_THAT(fault("http://b\xC3\xBC\x63her.de/x"), HasSubstr("xn--"));
    EXPECT_THAT(fault("http://" + std::string(64, 'a') + ".de/x"), HasSubstr("too long"));
    std::string host = "a";
    while (host.size() < 254)
        host += ".a";
    EXPECT_THAT(fault("http://" + host + "/x"), HasSubstr("too long"));
}

TEST(InternalAddress, IsTheSameInEveryForm) {
    for (const char* host : {"localhost",
                             "a.localhost",
                             "localhost.",
                             "127.0.0.1",
                             "127.1",
                             "0x7f000001",
                             "2130706433",
                             "0177.0.0.1",
                             "0.0.0.0",
                             "0",
                             "10.1.2.3",
                             "172.16.0.1",
                             "172.31.255.255",
                             "192.168.1.1",
                             "169.254.169.254",
                             "100.64.0.1",
                             "224.0.0.1",
                             "255.255.255.255",
                             "[::]",
                             "[::1]",
                             "[fe80::1]",
                             "[fc00::1]",
                             "[fd12::1]",
                             "[ff02::1]",
                             "[::ffff:127.0.0.1]",
                             "[::ffff:10.0.0.1]",
                             "[::127.0.0.1]",
                             "[2002:7f00:1::]",
                             "[64:ff9b::a00:1]",
                             "[64:ff9b:1::808:808]"})
        EXPECT_TRUE(names_internal_address({.scheme = "http", .host = host})) << host;
    for (const char* host :
         {"example.com", "8.8.8.8", "172.32.0.1", "172.15.0.1", "100.128.0.1", "11.0.0.1",
          "[2001:4860:4860::8888]", "[::ffff:8.8.8.8]", "[64:ff9b::808:808]", "notlocalhost",
          "localhost.example.com", "10.example.com"})
        EXPECT_FALSE(names_internal_address({.scheme = "http", .host = host})) << host;
}

}  // namespace
}  // namespace podctl
