#pragma once

#include "podctl/base/error.hpp"
#include "podctl/git/git.hpp"

#include "support/git_server.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace podctl::git {

// The Error that `action` throws; fails the test when it throws none.
template <class Action>
std::optional<Error> error_of(Action action) {
    try {
        action();
    } catch (const Error& error) {
        return error;
    }
    ADD_FAILURE() << "no Error was thrown";
    return std::nullopt;
}

// A small history: three commits on main with the tags "v1" (annotated, on the second) and "light"
// (on the first), and a branch "feature".
struct History {
    explicit History(const std::filesystem::path& folder) : work(folder) {
        first = work.commit_file("a.txt", "one\n");
        work.git({"tag", "light"});
        work.write("tool.sh", "#!/bin/sh\n");
        std::filesystem::permissions(work.path() / "tool.sh", std::filesystem::perms{0755});
        std::filesystem::create_symlink("a.txt", work.path() / "link");
        second = work.commit_file("sub/b.txt", "b\n");
        work.git({"tag", "--annotate", "-m", "one", "v1"});
        work.git({"checkout", "--quiet", "-b", "feature"});
        feature = work.commit_file("feature.txt", "f\n");
        work.git({"checkout", "--quiet", "main"});
        third = work.commit_file("a.txt", "three\n");
    }
    // A copy of the one that is made once: every git command takes its milliseconds.
    History(const History& original, const std::filesystem::path& folder)
        : work(original.work, folder),
          first(original.first),
          second(original.second),
          third(original.third),
          feature(original.feature) {}

    test::GitRepository work;
    std::string first, second, third, feature;
};

struct Folder {
    test::TempDir dir;
};

// The history in `work`, published as served/pack.git.
class GitTest : public testing::Test, protected Folder, protected History {
protected:
    GitTest() : History(original(), dir / "work") {
        std::filesystem::create_directories(served());
        publish();
    }
    static const History& original() {
        static const test::TempDir folder;
        static const History history{folder / "work"};
        return history;
    }

    std::filesystem::path served() const { return dir / "served"; }
    std::filesystem::path bare() const { return served() / "pack.git"; }
    void publish() { work.publish(bare()); }

    CloneRequest request(const std::string& url, const std::string& ref = {}) const {
        return {.url = url, .ref = ref, .destination = there(), .staging = dir / "staging"};
    }
    std::filesystem::path there() const { return dir / "there"; }
    std::string in_clone(const std::vector<std::string>& arguments) const {
        return test::git(there(), arguments);
    }
    Checkout clone_it(const std::string& url, const std::string& ref = {}) {
        return clone(request(url, ref), network, monitor(), {});
    }
    Checkout update_it(const std::string& url, const std::string& ref = {}) {
        return update({.checkout = there(), .url = url, .ref = ref}, network, monitor(), {});
    }
    Monitor monitor() {
        return {.on_progress = {},
                .on_notice = [this](const std::string& text) { notices.push_back(text); }};
    }
    // What git itself says about the clone.
    void expect_sound() const {
        EXPECT_EQ(in_clone({"status", "--porcelain"}), "");
        EXPECT_EQ(in_clone({"fsck", "--strict"}).find("error"), std::string::npos);
        EXPECT_FALSE(std::filesystem::exists(dir / "staging"));
    }

    Mirrors mirrors;
    http::Client http;
    Network network{mirrors, http};
    std::vector<std::string> notices;
};

}  // namespace podctl::git
