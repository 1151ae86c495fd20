#include "known.hpp"

#include "podctl/base/digest.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace podctl::download {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;
using Range = Asked::Range;
using Ranges = Known::Ranges;
using Reach = http::Request::Reach;

const std::string hub_url = "https://hub_url.test/file";
const std::string store_url = "https://store_url.test/file?signature=1";

http::Response answer(const Headers& headers = {}, const std::string& url = hub_url) {
    return {.status = 200, .headers = headers, .url = url};
}

class Knows : public testing::Test {
protected:
    Known known() const { return {request, request.url}; }
    Validators of_request() const {
        return {.source = sha256_hex(request.url),
                .expected_sha256 = request.sha256,
                .etag = "\"1\"",
                .size = 100};
    }

    DownloadRequest request{.url = hub_url};
};

TEST_F(Knows, AFileByItsEtagItsDateOrItsDigest) {
    auto by_etag = known(), by_date = known(), by_nothing = known();
    EXPECT_FALSE(by_etag.is_described());
    by_etag.learn(answer({{"etag", "\"1\""}}), Range::no);
    by_date.learn(answer({{"last-modified", "Sun, 29 Nov 2026 12:00:00 GMT"}}), Range::no);
    by_nothing.learn(answer(), Range::no);
    EXPECT_TRUE(by_etag.is_identified());
    EXPECT_TRUE(by_date.is_identified());
    EXPECT_FALSE(by_nothing.is_identified());
    EXPECT_TRUE(by_nothing.is_described());
    request.sha256 = "ab";
    EXPECT_TRUE(known().is_identified());
}

TEST_F(Knows, WhatTheFirstAnswerSaysAndEachLaterOneAdds) {
    auto known = this->known();
    known.learn(answer({{"etag", "\"1\""},
                        {"content-length", "100"},
                        {"content-disposition", "attachment; filename=\"m.bin\""}}),
                Range::no);
    known.learn({.status = 206,
                 .headers = {{"last-modified", "today"}, {"content-range", "bytes 5-9/100"}},
                 .url = hub_url},
                Range::yes);
    auto expected = of_request();
    expected.last_modified = "today";
    expected.server_name = "m.bin";
    EXPECT_EQ(known.validators(), expected);
}

TEST_F(Knows, WhetherAnEarlierCallLeftTheSameFile) {
    const auto covers = [&](const Validators& validators, std::uint64_t end = 100) {
        return known().covers({.validators = validators, .have = RangeSet{{0, end}}});
    };
    EXPECT_TRUE(covers(of_request()));
    EXPECT_FALSE(covers(of_request(), 101)) << "more than there is";
    auto other = of_request();
    other.source = sha256_hex("https://hub_url.test/other");
    EXPECT_FALSE(covers(other));
    other = of_request();
    other.expected_sha256 = "cd";
    EXPECT_FALSE(covers(other));
    other = of_request();
    other.etag.clear();
    EXPECT_FALSE(covers(other)) << "nothing tells whether the rest would be of the same file";
    request.size = 99;
    EXPECT_FALSE(covers(of_request()));
}

TEST_F(Knows, HowToAskForAllAndForAPart) {
    auto known = this->known();
    EXPECT_EQ(known.request_for({0, ByteSpan::no_end}).headers, Headers{});
    EXPECT_EQ(known.asked_for({0, ByteSpan::no_end}).range, Range::no);
    known.recall(of_request());
    EXPECT_EQ(known.request_for({0, 100}).headers, Headers{});
    EXPECT_EQ(known.asked_for({0, 100}).range, Range::no);
    EXPECT_EQ(known.request_for({0, 50}).headers,
              (Headers{{"Range", "bytes=0-49"}, {"If-Range", "\"1\""}}));
    EXPECT_EQ(known.request_for({50, 100}).headers,
              (Headers{{"Range", "bytes=50-"}, {"If-Range", "\"1\""}}));
    EXPECT_EQ(known.asked_for({50, 100}).offset, 50u);
    EXPECT_EQ(known.asked_for({50, 100}).range, Range::yes);
}

TEST_F(Knows, WhereTheFirstAnswerCameFrom) {
    auto known = this->known();
    EXPECT_FALSE(known.has_address());
    auto first = answer({}, store_url);
    first.from_internet = true;
    EXPECT_TRUE(known.is_elsewhere(first));
    known.learn(first, Range::no);
    EXPECT_TRUE(known.has_address());
    known.learn(answer({}, "https://other.test/"), Range::no);
    const auto request = known.request_for({0, ByteSpan::no_end});
    EXPECT_EQ(request.url, store_url);
    EXPECT_EQ(request.authorization, http::Request::Authorization::none);
    EXPECT_EQ(request.reach, Reach::internet);
}

TEST_F(Knows, ThatAnAnswerFromTheSamePlaceIsNoOtherAddress) {
    auto known = this->known();
    known.learn(answer({}, "https://hub_url.test/elsewhere"), Range::no);
    EXPECT_TRUE(known.has_address());
    const auto request = known.request_for({0, ByteSpan::no_end});
    EXPECT_EQ(request.url, hub_url);
    EXPECT_EQ(request.authorization, http::Request::Authorization::by_prefix);
    EXPECT_EQ(request.reach, Reach::anywhere);
}

TEST_F(Knows, WhenASignedAddressIsOver) {
    auto known = this->known();
    known.learn(answer({}, store_url), Range::no);
    EXPECT_FALSE(known.has_expired(store_url, 500));
    EXPECT_FALSE(known.has_expired(hub_url, 403));
    EXPECT_TRUE(known.has_address());
    EXPECT_TRUE(known.has_expired(store_url, 403));
    EXPECT_FALSE(known.has_address());
    EXPECT_EQ(known.request_for({0, ByteSpan::no_end}).url, hub_url);

    const std::string fresh = "https://store_url.test/file?signature=2";
    known.learn(answer({}, fresh), Range::no);
    EXPECT_TRUE(known.has_expired(store_url, 403)) << "another segment asked before";
    EXPECT_EQ(known.request_for({0, ByteSpan::no_end}).url, fresh);
    known.forget_address();
    EXPECT_EQ(known.request_for({0, ByteSpan::no_end}).url, hub_url);
}

TEST_F(Knows, WhereToAskWhateverTheFileIs) {
    auto known = this->known();
    known.learn(answer({{"etag", "\"1\""}}, store_url), Range::yes);
    known.forget();
    EXPECT_EQ(known.validators(), Validators{});
    EXPECT_EQ(known.request_for({0, ByteSpan::no_end}).url, store_url);
    EXPECT_EQ(known.ranges(), Ranges::yes);
}

TEST_F(Knows, WhetherPartsAreToBeHad) {
    auto known = this->known();
    known.learn(answer(), Range::no);
    EXPECT_EQ(known.ranges(), Ranges::unknown);
    EXPECT_TRUE(known.excuse_wrong_part());
    EXPECT_FALSE(known.excuse_wrong_part());
    known.give_up_ranges();
    EXPECT_EQ(known.ranges(), Ranges::no);
    known.learn(answer(), Range::yes);
    EXPECT_EQ(known.ranges(), Ranges::yes);
}

TEST_F(Knows, ThatCivitaiMayFindAFileLater) {
    auto elsewhere = known();
    EXPECT_FALSE(elsewhere.excuse_missing(404));
    request.url = "https://civitai.com/api/download/models/7";
    auto known = this->known();
    EXPECT_FALSE(known.excuse_missing(403));
    EXPECT_TRUE(known.excuse_missing(404));
    EXPECT_TRUE(known.excuse_missing(404));
    EXPECT_FALSE(known.excuse_missing(404));
}

}  // namespace
}  // namespace podctl::download
