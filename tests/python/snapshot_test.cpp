#include "podctl/python/snapshot.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/fd.hpp"

#include "snapshot_world.hpp"
#include "support/random_bytes.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

namespace podctl::python {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(SnapshotTest, BringsBackWhatWasThere) {
    file("lib/a/empty.txt", "");
    file("lib/a/large.bin", test::random_bytes(3 << 20, 1) + std::string(2 << 20, 'x'));
    file("lib/a/" + std::string(140, 'n') + "/" + std::string(200, 'm') + ".py", "long = 1\n");
    file("lib/modèle \xFF.py", "name = 1\n");
    fs::permissions(file("bin/tool", "#!/bin/sh\n"), fs::perms{0755});
    fs::permissions(file("lib/read_only", "r"), fs::perms{0444});
    fs::permissions(file("lib/own", "o"), fs::perms{0600});
    fs::create_directories(generation / "share/empty");
    fs::permissions(generation / "share", fs::perms{0555});
    fs::create_symlink("tool", generation / "bin/link");
    fs::create_symlink("/usr/bin/env", generation / "bin/absolute");
    fs::create_symlink("nowhere", generation / "bin/dangling");
    fs::create_directory_symlink("lib", generation / "lib64");
    fs::create_hard_link(generation / "bin/tool", generation / "bin/same_tool");
    set_mtime("lib/own", 1'000'000'000);
    set_mtime("bin/dangling", 1'100'000'000);
    set_mtime("share/empty", 1'200'000'000);
    const auto before = listing();

    const Snapshot snapshot = pack();
    discard_generation();
    unpack_snapshot(snapshot, folder, {}, {});
    EXPECT_EQ(listing(), before);
    EXPECT_EQ(finished_fingerprint(generation), "one");
    fs::permissions(generation / "share", fs::perms{0755});
}

TEST_F(SnapshotTest, IsFoundAsItWasMade) {
    const Snapshot packed = pack("the caller's own: {\"a\": 1}, ü");
    const auto found = find_snapshots(folder);
    ASSERT_THAT(found, SizeIs(1));
    EXPECT_EQ(found[0].key, packed.key);
    EXPECT_EQ(found[0].fingerprint, "one");
    EXPECT_EQ(found[0].generation, generation);
    EXPECT_EQ(found[0].platform, packed.platform);
    EXPECT_EQ(found[0].parts, packed.parts);
    EXPECT_EQ(found[0].note, "the caller's own: {\"a\": 1}, ü");
    EXPECT_EQ(found[0].made, packed.made);
    EXPECT_THAT(find_snapshots(dir / "nowhere"), IsEmpty());
    EXPECT_THAT(snapshot_platform("3.11.7"), HasSubstr("Python 3.11.7"));
}

TEST_F(SnapshotTest, BytecodeStaysValid) {
    real_environment();
    const fs::path site = site_packages();
    file(site.lexically_relative(generation) / "mine.py", "value = 7\n");
    const auto import = [&] {
        const Command command{.argv = {environment_python(generation), "-c",
                                       "import mine; print(mine.value, mine.__file__)"},
                              .unset = {"PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"}};
        return run_captured(command, {}).output;
    };
    EXPECT_EQ(import(), "7 " + (site / "mine.py").string() + "\n");
    std::string compiled;
    for (const auto& entry : fs::directory_iterator{site / "__pycache__"})
        compiled = entry.path();
    ASSERT_FALSE(compiled.empty());
    mark_finished(generation, "one");

    const Snapshot snapshot = pack();
    discard_generation();
    unpack_snapshot(snapshot, folder, {}, {});
    const auto unpacked = file_stamp(compiled);
    ASSERT_TRUE(unpacked);
    EXPECT_EQ(import(), "7 " + (site / "mine.py").string() + "\n");
    EXPECT_EQ(file_stamp(compiled), unpacked);
}

TEST_F(SnapshotTest, HoldsTorchOnceForAllThatHaveTheSame) {
    const std::string site = "lib/python3.11/site-packages/";
    install_torch(site);
    file(site + "other.py", "1");
    file(site + "__pycache__/other.cpython-311.pyc", "other");
    const Snapshot first = pack();
    ASSERT_THAT(first.parts, SizeIs(2));
    EXPECT_EQ(first.parts[1].members, 6u);  // __init__.py, its bytecode, 3 of metadata, nvidia's
    const auto before = listing();

    // Another generation, with other packages beside the same torch.
    generation = dir / "venv.podctl/2";
    make_environment("two");
    install_torch(site);
    file(site + "more.py", "2");
    const Snapshot second = pack();
    ASSERT_THAT(second.parts, SizeIs(2));
    EXPECT_EQ(second.parts[1], first.parts[1]);
    EXPECT_NE(second.parts[0].sha256, first.parts[0].sha256);
    EXPECT_THAT(files_ending(".tar.zst"), SizeIs(3));

    discard_generation();
    unpack_snapshot(second, folder, {}, {});
    EXPECT_EQ(read_file(generation / site / "torch/__init__.py"), "torch = 1\n");
    EXPECT_EQ(read_file(generation / "bin/torchrun"), "#!" + generation.string() + "/bin/python\n");
    generation = dir / "venv.podctl/1";
    discard_generation();
    unpack_snapshot(first, folder, {}, {});
    EXPECT_EQ(listing(), before);
}

TEST_F(SnapshotTest, PacksTorchAnewWhereItsPartIsNotWhatItsManifestSays) {
    const std::string site = "lib/python3.11/site-packages/";
    install_torch(site);
    const Snapshot first = pack();
    fs::resize_file(folder / first.parts[1].file(), first.parts[1].packed - 1);
    const Snapshot second = pack();
    EXPECT_EQ(second.parts[1].sha256, first.parts[1].sha256);
    discard_generation();
    unpack_snapshot(second, folder, {}, {});
    EXPECT_TRUE(fs::exists(generation / site / "torch/__init__.py"));
}

TEST_F(SnapshotTest, OfAnotherTorchOrPlatformIsNotShared) {
    const std::string site = "lib/python3.11/site-packages/";
    install_torch(site);
    const Snapshot first = pack();
    platform = "another machine";
    const Snapshot second = pack();
    EXPECT_NE(second.key, first.key);
    EXPECT_NE(second.parts[1].shared_by, first.parts[1].shared_by);
    file(site + "torch-2.4.0.dist-info/RECORD", "torch/__init__.py,sha256=other,2\n");
    EXPECT_NE(pack().parts[1].shared_by, second.parts[1].shared_by);
}

TEST_F(SnapshotTest, IsOfFinishedEnvironmentsOnly) {
    fingerprint = "another";
    EXPECT_EQ(error_of([&] { pack(); }).kind(), ErrorKind::conflict);
    fingerprint = "one";
    mark_unfinished(generation);
    EXPECT_EQ(error_of([&] { pack(); }).kind(), ErrorKind::conflict);
    EXPECT_FALSE(fs::exists(folder));
}

// ComfyUI runs while it is packed, and its packs write where they like.
TEST_F(SnapshotTest, OutlivesFilesThatChangeWhileTheyAreRead) {
    std::atomic<bool> done = false;
    std::atomic<int> rounds = 0;
    file("lib/still.txt", "still");
    std::thread writer{[&] {
        while (!done) {
            for (const int size : {10, 3'000'000, 0, 1'500'000}) {
                file("lib/changing.bin", "");
                fs::resize_file(generation / "lib/changing.bin", static_cast<unsigned>(size));
                file("lib/folder/file", "x");
                fs::remove_all(generation / "lib/folder");
            }
            ++rounds;
        }
    }};
    std::vector<Snapshot> packed;
    try {
        while (rounds < 20 || packed.size() < 10)
            packed.push_back(pack());
    } catch (const std::exception& failure) {
        ADD_FAILURE() << failure.what();
    }
    done = true;
    writer.join();
    ASSERT_FALSE(packed.empty());
    discard_generation();
    unpack_snapshot(packed.back(), folder, {}, {});
    EXPECT_EQ(read_file(generation / "lib/still.txt"), "still");
}

TEST_F(SnapshotTest, LeavesOutSocketsAndPipes) {
    ASSERT_EQ(::mkfifo((generation / "pipe").c_str(), 0600), 0);
    const Fd listener{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const fs::path here = fs::current_path();
    fs::current_path(generation);
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = "socket"};
    const int bound =
        ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    fs::current_path(here);
    ASSERT_EQ(bound, 0);
    const Snapshot snapshot = pack();
    discard_generation();
    unpack_snapshot(snapshot, folder, {}, {});
    EXPECT_FALSE(fs::exists(generation / "pipe"));
    EXPECT_FALSE(fs::exists(generation / "socket"));
    EXPECT_TRUE(fs::exists(generation / "bin/python"));
}

TEST_F(SnapshotTest, IsFinishedAtTheVeryEndAndSaysHowFarItIs) {
    file("lib/large.bin", test::random_bytes(5 << 20, 1));
    const Snapshot snapshot = pack();
    discard_generation();
    std::vector<std::uint64_t> done;
    unpack_snapshot(snapshot, folder,
                    [&](std::uint64_t now, std::uint64_t total) {
                        EXPECT_EQ(total, snapshot.packed());
                        EXPECT_EQ(finished_fingerprint(generation), std::nullopt);
                        EXPECT_TRUE(is_ours(generation));
                        done.push_back(now);
                    },
                    {});
    ASSERT_THAT(done, SizeIs(testing::Gt(4u)));
    EXPECT_TRUE(std::ranges::is_sorted(done));
    EXPECT_EQ(done.back(), snapshot.packed());
    EXPECT_EQ(finished_fingerprint(generation), "one");
}

TEST_F(SnapshotTest, ReplacesAnUnfinishedEnvironmentAndNothingElse) {
    const Snapshot snapshot = pack();
    const auto unpack = [&] { unpack_snapshot(snapshot, folder, {}, {}); };
    EXPECT_EQ(error_of(unpack).kind(), ErrorKind::conflict);
    EXPECT_EQ(finished_fingerprint(generation), "one");

    mark_unfinished(generation);
    file("lib/left_by_a_kill", "x");
    unpack();
    EXPECT_EQ(finished_fingerprint(generation), "one");
    EXPECT_FALSE(fs::exists(generation / "lib/left_by_a_kill"));

    discard_generation();
    file("thesis.txt", "mine");
    EXPECT_EQ(error_of(unpack).kind(), ErrorKind::conflict);
    EXPECT_EQ(read_file(generation / "thesis.txt"), "mine");
    fs::remove(generation / "thesis.txt");
    unpack();
    EXPECT_EQ(finished_fingerprint(generation), "one");
}

TEST_F(SnapshotTest, WhoseInterpreterIsNotHereMakesNoEnvironment) {
    const Snapshot snapshot = pack();
    discard_generation();
    fs::remove(dir / "python3");
    EXPECT_EQ(error_of([&] { unpack_snapshot(snapshot, folder, {}, {}); }).kind(),
              ErrorKind::integrity);
    EXPECT_FALSE(fs::exists(generation));
}

TEST_F(SnapshotTest, StopsInTheMiddleOfBoth) {
    file("lib/large.bin", test::random_bytes(5 << 20, 1));
    const Snapshot snapshot = pack();
    std::stop_source stop;
    discard_generation();
    const auto unpacking = error_of([&] {
        unpack_snapshot(
            snapshot, folder, [&](std::uint64_t, std::uint64_t) { stop.request_stop(); },
            stop.get_token());
    });
    EXPECT_EQ(unpacking.kind(), ErrorKind::interrupted);
    EXPECT_FALSE(fs::exists(generation));

    make_environment("two");
    hardly_ever_packed();
    std::stop_source stop_packing;
    std::thread stopper{[&] {
        while (files_ending(".packing").empty())
            std::this_thread::yield();
        stop_packing.request_stop();
    }};
    const auto packing = error_of([&] { pack_environment(request(), stop_packing.get_token()); });
    stopper.join();
    EXPECT_EQ(packing.kind(), ErrorKind::interrupted);
    EXPECT_THAT(files_ending(".packing"), IsEmpty());
    EXPECT_THAT(find_snapshots(folder), SizeIs(1));
}

TEST_F(SnapshotTest, OfAKilledPackerIsNoneAndItsFilesArePruned) {
    hardly_ever_packed();
    const pid_t packer = ::fork();
    if (packer == 0) {
        try {
            pack_environment(request(), {});
        } catch (const std::exception&) {
        }
        ::_exit(1);
    }
    while (files_ending(".packing").empty())
        std::this_thread::yield();
    prune_snapshots(folder, 3);
    EXPECT_THAT(files_ending(".packing"), SizeIs(1)) << "a living packer's is not removed";
    ::kill(packer, SIGKILL);
    int status = 0;
    ::waitpid(packer, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_THAT(find_snapshots(folder), IsEmpty());
    EXPECT_THAT(files_ending(".packing"), SizeIs(1));
    prune_snapshots(folder, 3);
    EXPECT_TRUE(fs::is_empty(folder));
}

TEST_F(SnapshotTest, PruningKeepsTheNewestOfEachGroup) {
    std::vector<Snapshot> made;
    for (const std::string name : {"a one", "a two", "b one"}) {
        file("lib/name.txt", name);
        fingerprint = name;
        mark_finished(generation, name);
        made.push_back(pack());
        wait_for_another_millisecond();
    }
    prune_snapshots(folder, 1, [](const Snapshot& it) { return it.fingerprint.substr(0, 1); });
    const auto left = find_snapshots(folder);
    ASSERT_THAT(left, SizeIs(2));
    EXPECT_EQ(left[0].key, made[2].key);
    EXPECT_EQ(left[1].key, made[1].key);
    EXPECT_TRUE(has_its_parts(left[0], folder));
    std::filesystem::resize_file(folder / left[0].parts.at(0).file(), 1);
    EXPECT_FALSE(has_its_parts(left[0], folder));
}

TEST_F(SnapshotTest, PruningKeepsTheNewestAndTheirParts) {
    const std::string site = "lib/python3.11/site-packages/";
    install_torch(site);
    std::vector<Snapshot> made;
    for (const std::string name : {"one", "two", "three"}) {
        file("lib/name.txt", name);
        fingerprint = name;
        mark_finished(generation, name);
        made.push_back(pack());
        wait_for_another_millisecond();
    }
    EXPECT_THAT(files_ending(".tar.zst"), SizeIs(4));
    prune_snapshots(folder, 2);
    const auto left = find_snapshots(folder);
    ASSERT_THAT(left, SizeIs(2));
    EXPECT_EQ(left[0].key, made[2].key);
    EXPECT_EQ(left[1].key, made[1].key);
    // Another pod may have taken it for its own just now.
    EXPECT_THAT(files_ending(".tar.zst"), SizeIs(4));
    make_old(made[0].parts[0].file());
    make_old(made[1].parts[0].file());
    make_old(made[1].parts[1].file());
    prune_snapshots(folder, 2);
    EXPECT_THAT(files_ending(".tar.zst"), SizeIs(3));
    discard_generation();
    unpack_snapshot(left[1], folder, {}, {});
    EXPECT_EQ(read_file(generation / "lib/name.txt"), "two");
    prune_snapshots(dir / "nowhere", 2);
}

TEST_F(SnapshotTest, PruningTouchesNothingOfOthersAndOldTemporariesOnly) {
    pack();
    const std::string elsewhere = ".01234567-1.2.3.4.packing";
    const std::string manifest = "." + std::string(64, 'a') + ".json.podctl-aB3dE6";
    for (const std::string& name : {std::string{"notes.txt"}, elsewhere, manifest})
        write_file_atomically(folder / name, "x");
    prune_snapshots(folder, 1);
    EXPECT_TRUE(fs::exists(folder / elsewhere));
    EXPECT_TRUE(fs::exists(folder / manifest));
    for (const std::string& name : {std::string{"notes.txt"}, elsewhere, manifest})
        make_old(name);
    prune_snapshots(folder, 1);
    EXPECT_FALSE(fs::exists(folder / elsewhere));
    EXPECT_FALSE(fs::exists(folder / manifest));
    EXPECT_TRUE(fs::exists(folder / "notes.txt"));
    EXPECT_THAT(find_snapshots(folder), SizeIs(1));
}

}  // namespace
}  // namespace podctl::python
