#include "podctl/base/units.hpp"

#include <gtest/gtest.h>

namespace podctl {
namespace {

using namespace std::chrono_literals;

std::optional<std::uint64_t> bytes(std::string_view text) {
    const auto parsed = parse_bytes(text);
    if (!parsed) return std::nullopt;
    return parsed->count;
}

TEST(Bytes, TakesDecimalAndBinaryUnits) {
    EXPECT_EQ(bytes("100GB"), 100'000'000'000u);
    EXPECT_EQ(bytes("512MiB"), 512u << 20);
    EXPECT_EQ(bytes("1 TiB"), 1ULL << 40);
    EXPECT_EQ(bytes("42"), 42u);
    EXPECT_EQ(bytes("7B"), 7u);
}

TEST(Bytes, TakesUnitsInAnyCase) {
    EXPECT_EQ(bytes("12gb"), 12'000'000'000u);
    EXPECT_EQ(bytes("1Kb"), 1'000u);
    EXPECT_EQ(bytes("1kIB"), 1'024u);
}

TEST(Bytes, TakesFractionsExactly) {
    EXPECT_EQ(bytes("1.5GB"), 1'500'000'000u);
    EXPECT_EQ(bytes("0.1GB"), 100'000'000u);
    EXPECT_EQ(bytes("1.001KB"), 1'001u);
}

TEST(Bytes, KeepsEveryByteOfALargeNumber) {
    EXPECT_EQ(bytes("18446744073709551615"), 18446744073709551615u);
    EXPECT_EQ(bytes("9007199254740993"), 9007199254740993u);  // no double can hold it
}

TEST(Bytes, RefusesWhatIsNoSize) {
    for (const char* text : {"", "GB", "-1GB", "+1", "1.GB", ".5GB", "1.5", "1.5B", "1 G B", "1GBs",
                             "1e9", "0x10", "1,5GB", "12 parsecs", "1 2", "nan"})
        EXPECT_EQ(bytes(text), std::nullopt) << text;
}

TEST(Bytes, RefusesWhatDoesNotFitIn64Bits) {
    EXPECT_EQ(bytes("18446744073709551616"), std::nullopt);
    EXPECT_EQ(bytes("18446744073709552KB"), std::nullopt);
    EXPECT_EQ(bytes("18446744073709551.9KB"), std::nullopt);
}

TEST(Bytes, ArePrintedAsDownloadsAre) {
    EXPECT_EQ(format_bytes({0}), "0 B");
    EXPECT_EQ(format_bytes({512}), "512 B");
    EXPECT_EQ(format_bytes({1'000}), "1.0 KB");
    EXPECT_EQ(format_bytes({6'938'040'682}), "6.9 GB");
    EXPECT_EQ(format_bytes({UINT64_MAX}), "18.4 EB");
}

TEST(Bytes, ArePrintedInTheNextUnitWhenRoundingReachesIt) {
    EXPECT_EQ(format_bytes({999'949}), "999.9 KB");
    EXPECT_EQ(format_bytes({999'950}), "1.0 MB");
}

TEST(Duration, TakesOneUnitOrSeveral) {
    EXPECT_EQ(parse_duration("90s"), 90s);
    EXPECT_EQ(parse_duration("2m"), 2min);
    EXPECT_EQ(parse_duration("1h30m"), 90min);
    EXPECT_EQ(parse_duration("500ms"), 500ms);
    EXPECT_EQ(parse_duration("1h2m3s4ms"), 1h + 2min + 3s + 4ms);
    EXPECT_EQ(parse_duration("1.5h"), 90min);
    EXPECT_EQ(parse_duration("0s"), 0ms);
}

TEST(Duration, RefusesWhatIsNoDuration) {
    for (const char* text : {"", "90", "s", "-1s", "1x", "30m1h", "1m1m", "1h 30", "1.s", "1d",
                             "99999999999999999999s", "9223372036854775807s"})
        EXPECT_EQ(parse_duration(text), std::nullopt) << text;
}

TEST(Duration, IsPrintedShort) {
    EXPECT_EQ(format_duration(450ms), "450ms");
    EXPECT_EQ(format_duration(12'340ms), "12.3s");
    EXPECT_EQ(format_duration(185s), "3m05s");
    EXPECT_EQ(format_duration(62min), "1h02m");
}

TEST(Duration, RoundsIntoTheNextUnit) {
    EXPECT_EQ(format_duration(59'940ms), "59.9s");
    EXPECT_EQ(format_duration(59'950ms), "1m00s");
    EXPECT_EQ(format_duration(3'599'600ms), "1h00m");
}

}  // namespace
}  // namespace podctl
