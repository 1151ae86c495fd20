#include "podctl/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>

namespace podctl {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TEST(Error, CarriesWhatHappenedAndWhatToDo) {
    const Error error{ErrorKind::integrity, "a.bin: sha256 differs", "fetch it again"};
    EXPECT_EQ(error.kind(), ErrorKind::integrity);
    EXPECT_EQ(error.message(), "a.bin: sha256 differs");
    EXPECT_STREQ(error.what(), "a.bin: sha256 differs");
    EXPECT_EQ(error.hint(), "fetch it again");
}

// A name of 90 MB in a model's header, a server's page in place of a word.
TEST(Error, QuotesWhatOthersHaveMadeWithinBounds) {
    const Error long_line{ErrorKind::integrity, "tensor " + std::string(1 << 20, 'n') + " is wrong",
                          std::string(1 << 20, 'h')};
    EXPECT_LE(long_line.message().size(), 16'000u);
    EXPECT_THAT(long_line.message(), testing::StartsWith("tensor n"));
    EXPECT_THAT(long_line.message(), testing::EndsWith("n is wrong"));
    EXPECT_LE(long_line.hint().size(), 16'000u);
    std::string lines;
    for (int i = 0; i < 100'000; ++i)
        lines += "line\n";
    EXPECT_LE(Error(ErrorKind::python, lines).message().size(), 256u << 10);
    const auto report = lines.substr(0, 20'000);
    EXPECT_EQ(Error(ErrorKind::python, report).message(), report);
}

TEST(Error, KindsAreNamedAsScriptsKnowThem) {
    EXPECT_EQ(to_string(ErrorKind::template_), "template");
    EXPECT_EQ(to_string(ErrorKind::command_failed), "command_failed");
    EXPECT_EQ(to_string(ErrorKind::internal), "internal");
}

TEST(Error, EveryKindHasTheExitCodeOfTheContract) {
    EXPECT_EQ(exit_code(ErrorKind::usage), 2);
    EXPECT_EQ(exit_code(ErrorKind::template_), 2);
    EXPECT_EQ(exit_code(ErrorKind::preflight), 3);
    EXPECT_EQ(exit_code(ErrorKind::network), 4);
    EXPECT_EQ(exit_code(ErrorKind::launch), 5);
    EXPECT_EQ(exit_code(ErrorKind::smoke), 6);
    EXPECT_EQ(exit_code(ErrorKind::locked), 7);
}

TEST(Error, NoKindExitsZero) {
    for (int kind = 0; kind <= static_cast<int>(ErrorKind::internal); ++kind)
        EXPECT_NE(exit_code(static_cast<ErrorKind>(kind)), 0);
}

TEST(SystemError, NamesTheCauseAndTheRemedyOfAFullDisk) {
    const Error error = system_error("cannot write /workspace/a.bin", ENOSPC);
    EXPECT_EQ(error.kind(), ErrorKind::io);
    EXPECT_EQ(error.message(), "cannot write /workspace/a.bin: No space left on device");
    EXPECT_THAT(error.hint(), HasSubstr("disk is full"));
}

TEST(AsError, TellsWhatTheFileSystemRefused) {
    const auto failed = std::make_error_code(std::errc::io_error);
    const Error error = as_error(std::filesystem::filesystem_error{"status", "/a", failed});
    EXPECT_EQ(error.kind(), ErrorKind::io);
    EXPECT_EQ(error.message(), "/a: Input/output error");
    EXPECT_EQ(as_error(Error{ErrorKind::git, "x"}).kind(), ErrorKind::git);
    EXPECT_EQ(as_error(std::runtime_error{"x"}).kind(), ErrorKind::internal);
}

TEST(SystemError, HintsAtReadOnlyAndForbiddenPlaces) {
    EXPECT_THAT(system_error("x", EROFS).hint(), HasSubstr("read-only"));
    EXPECT_THAT(system_error("x", EACCES).hint(), HasSubstr("permissions"));
    EXPECT_THAT(system_error("x", EIO).hint(), IsEmpty());
}

}  // namespace
}  // namespace podctl
