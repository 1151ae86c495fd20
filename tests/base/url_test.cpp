#include "podctl/base/url.hpp"

#include <gtest/gtest.h>

namespace podctl {
namespace {

std::string resolved(std::string_view base, std::string_view reference) {
    const auto url = resolve_reference(parse_url(base).value(), reference);
    return url ? url->to_string() : "none";
}

TEST(Url, ComesApartAndTogetherAgain) {
    const char* text = "https://me:pw@models.example:8443/a%20b/c?x=1&y=%2F#part";
    const Url url = parse_url(text).value();
    EXPECT_EQ(url.scheme, "https");
    EXPECT_EQ(url.userinfo, "me:pw");
    EXPECT_EQ(url.host, "models.example");
    EXPECT_EQ(url.port, 8443);
    EXPECT_EQ(url.path, "/a%20b/c");
    EXPECT_EQ(url.query, "x=1&y=%2F");
    EXPECT_EQ(url.fragment, "part");
    EXPECT_EQ(url.to_string(), text);
}

TEST(Url, KeepsTheEncodingOfAPresignedQuery) {
    const char* text = "https://s3.example/b/k%2Bx?X-Amz-Credential=A%2Fb&X-Amz-Signature=0f%2b";
    EXPECT_EQ(parse_url(text).value().to_string(), text);
}

TEST(Url, LowersSchemeAndHostOnly) {
    EXPECT_EQ(parse_url("HTTPS://Hub.Example/Org/Repo").value().to_string(),
              "https://hub.example/Org/Repo");
}

TEST(Url, TakesIpv6Addresses) {
    const Url url = parse_url("http://[FE80::1]:9000/x").value();
    EXPECT_EQ(url.host, "[fe80::1]");
    EXPECT_EQ(url.port, 9000);
    EXPECT_EQ(url.to_string(), "http://[fe80::1]:9000/x");
    EXPECT_FALSE(parse_url("http://[::1"));
    EXPECT_FALSE(parse_url("http://[nonsense]/"));
    EXPECT_FALSE(parse_url("http://[::1]9000/"));
}

TEST(Url, TakesAPathThatIsEmptyAndAFileWithoutAHost) {
    EXPECT_EQ(parse_url("http://a.example").value().path, "");
    EXPECT_EQ(parse_url("http://a.example?x=1").value().query, "x=1");
    EXPECT_EQ(parse_url("file:///models/a.bin").value().path, "/models/a.bin");
}

TEST(Url, RefusesWhatIsNoUrl) {
    for (const char* text :
         {"", "models/a.bin", "http:/a", "://a", "1http://a", "http://", "http:///x", "http://u@/x",
          "http://a b/", "http://a\nb/", "http://a/\x7f"})
        EXPECT_FALSE(parse_url(text)) << text;
}

TEST(Url, RefusesAnImpossiblePort) {
    EXPECT_FALSE(parse_url("http://a:65536/"));
    EXPECT_FALSE(parse_url("http://a:0/"));
    EXPECT_FALSE(parse_url("http://a:80x/"));
    EXPECT_FALSE(parse_url("http://a:-1/"));
    EXPECT_EQ(parse_url("http://a:/x").value().port, std::nullopt);
}

TEST(Url, RefusesAHostThatClientsReadDifferently) {
    EXPECT_FALSE(parse_url("https://hub.example\\@evil.example/"));
    EXPECT_EQ(parse_url("https://hub.example@evil.example/").value().host, "evil.example");
}

TEST(Url, OriginHasTheDefaultPort) {
    EXPECT_EQ(parse_url("https://a.example/x").value().origin(), "https://a.example:443");
    EXPECT_EQ(parse_url("http://a.example:80/").value().origin(),
              parse_url("http://a.example/").value().origin());
    EXPECT_NE(parse_url("http://a.example:443/").value().origin(),
              parse_url("https://a.example/").value().origin());
}

TEST(Url, GivesAParameterDecoded) {
    const Url url = parse_url("https://a/?modelVersionId=610541&n=a%20b+c&flag&empty=").value();
    EXPECT_EQ(url.parameter("modelVersionId"), "610541");
    EXPECT_EQ(url.parameter("n"), "a b+c");
    EXPECT_EQ(url.parameter("flag"), "");
    EXPECT_EQ(url.parameter("empty"), "");
    EXPECT_EQ(url.parameter("modelversionid"), std::nullopt);
}

TEST(Url, GivesTheLastSegmentAsAFileName) {
    EXPECT_EQ(parse_url("https://a/b/my%20model.bin?download=true").value().file_name(),
              "my model.bin");
    EXPECT_EQ(parse_url("https://a/b/").value().file_name(), "");
    EXPECT_EQ(parse_url("https://a").value().file_name(), "");
}

// The examples of RFC 3986 §5.4.
TEST(Reference, IsResolvedAsTheRfcSays) {
    const char* base = "http://a/b/c/d;p?q";
    EXPECT_EQ(resolved(base, "g"), "http://a/b/c/g");
    EXPECT_EQ(resolved(base, "./g"), "http://a/b/c/g");
    EXPECT_EQ(resolved(base, "g/"), "http://a/b/c/g/");
    EXPECT_EQ(resolved(base, "/g"), "http://a/g");
    EXPECT_EQ(resolved(base, "//g"), "http://g");
    EXPECT_EQ(resolved(base, "?y"), "http://a/b/c/d;p?y");
    EXPECT_EQ(resolved(base, "g?y"), "http://a/b/c/g?y");
    EXPECT_EQ(resolved(base, "#s"), "http://a/b/c/d;p?q#s");
    EXPECT_EQ(resolved(base, "g?y#s"), "http://a/b/c/g?y#s");
    EXPECT_EQ(resolved(base, ";x"), "http://a/b/c/;x");
    EXPECT_EQ(resolved(base, ""), "http://a/b/c/d;p?q");
    EXPECT_EQ(resolved(base, "."), "http://a/b/c/");
    EXPECT_EQ(resolved(base, ".."), "http://a/b/");
    EXPECT_EQ(resolved(base, "../g"), "http://a/b/g");
    EXPECT_EQ(resolved(base, "../.."), "http://a/");
    EXPECT_EQ(resolved(base, "../../../g"), "http://a/g");
    EXPECT_EQ(resolved(base, "/./g"), "http://a/g");
    EXPECT_EQ(resolved(base, "g."), "http://a/b/c/g.");
    EXPECT_EQ(resolved(base, "..g"), "http://a/b/c/..g");
    EXPECT_EQ(resolved(base, "./g/."), "http://a/b/c/g/");
    EXPECT_EQ(resolved(base, "g;x=1/../y"), "http://a/b/c/y");
    EXPECT_EQ(resolved(base, "g?y/../x"), "http://a/b/c/g?y/../x");
}

TEST(Reference, MayBeAUrlOfItsOwn) {
    EXPECT_EQ(resolved("https://a/x", "HTTP://B.example:81/y?sig=%2F"),
              "http://b.example:81/y?sig=%2F");
    EXPECT_EQ(resolved("https://user:pw@a/x", "//b/y"), "https://b/y");
    EXPECT_EQ(resolved("http://a", "g"), "http://a/g");
}

TEST(Reference, ThatLeadsNowhereIsNone) {
    EXPECT_EQ(resolved("http://a/", "mailto:me@example"), "none");
    EXPECT_EQ(resolved("http://a/", "http://b:99999/"), "none");
    EXPECT_EQ(resolved("http://a/", "/x\r\nSet-Cookie: y"), "none");
}

TEST(Percent, DecodesEscapesAndLeavesBrokenOnes) {
    EXPECT_EQ(percent_decode("a%20b%2fc+%"), "a b/c+%");
    EXPECT_EQ(percent_decode("%zz%4"), "%zz%4");
    EXPECT_EQ(percent_decode("%41"), "A");
}

TEST(Percent, EncodesAllButTheUnreserved) {
    EXPECT_EQ(percent_encode("a b/ü~"), "a%20b%2F%C3%BC~");
    EXPECT_EQ(percent_encode("a b/c", "/"), "a%20b/c");
    EXPECT_EQ(percent_decode(percent_encode("\x01\xff%&=?")), "\x01\xff%&=?");
}

TEST(Loopback, IsWhatStaysOnTheMachine) {
    for (const char* text : {"http://127.0.0.1/", "http://127.9.9.9:80/", "http://localhost:9000/",
                             "http://LOCALHOST/", "http://[::1]/", "http://[0:0:0:0:0:0:0:1]/"})
        EXPECT_TRUE(is_loopback(parse_url(text).value())) << text;
    for (const char* text : {"http://128.0.0.1/", "http://127.0.0.1.evil.example/", "http://[::2]/",
                             "http://localhost.evil.example/", "http://0.0.0.0/"})
        EXPECT_FALSE(is_loopback(parse_url(text).value())) << text;
}

TEST(Mirrors, TakeTheLongestPrefix) {
    const Mirrors mirrors{{{"https://git.example/", "http://one/"},
                           {"https://git.example/org/", "http://two/"},
                           {"", "http://never/"}}};
    EXPECT_EQ(mirrors.apply("https://git.example/org/repo.git"), "http://two/repo.git");
    EXPECT_EQ(mirrors.apply("https://git.example/me/repo.git"), "http://one/me/repo.git");
    EXPECT_EQ(mirrors.apply("https://other.example/x"), "https://other.example/x");
    EXPECT_TRUE(mirrors.covers("https://git.example/"));
    EXPECT_FALSE(mirrors.covers("https://git.example.evil/"));
}

TEST(Mirrors, ReplaceOnceOnly) {
    const Mirrors mirrors{{{"https://a/", "https://b/"}, {"https://b/", "https://a/"}}};
    EXPECT_EQ(mirrors.apply("https://a/x"), "https://b/x");
}

}  // namespace
}  // namespace podctl
