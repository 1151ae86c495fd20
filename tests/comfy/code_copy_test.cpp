#include "podctl/comfy/code_copy.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/process.hpp"
#include "podctl/base/trust.hpp"

#include "support/error_of.hpp"
#include "support/git_server.hpp"
#include "support/temp_dir.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <iterator>
#include <map>
#include <stop_token>
#include <string>

namespace podctl::comfy {
namespace {

namespace fs = std::filesystem;

class ComfyCode : public testing::Test {
protected:
    ComfyCode() {
        for (const auto* file :
             {"main.py", "nodes.py", "comfy/cli_args.py", "comfy/ldm/flux.py",
              "models/vae/put_here", "custom_nodes/example_node.py.example", ".ci/update.py"})
            repository_.write(file, file);
        repository_.commit();
        write_file_atomically(checkout() / "user/default/setting.json", "{}");
        write_file_atomically(checkout() / "extra_model_paths.yaml", "a: {}\n");
        write_file_atomically(checkout() / "venv/pyvenv.cfg", "x");
        write_file_atomically(checkout() / "my.safetensors", "large");
    }

    CodeChanges sync() const { return sync_code(code_, {}); }
    const fs::path& checkout() const { return code_.checkout; }
    const fs::path& copy() const { return code_.copy; }
    fs::path link_at(const fs::path& name) const {
        std::error_code failed;
        return fs::read_symlink(copy() / name, failed);
    }
    static void set_time(const fs::path& file, time_t seconds) {
        const timespec times[2] = {{seconds, 0}, {seconds, 0}};
        ASSERT_EQ(::utimensat(AT_FDCWD, file.c_str(), times, 0), 0);
    }
    // What both have, by path: links and folders, bytecode left out.
    static std::map<fs::path, std::string> files_below(const fs::path& folder) {
        std::map<fs::path, std::string> files;
        for (const auto& entry : fs::recursive_directory_iterator{folder})
            if (entry.is_regular_file() && !entry.is_symlink() &&
                entry.path().parent_path().filename() != "__pycache__")
                files[entry.path().lexically_relative(folder)] = read_file(entry.path());
        return files;
    }

    test::TempDir dir_;
    test::GitRepository repository_{dir_ / "volume/ComfyUI"};
    CodeCopy code_{.checkout = dir_ / "volume/ComfyUI",
                   .base = dir_ / "volume/ComfyUI",
                   .copy = dir_ / "own/code"};
};

TEST_F(ComfyCode, HasWhatGitTracksAndLinksToTheRest) {
    EXPECT_FALSE(has_code(code_));
    EXPECT_EQ(sync().copied, 4u);
    EXPECT_TRUE(has_code(code_));
    for (const auto* file : {"main.py", "nodes.py", "comfy/cli_args.py", "comfy/ldm/flux.py"}) {
        EXPECT_EQ(read_file(copy() / file), file);
        EXPECT_FALSE(fs::is_symlink(copy() / file));
    }
    for (const auto* name :
         {"models", "custom_nodes", "input", "output", "user", "venv", ".ci", "my.safetensors"}) {
        EXPECT_EQ(link_at(name), checkout() / name);
        EXPECT_TRUE(fs::exists(copy() / name)) << name;
    }
    // Its relative paths count from where it lies.
    EXPECT_FALSE(fs::exists(copy() / "extra_model_paths.yaml"));
    EXPECT_FALSE(fs::exists(copy() / "temp"));
}

TEST_F(ComfyCode, HasItsDataWhereItsBaseIs) {
    code_.base = dir_ / "own/comfyui";
    sync();
    EXPECT_EQ(link_at("custom_nodes"), code_.base / "custom_nodes");
    EXPECT_EQ(link_at("venv"), checkout() / "venv");
}

TEST_F(ComfyCode, IsNotTouchedWhereNothingHasChanged) {
    sync();
    const auto before = file_stamp(copy() / ".podctl");
    const auto again = sync();
    EXPECT_EQ(again.copied + again.removed, 0u);
    EXPECT_EQ(file_stamp(copy() / ".podctl"), before);
}

TEST_F(ComfyCode, FollowsWhatIsEditedAddedAndRemoved) {
    sync();
    write_file_atomically(checkout() / "comfy/ldm/flux.py", "edited");
    write_file_atomically(checkout() / "comfy/ldm/new/added.py", "added");
    write_file_atomically(checkout() / "by_hand.py", "not git's");
    fs::remove(checkout() / "nodes.py");
    fs::remove(checkout() / "comfy/cli_args.py");
    fs::remove_all(checkout() / "venv");
    const auto changes = sync();
    EXPECT_EQ(changes.copied, 2u);
    EXPECT_EQ(changes.removed, 3u);
    EXPECT_EQ(read_file(copy() / "comfy/ldm/flux.py"), "edited");
    EXPECT_EQ(read_file(copy() / "comfy/ldm/new/added.py"), "added");
    EXPECT_EQ(link_at("by_hand.py"), checkout() / "by_hand.py");
    for (const auto* gone : {"nodes.py", "comfy/cli_args.py", "venv"})
        EXPECT_FALSE(fs::exists(fs::symlink_status(copy() / gone))) << gone;
}

TEST_F(ComfyCode, SeesAnEditThatKeepsTheSize) {
    sync();
    write_file_atomically(checkout() / "main.py", "MAIN.PY");
    set_time(checkout() / "main.py", 1'700'000'000);
    sync();
    EXPECT_EQ(read_file(copy() / "main.py"), "MAIN.PY");
}

TEST_F(ComfyCode, FollowsAFileThatBecomesAFolderAndTheOtherWayRound) {
    sync();
    fs::remove(checkout() / "nodes.py");
    write_file_atomically(checkout() / "nodes.py/a.py", "a");
    fs::remove_all(checkout() / "comfy/ldm");
    write_file_atomically(checkout() / "comfy/ldm", "b");
    sync();
    EXPECT_EQ(read_file(copy() / "nodes.py/a.py"), "a");
    EXPECT_EQ(read_file(copy() / "comfy/ldm"), "b");
}

TEST_F(ComfyCode, HasALinkToALinkOfTheCheckout) {
    write_file_atomically(dir_ / "elsewhere/x.py", "x");
    fs::create_symlink("../../../elsewhere/x.py", checkout() / "comfy/x.py");
    fs::create_directory_symlink(dir_ / "elsewhere", checkout() / "comfy/folder");
    sync();
    EXPECT_EQ(link_at("comfy/x.py"), checkout() / "comfy/x.py");
    EXPECT_EQ(read_file(copy() / "comfy/x.py"), "x");
    EXPECT_EQ(link_at("comfy/folder"), checkout() / "comfy/folder");
    EXPECT_EQ(sync().copied, 0u);
}

TEST_F(ComfyCode, LeavesWhatAPackHasMadeBesideItAndNothingWithinIt) {
    sync();
    write_file_atomically(copy() / "web/extensions/pack.js", "js");
    write_file_atomically(copy() / "comfy/patched.py", "x");
    sync();
    EXPECT_TRUE(fs::exists(copy() / "web/extensions/pack.js"));
    EXPECT_FALSE(fs::exists(copy() / "comfy/patched.py"));
    // Also where the checkout comes to have something under its name.
    write_file_atomically(checkout() / "web/of_the_checkout.js", "js");
    sync();
    EXPECT_TRUE(fs::exists(copy() / "web/extensions/pack.js"));
}

TEST_F(ComfyCode, HasTheNewerBytecodeOnBothSides) {
    const fs::path pyc = "comfy/__pycache__/cli_args.cpython-311.pyc";
    write_file_atomically(checkout() / pyc, "of an earlier pod");
    sync();
    EXPECT_EQ(read_file(copy() / pyc), "of an earlier pod");
    // Python compiles what was edited, and what was never compiled.
    write_file_atomically(copy() / pyc, "newer");
    set_time(copy() / pyc, 4'000'000'000);
    write_file_atomically(copy() / "__pycache__/nodes.cpython-311.pyc", "first");
    write_file_atomically(copy() / "of_a_pack/__pycache__/x.cpython-311.pyc", "no place for it");
    sync();
    EXPECT_EQ(read_file(copy() / pyc), "newer");
    keep_bytecode(code_, {});
    EXPECT_EQ(read_file(checkout() / pyc), "newer");
    EXPECT_EQ(read_file(checkout() / "__pycache__/nodes.cpython-311.pyc"), "first");
    EXPECT_FALSE(fs::exists(checkout() / "of_a_pack"));
    const auto kept = file_stamp(checkout() / pyc);
    keep_bytecode(code_, {});
    EXPECT_EQ(file_stamp(checkout() / pyc), kept);
    EXPECT_EQ(sync().copied, 0u);
    // A new container has it.
    fs::remove_all(copy());
    sync();
    EXPECT_EQ(read_file(copy() / "__pycache__/nodes.cpython-311.pyc"), "first");
}

TEST_F(ComfyCode, IsOfNoUseWhereAFileCannotBeRead) {
    sync();
    fs::remove(checkout() / "main.py");
    write_file_atomically(checkout() / "main.py", "edited");
    // Root reads whatever the mode is.
    if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
    fs::permissions(checkout() / "main.py", fs::perms::none);
    EXPECT_EQ(test::error_of([&] { sync(); }).kind(), ErrorKind::io);
}

TEST_F(ComfyCode, IsNotToBeHadWhereItCannotBeWritten) {
    write_file_atomically(dir_ / "own", "a file");
    EXPECT_EQ(test::error_of([&] { sync(); }).kind(), ErrorKind::io);
}

TEST_F(ComfyCode, IsNotToBeHadWithoutARepository) {
    fs::remove_all(checkout() / ".git");
    EXPECT_EQ(test::error_of([&] { sync(); }).kind(), ErrorKind::git);
}

TEST_F(ComfyCode, IsMadeAnewAfterAnotherBoot) {
    sync();
    // What a host that stopped has left: the time is right, and the bytes are not.
    const auto stamp = fs::last_write_time(copy() / "main.py");
    write_file_atomically(copy() / "main.py", std::string(7, '\0'));
    fs::last_write_time(copy() / "main.py", stamp);
    auto note = read_file(copy() / ".podctl");
    write_state_file(copy() / ".podctl", note.replace(0, note.find('\n'), "another-boot"));
    EXPECT_FALSE(has_code(code_));
    sync();
    EXPECT_EQ(read_file(copy() / "main.py"), "main.py");
}

// Killed at whatever instant: the checkout is as it was, and the next sync puts the copy right.
TEST_F(ComfyCode, IsPutRightAfterAKillAtAnyInstant) {
    for (int i = 0; i < 300; ++i)
        repository_.write("comfy/many/m" + std::to_string(i) + ".py", std::string(2000, 'x'));
    repository_.commit();
    const auto before = files_below(checkout() / "comfy");
    bool was_killed = false;
    for (int round = 0; round < 12; ++round) {
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            sync_code(code_, {});
            ::_exit(0);
        }
        // Watched until some of the files are there: another point in each round.
        const auto enough = static_cast<std::size_t>(round) * 25;
        const auto copied = [&] {
            std::error_code ignored;
            const fs::directory_iterator found{copy() / "comfy/many", ignored};
            return static_cast<std::size_t>(std::distance(begin(found), end(found)));
        };
        while (copied() < enough && ::waitpid(child, nullptr, WNOHANG) == 0) {
        }
        ::kill(child, SIGKILL);
        int status = 0;
        if (::waitpid(child, &status, 0) == child && WIFSIGNALED(status)) was_killed = true;
        EXPECT_EQ(files_below(checkout() / "comfy"), before);
        sync();
        EXPECT_EQ(files_below(copy() / "comfy"), before);
        EXPECT_EQ(sync().copied, 0u);
        fs::remove_all(copy());
    }
    EXPECT_TRUE(was_killed);
}

TEST_F(ComfyCode, EndsBetweenTwoFilesOnceAStopIsRequested) {
    std::stop_source stop;
    stop.request_stop();
    EXPECT_EQ(test::error_of([&] { sync_code(code_, stop.get_token()); }).kind(),
              ErrorKind::interrupted);
    EXPECT_FALSE(has_code(code_));
    EXPECT_EQ(sync().copied, 4u);
}

// Who asks Python where folder_paths.py is finds the checkout, and its repository.
TEST_F(ComfyCode, HasTheCheckoutsOwnModuleOfPaths) {
    repository_.commit_file("folder_paths.py", "import os\nhere = os.path.dirname(__file__)\n");
    sync();
    EXPECT_EQ(sync().copied, 0u);
    const auto asked =
        run_captured({.argv = {"python3", "-B", "-c",
                               "import folder_paths as p; print(p.__file__, p.here, p.__name__)"},
                      .working_directory = copy()},
                     {});
    EXPECT_EQ(trim(asked.output), (checkout() / "folder_paths.py").string() + " " +
                                      checkout().string() + " folder_paths");
    EXPECT_FALSE(fs::exists(fs::symlink_status(copy() / ".git")));
}

}  // namespace
}  // namespace podctl::comfy
