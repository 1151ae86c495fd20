#include "podctl/base/process.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "spawn.hpp"
#include "support/error_of.hpp"
#include "support/temp_dir.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <thread>

namespace podctl {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Command shell(const std::string& script) {
    return {.argv = {"sh", "-c", script}};
}

std::string output_of(const Command& command) {
    return run_captured(command, {}).output;
}

using test::error_of;

bool becomes_readable(int fd, int events = POLLIN) {
    pollfd polled{.fd = fd, .events = static_cast<short>(events), .revents = 0};
    return ::poll(&polled, 1, 20'000) == 1;
}

// A fifo that a process holds open for as long as it lives: the end of the last holder is seen as a
// hang-up, whoever reaps it.
class LifeLine {
public:
    LifeLine() {
        EXPECT_EQ(::mkfifo(path().c_str(), 0600), 0);
        fd_ = Fd{::open(path().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    }
    fs::path path() const { return dir_ / "fifo"; }
    bool everybody_died() const { return becomes_readable(fd_.get(), POLLIN); }

private:
    test::TempDir dir_;
    Fd fd_;
};

std::string write_script(const fs::path& path, std::string_view text, unsigned mode = 0755) {
    AtomicFile file{path};
    file.write(text);
    file.set_mode(mode);
    file.commit();
    return path.string();
}

TEST(Run, GivesExitCodeAndLines) {
    std::vector<std::string> lines;
    const auto status =
        run_command(shell("echo out; echo err >&2; printf last; exit 3"), {},
                    {.on_line = [&](std::string_view line) { lines.emplace_back(line); }});
    EXPECT_EQ(status.code, 3);
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(status.describe(), "exit code 3");
    EXPECT_THAT(lines, ElementsAre("out", "err", "last"));
}

TEST(Run, TellsWhichSignalEndedTheChild) {
    const auto status = run_command(shell("kill -KILL $$"), {});
    EXPECT_EQ(status.signal, SIGKILL);
    EXPECT_EQ(status.describe(), "killed by SIGKILL");
    EXPECT_FALSE(status.ok());
}

TEST(Run, HandsOverMoreThanAPipeHolds) {
    const std::string output = output_of(shell("head -c 1000000 /dev/zero | tr '\\0' x"));
    EXPECT_EQ(output.size(), 1'000'000u);
    EXPECT_EQ(output.find_first_not_of('x'), std::string::npos);
}

TEST(Run, KeepsTheFirst16MiBOfACapture) {
    const std::string output = output_of(shell("head -c 20000000 /dev/zero"));
    EXPECT_EQ(output.size(), 16u << 20);
}

TEST(Run, GivesTheChildNothingToRead) {
    EXPECT_EQ(output_of({.argv = {"cat"}}), "");
}

TEST(Run, DoesNotWaitForAGrandchildThatKeepsThePipe) {
    const auto started = std::chrono::steady_clock::now();
    EXPECT_EQ(output_of(shell("sleep 60 & echo done")), "done\n");
    EXPECT_LT(std::chrono::steady_clock::now() - started, 30s);
}

TEST(Run, StartsInTheWorkingDirectory) {
    const test::TempDir dir;
    const fs::path real = fs::canonical(dir.path());
    EXPECT_EQ(output_of({.argv = {"pwd"}, .working_directory = real}), real.string() + "\n");
}

TEST(Run, FindsARelativeProgramFromTheWorkingDirectory) {
    const test::TempDir dir;
    write_script(dir / "tool", "#!/bin/sh\necho here\n");
    EXPECT_EQ(output_of({.argv = {"./tool"}, .working_directory = dir.path()}), "here\n");
}

// As on glibc 2.28, whose posix_spawn cannot change the folder.
TEST(Run, StartsInTheWorkingDirectoryByEnvToo) {
    const test::TempDir dir;
    write_script(dir / "tool", "#!/bin/sh\necho \"$(pwd) $*\" >said\n");
    Child child = Spawner::spawn({.argv = {"./tool", "a b", "-C"}, .working_directory = dir.path()},
                                 ExitNotice::pidfd, FolderChange::by_env);
    EXPECT_EQ(child.wait().code, 0);
    EXPECT_EQ(read_file(dir / "said"), fs::canonical(dir.path()).string() + " a b -C\n");
}

TEST(Run, FindsTheProgramInThePathOfTheChild) {
    const test::TempDir dir;
    write_script(dir / "podctl-test-tool", "#!/bin/sh\necho found \"$1\"\n");
    const Command command{.argv = {"podctl-test-tool", "a b"},
                          .environment = {{"PATH", "/nonexistent:" + dir.path().string()}}};
    EXPECT_EQ(output_of(command), "found a b\n");
}

TEST(Run, AddsAndTakesVariables) {
    ::setenv("PODCTL_TEST_KEPT", "kept", 1);
    ::setenv("PODCTL_TEST_TAKEN", "taken", 1);
    Command command = shell("echo \"$PODCTL_TEST_KEPT,$PODCTL_TEST_TAKEN,$PODCTL_TEST_NEW\"");
    command.environment = {{"PODCTL_TEST_NEW", "a=b"}};
    command.unset = {"PODCTL_TEST_TAKEN"};
    EXPECT_EQ(output_of(command), "kept,,a=b\n");
}

TEST(Run, LeavesNoDescriptorBehind) {
    const auto count = [] {
        return std::distance(fs::directory_iterator{"/proc/self/fd"}, fs::directory_iterator{});
    };
    run_command(shell("true"), {});
    const auto before = count();
    for (int i = 0; i < 20; ++i)
        run_command(shell("echo x"), {});
    EXPECT_EQ(count(), before);
}

TEST(Run, StopsTheGroupWhenAsked) {
    std::stop_source source;
    const auto stop_on_ready = [&](std::string_view line) {
        if (line == "ready") source.request_stop();
    };
    const LifeLine life;
    const auto script = "exec 3>" + life.path().string() + "; sleep 60 & echo ready; wait";
    const Error error = error_of(
        [&] { run_command(shell(script), source.get_token(), {.on_line = stop_on_ready}); });
    EXPECT_EQ(error.kind(), ErrorKind::interrupted);
    EXPECT_TRUE(life.everybody_died());
}

TEST(Run, LetsTheChildTidyUpWithinTheGrace) {
    std::stop_source source;
    std::vector<std::string> lines;
    const auto on_line = [&](std::string_view line) {
        lines.emplace_back(line);
        if (line == "ready") source.request_stop();
    };
    const auto script = "trap 'echo tidy; exit 0' TERM; echo ready; while :; do sleep 0.01; done";
    EXPECT_THROW(run_command(shell(script), source.get_token(), {.on_line = on_line, .grace = 60s}),
                 Error);
    EXPECT_THAT(lines, testing::Contains("tidy"));
}

TEST(Run, KillsAGroupThatIgnoresTerm) {
    std::stop_source source;
    const auto stop_on_ready = [&](std::string_view) { source.request_stop(); };
    const LifeLine life;
    const auto script =
        "exec 3>" + life.path().string() + "; trap '' TERM; echo ready; while :; do sleep 1; done";
    const Error error = error_of([&] {
        run_command(shell(script), source.get_token(), {.on_line = stop_on_ready, .grace = 20ms});
    });
    EXPECT_EQ(error.kind(), ErrorKind::interrupted);
    EXPECT_TRUE(life.everybody_died());
}

TEST(Run, StartsNothingWhenAlreadyStopped) {
    std::stop_source source;
    source.request_stop();
    const test::TempDir dir;
    const auto touch = shell("touch " + (dir / "file").string());
    EXPECT_EQ(error_of([&] { run_command(touch, source.get_token()); }).kind(),
              ErrorKind::interrupted);
    EXPECT_FALSE(fs::exists(dir / "file"));
}

TEST(Run, EndsACommandThatTakesTooLong) {
    const Error error =
        error_of([&] { run_command(shell("exec sleep 60"), {}, {.timeout = 50ms}); });
    EXPECT_EQ(error.kind(), ErrorKind::command_failed);
    EXPECT_EQ(error.message(), "sh -c 'exec sleep 60': did not end within 50ms");
}

TEST(Run, EndsTheChildWhenALineIsTooMuchForTheCaller) {
    const LifeLine life;
    const auto script = "exec 3>" + life.path().string() + "; echo x; exec sleep 60";
    const auto refuse = [](std::string_view) { throw Error{ErrorKind::python, "enough"}; };
    EXPECT_EQ(error_of([&] { run_command(shell(script), {}, {.on_line = refuse}); }).kind(),
              ErrorKind::python);
    EXPECT_TRUE(life.everybody_died());
}

TEST(Run, NamesAProgramThatDoesNotExist) {
    const Error error = error_of([] { run_command({.argv = {"podctl-no-such-program"}}, {}); });
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.message(), HasSubstr("podctl-no-such-program: no such program in PATH"));
    EXPECT_EQ(error_of([] { run_command({.argv = {"/nonexistent/x"}}, {}); }).kind(),
              ErrorKind::not_found);
    EXPECT_EQ(error_of([] { run_command({.argv = {""}}, {}); }).kind(), ErrorKind::not_found);
}

TEST(Run, TellsWhatIsWrongWithAProgramThatExists) {
    const test::TempDir dir;
    const auto orphan = write_script(dir / "pip", "#!/nonexistent/python\n");
    const Error error = error_of([&] { run_command({.argv = {orphan}}, {}); });
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.message(), HasSubstr("interpreter"));
    const auto text = write_script(dir / "notes", "", 0644);
    EXPECT_EQ(error_of([&] { run_command({.argv = {text}}, {}); }).kind(), ErrorKind::io);
    EXPECT_EQ(error_of([&] { run_command({.argv = {dir.path()}}, {}); }).kind(), ErrorKind::io);
}

TEST(Run, NamesAWorkingDirectoryThatDoesNotExist) {
    const Error error =
        error_of([] { run_command({.argv = {"true"}, .working_directory = "/nonexistent"}, {}); });
    EXPECT_EQ(error.kind(), ErrorKind::io);
    EXPECT_THAT(error.message(), HasSubstr("/nonexistent"));
}

class SignalStateTest : public testing::Test {
protected:
    void SetUp() override {
        ignored_ = ::signal(SIGPIPE, SIG_IGN);
        sigset_t term;
        sigemptyset(&term);
        sigaddset(&term, SIGTERM);
        pthread_sigmask(SIG_BLOCK, &term, &before_);
    }
    void TearDown() override {
        pthread_sigmask(SIG_SETMASK, &before_, nullptr);
        ::signal(SIGPIPE, ignored_);
        ::signal(SIGCHLD, SIG_DFL);
    }
    sigset_t before_{};
    sighandler_t ignored_ = SIG_DFL;
};

TEST_F(SignalStateTest, OfPodctlDoesNotReachTheChild) {
    EXPECT_EQ(run_command(shell("kill -PIPE $$; exit 1"), {}).signal, SIGPIPE);
    EXPECT_EQ(run_command(shell("kill -TERM $$; exit 1"), {}).signal, SIGTERM);
}

TEST_F(SignalStateTest, InheritedFromAParentDoesNotLoseExitCodes) {
    ::signal(SIGCHLD, SIG_IGN);
    EXPECT_EQ(run_command(shell("exit 7"), {}).code, 7);
}

// Every way to notice the end of a child.
class ChildTest : public testing::TestWithParam<ExitNotice> {
protected:
    Child spawn(const std::string& script) { return Spawner::spawn(shell(script), GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(Notices, ChildTest, testing::Values(ExitNotice::pidfd, ExitNotice::thread),
                         [](const auto& info) {
                             return info.param == ExitNotice::pidfd ? "Pidfd" : "Thread";
                         });

TEST_P(ChildTest, ExitFdIsReadableOnceItHasEnded) {
    Child child = spawn("read line </dev/null; exit 5");
    ASSERT_TRUE(becomes_readable(child.exit_fd()));
    EXPECT_EQ(child.wait().code, 5);
    EXPECT_EQ(child.poll()->code, 5);
    EXPECT_EQ(child.wait().code, 5);
}

TEST_P(ChildTest, HasNoStatusWhileItRuns) {
    Child child = spawn("exec sleep 60");
    EXPECT_EQ(child.poll(), std::nullopt);
    EXPECT_GT(child.pid(), 0);
    child.signal_group(SIGTERM);
    EXPECT_EQ(child.wait().signal, SIGTERM);
    EXPECT_NO_THROW(child.signal_group(SIGTERM));  // gone, and that is fine
}

TEST_P(ChildTest, SeesARequestToEndAlsoWhenItIsStopped) {
    Child child = spawn("exec sleep 60");
    child.signal_group(SIGSTOP);
    child.signal_group(SIGTERM);
    EXPECT_EQ(child.wait().signal, SIGTERM);
}

TEST_P(ChildTest, PollGetsTheStatusAfterTheNotice) {
    Child child = spawn("exit 4");
    ASSERT_TRUE(becomes_readable(child.exit_fd()));
    const auto status = child.poll();
    ASSERT_TRUE(status);
    EXPECT_EQ(status->code, 4);
}

TEST_P(ChildTest, IsKilledAndReapedWithItsGroupByTheDestructor) {
    const LifeLine life;
    pid_t pid = 0;
    {
        Child child = spawn("exec 3>" + life.path().string() + "; sleep 60 & echo up; wait");
        ASSERT_TRUE(becomes_readable(child.output_fd()));
        pid = child.pid();
    }
    EXPECT_TRUE(life.everybody_died());
    EXPECT_EQ(::kill(pid, 0), -1);  // no zombie is left
}

TEST_P(ChildTest, TakesGrandchildrenAlongThatOutlivedIt) {
    const LifeLine life;
    {
        Child child = spawn("exec 3>" + life.path().string() + "; sleep 60 &");
        EXPECT_TRUE(child.wait().ok());
    }
    EXPECT_TRUE(life.everybody_died());
}

// Or another process group could get its number, and be signalled instead.
TEST_P(ChildTest, KeepsItsNumberAsLongAsItsGroupMayBeSignalled) {
    pid_t pid = 0;
    {
        Child child = spawn("exit 0");
        EXPECT_TRUE(child.wait().ok());
        pid = child.pid();
        EXPECT_EQ(::kill(-pid, 0), 0);
    }
    EXPECT_EQ(::kill(-pid, 0), -1);
}

TEST_P(ChildTest, LeadsAGroupOfItsOwn) {
    Child child = spawn("exec sleep 60");
    EXPECT_EQ(::getpgid(child.pid()), child.pid());
}

TEST_P(ChildTest, DoesNotInheritThePipeOfAnother) {
    Child first = spawn("exec sleep 60");
    const std::string script = "test -e /proc/self/fd/" + std::to_string(first.output_fd());
    EXPECT_EQ(run_command(shell(script), {}).code, 1);
}

TEST_P(ChildTest, ManyAreToldApart) {
    std::vector<Child> children;
    for (int i = 0; i < 20; ++i)
        children.push_back(spawn("exit " + std::to_string(i)));
    for (int i = 19; i >= 0; --i)
        EXPECT_EQ(children[static_cast<std::size_t>(i)].wait().code, i);
}
}  // namespace
}  // namespace podctl
