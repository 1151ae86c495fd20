#include "podctl/python/generations.hpp"

#include "podctl/base/file.hpp"
#include "podctl/python/python.hpp"

#include "environment_mark.hpp"
#include "support/error_of.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <stop_token>

namespace podctl::python {
namespace {

namespace fs = std::filesystem;
using test::error_of;

class Generations : public testing::Test {
protected:
    // A finished environment, as far as its note and its python tell.
    fs::path finish(const fs::path& generation, const std::string& fingerprint) {
        write_file_atomically(generation / "bin/python", "");
        write_file_atomically(generation / "lib/site-packages/module.py", fingerprint);
        write_mark(generation, {.fingerprint = std::nullopt,
                                .before = read_mark(generation).value_or(Mark{}).before});
        mark_finished(generation, fingerprint);
        return generation;
    }
    fs::path build(const std::string& fingerprint) {
        const fs::path generation = finish(next_generation(place), fingerprint);
        swap_in(place, generation);
        return generation;
    }
    std::string module_at_place() { return read_file(place / "lib/site-packages/module.py"); }
    std::size_t count() {
        std::size_t found = 0;
        for (const auto& entry : fs::directory_iterator{dir / ".venv.podctl"})
            found += entry.is_directory() && !entry.is_symlink() ? 1 : 0;
        return found;
    }

    test::TempDir dir;
    const fs::path place = dir / "venv";
};

TEST_F(Generations, LoseWhatAKilledWriterOfTheMarkHasLeft) {
    const fs::path current = build("one");
    const fs::path left = current / "..podctl-environment.podctl-pPANma";
    write_file_atomically(left, "half a ma");
    write_file_atomically(current / "users.txt", "mine");
    remove_abandoned_marks(place);
    EXPECT_FALSE(fs::exists(left));
    EXPECT_TRUE(fs::exists(current / "users.txt"));
    EXPECT_EQ(finished_fingerprint(place), "one");
    remove_abandoned_marks(dir / "no environment");
}

// Who writes the mark says what podctl runs.
TEST_F(Generations, AMarkThatOthersMayHaveWrittenMakesNoEnvironment) {
    const fs::path first = build("one");
    ASSERT_EQ(finished_fingerprint(place), "one");
    fs::permissions(first / ".podctl-environment", fs::perms{0666});
    EXPECT_EQ(current_generation(place), std::nullopt);
    EXPECT_EQ(finished_fingerprint(place), std::nullopt);
    const fs::path again = next_generation(place);
    EXPECT_FALSE(fs::exists(again / "bin/python"));
}

TEST_F(Generations, AFolderThatOthersMayWriteToIsNoEnvironment) {
    const fs::path first = build("one");
    fs::permissions(first, fs::perms{0777});
    EXPECT_EQ(current_generation(place), std::nullopt);
}

TEST_F(Generations, ALinkOfAnotherUserIsReplacedByPodctlsOwn) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
    const test::TempDir theirs;
    finish(theirs / "env", "theirs");
    fs::create_symlink(theirs / "env", place);
    ASSERT_EQ(::lchown(place.c_str(), 65534, 65534), 0);
    EXPECT_EQ(current_generation(place), std::nullopt);
    const fs::path first = next_generation(place);
    EXPECT_EQ(first.parent_path(), dir / ".venv.podctl");
    EXPECT_EQ(current_generation(place), first);
    EXPECT_TRUE(fs::exists(theirs / "env/bin/python"));
}

TEST_F(Generations, TheFirstIsCurrentFromItsBeginning) {
    EXPECT_EQ(current_generation(place), std::nullopt);
    const fs::path first = next_generation(place);
    EXPECT_EQ(current_generation(place), first);
    EXPECT_EQ(finished_fingerprint(place), std::nullopt);
    EXPECT_EQ(next_generation(place), first);
    finish(first, "one");
    swap_in(place, first);
    EXPECT_EQ(finished_fingerprint(place), "one");
    EXPECT_EQ(swap_back(place), std::nullopt);  // nothing to go back to
}

TEST_F(Generations, ANewOneIsBuiltBesideTheCurrentOne) {
    const fs::path first = build("one");
    const fs::path second = next_generation(place);
    EXPECT_NE(second, first);
    create_folders(second);
    write_mark(second, {});
    EXPECT_EQ(next_generation(place), second);  // begun, not finished
    EXPECT_EQ(module_at_place(), "one");
    swap_in(place, finish(second, "two"));
    EXPECT_EQ(module_at_place(), "two");
    EXPECT_EQ(finished_fingerprint(first), "one");
}

TEST_F(Generations, OneWithoutItsMarkIsNotBuiltOn) {
    const fs::path first = build("one");
    const fs::path second = build("two");
    fs::remove(first / ".podctl-environment");
    EXPECT_NE(next_generation(place), first);
    EXPECT_EQ(current_generation(place), second);
}

TEST_F(Generations, OneThatDoesNotWorkGivesWayToTheOneBefore) {
    const fs::path first = build("one");
    accept_generation(place, {});
    const fs::path second = build("two");
    EXPECT_EQ(swap_back(place), first);
    EXPECT_EQ(module_at_place(), "one");
    EXPECT_EQ(swap_back(place), std::nullopt);  // that one is not on trial
    // It may not be what was wrong, so it need not be built again.
    EXPECT_EQ(find_generation(place, "two"), second);
    swap_in(place, second);
    EXPECT_EQ(module_at_place(), "two");
    EXPECT_EQ(swap_back(place), first);
}

TEST_F(Generations, OneOnTrialIsNotWhatTheNextGoesBackTo) {
    const fs::path first = build("one");
    accept_generation(place, {});
    build("two");
    build("three");
    EXPECT_EQ(swap_back(place), first);
}

TEST_F(Generations, AreRemovedOnceTheCurrentOneHasProvedItself) {
    build("one");
    build("two");
    build("three");
    accept_generation(place, {});
    EXPECT_EQ(count(), 1U);
    EXPECT_EQ(module_at_place(), "three");
    EXPECT_EQ(swap_back(place), std::nullopt);
}

TEST_F(Generations, StayWhenAStopIsRequestedAndNoneHalfRemovedPassesForWhole) {
    build("one");
    build("two");
    std::stop_source stopped;
    stopped.request_stop();
    accept_generation(place, stopped.get_token());
    EXPECT_EQ(find_generation(place, "one"), dir / ".venv.podctl/1");
    EXPECT_EQ(swap_back(place), std::nullopt);  // the trial is over all the same
    accept_generation(place, {});
    EXPECT_EQ(count(), 1U);
}

TEST_F(Generations, ALinkThatSomebodyRemovedAsksForANewEnvironment) {
    build("one");
    accept_generation(place, {});
    fs::remove(place);
    EXPECT_EQ(current_generation(place), std::nullopt);
    next_generation(place);
    EXPECT_EQ(find_generation(place, "one"), std::nullopt);
    EXPECT_EQ(finished_fingerprint(place), std::nullopt);
}

TEST_F(Generations, AFolderOfPodctlsIsReplacedAndKeptAsTheOneBefore) {
    create_folders(place);
    finish(place, "folder");
    EXPECT_EQ(current_generation(place), place);
    build("new");
    EXPECT_EQ(module_at_place(), "new");
    EXPECT_TRUE(swap_back(place));
    EXPECT_EQ(module_at_place(), "folder");
}

TEST_F(Generations, AnEmptyFolderGivesWay) {
    create_folders(place);
    build("one");
    EXPECT_EQ(module_at_place(), "one");
}

TEST_F(Generations, WhatIsNotPodctlsIsNotTouched) {
    write_file_atomically(place / "thesis.txt", "mine");
    const auto error = error_of([&] { next_generation(place); });
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_EQ(read_file(place / "thesis.txt"), "mine");
    EXPECT_EQ(current_generation(place), std::nullopt);
}

TEST_F(Generations, ALinkOfTheUsersStandsForWhereItLeads) {
    create_folders(dir / "fast");
    fs::create_symlink(dir / "fast/venv", place);
    build("one");
    EXPECT_EQ(fs::read_symlink(place), dir / "fast/venv");
    EXPECT_EQ(current_generation(place), dir / "fast/.venv.podctl/1");
    EXPECT_EQ(module_at_place(), "one");
}

TEST_F(Generations, ALinkCycleIsAnError) {
    fs::create_symlink(dir / "other", place);
    fs::create_symlink(place, dir / "other");
    EXPECT_THROW(next_generation(place), Error);
}

TEST_F(Generations, ATrialOutlivesAnInterruptedScript) {
    const fs::path first = build("one");
    accept_generation(place, {});
    build("two");
    mark_unfinished(place);  // an install.py runs
    EXPECT_EQ(swap_back(place), std::nullopt);
    mark_finished(place, "two");
    EXPECT_EQ(swap_back(place), first);
}

TEST_F(Generations, KnowWhichFoldersTheyAre) {
    EXPECT_TRUE(is_generation_of(place, dir / ".venv.podctl/3"));
    for (const auto* other : {".venv.podctl/current", ".other.podctl/3", "venv", ".venv.podctl"})
        EXPECT_FALSE(is_generation_of(place, dir / other)) << other;
}

TEST_F(Generations, AreRemovedTogetherAndWhatIsNotPodctlsStays) {
    build("one");
    build("two");
    std::stop_source stopped;
    stopped.request_stop();
    remove_environment(place, stopped.get_token());
    EXPECT_EQ(finished_fingerprint(place), "two");
    remove_environment(place, {});
    EXPECT_FALSE(fs::exists(fs::symlink_status(place)));
    EXPECT_FALSE(fs::exists(dir / ".venv.podctl"));
    write_file_atomically(dir / "mine/bin/python", "");
    remove_environment(dir / "mine", {});
    EXPECT_TRUE(fs::exists(dir / "mine/bin/python"));
}

}  // namespace
}  // namespace podctl::python
