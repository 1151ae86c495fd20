#pragma once

#include "podctl/base/digest.hpp"
#include "podctl/python/snapshot.hpp"

#include "world.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <chrono>
#include <map>

namespace podctl::python {

// An environment in a folder of generations, and a folder for its snapshots.
class SnapshotTest : public testing::Test {
protected:
    SnapshotTest() {
        file(dir / "python3", "#!/bin/sh\n");
        make_environment("one");
    }

    test::TempDir dir;
    const std::filesystem::path folder = dir / "volume/environments";
    std::filesystem::path generation = dir / "venv.podctl/1";
    std::string fingerprint = "one";
    std::string platform = "this machine";

    PackRequest request(const std::string& note = {}) const {
        return {.generation = generation,
                .fingerprint = fingerprint,
                .platform = platform,
                .note = note,
                .folder = folder,
                .threads = 2};
    }
    Snapshot pack(const std::string& note = {}) const {
        return pack_environment(request(note), {});
    }

    // In the environment, unless it is absolute.
    std::filesystem::path file(const std::filesystem::path& name, const std::string& text) const {
        write_file_atomically(generation / name, text);
        return generation / name;
    }

    // What looks like one, with an interpreter that is here.
    void make_environment(const std::string& finished_as) {
        remove_tree(generation);
        std::filesystem::create_directories(generation / "bin");
        std::filesystem::create_symlink(dir / "python3", generation / "bin/python");
        file(".podctl-environment", "{}\n");
        fingerprint = finished_as;
        mark_finished(generation, finished_as);
    }

    void real_environment() {
        remove_tree(generation);
        create_environment({.path = generation}, host_python(), real(InstallerKind::pip), {}, {});
    }

    std::filesystem::path site_packages() const {
        for (const auto& entry : std::filesystem::directory_iterator{generation / "lib"})
            return entry.path() / "site-packages";
        return {};
    }

    void install_torch(const std::string& site) const {
        file(site + "torch/__init__.py", "torch = 1\n");
        file(site + "torch/__pycache__/__init__.cpython-311.pyc", "bytecode");
        file(site + "torch-2.4.0.dist-info/RECORD",
             "torch/__init__.py,sha256=x,10\n\"torch-2.4.0.dist-info/RECORD\",,\n"
             "../../../bin/torchrun,,\n");
        file(site + "torch-2.4.0.dist-info/INSTALLER", "uv");
        file(site + "nvidia/cublas/lib.so", "machine code");
        file(site + "nvidia_cublas_cu12-12.1.dist-info/RECORD", "nvidia/cublas/lib.so,,\n");
        file("bin/torchrun", "#!" + generation.string() + "/bin/python\n");
    }

    // 64 GB that take no room, and long to pack.
    void hardly_ever_packed() const {
        const auto sparse = file("lib/sparse.bin", "");
        std::filesystem::resize_file(sparse, 16u << 20);
        for (int i = 0; i < 4'000; ++i)
            std::filesystem::create_hard_link(sparse, sparse.string() + std::to_string(i));
    }

    void discard_generation() const { remove_tree(generation); }

    void set_mtime(const std::string& name, std::int64_t seconds) const {
        const timespec times[] = {{.tv_sec = seconds, .tv_nsec = 0},
                                  {.tv_sec = seconds, .tv_nsec = 999'999'999}};
        ASSERT_EQ(::utimensat(AT_FDCWD, (generation / name).c_str(), times, AT_SYMLINK_NOFOLLOW),
                  0);
    }

    void make_old(const std::string& name) const {
        const auto path = folder / name;
        std::filesystem::last_write_time(
            path, std::filesystem::last_write_time(path) - std::chrono::hours{2});
    }

    static void wait_for_another_millisecond() {
        const auto now = std::chrono::system_clock::now();
        while (std::chrono::system_clock::now() - now < std::chrono::milliseconds{2})
            continue;
    }

    std::vector<std::string> files_ending(const std::string& ending) const {
        std::vector<std::string> names;
        std::error_code failed;
        for (std::filesystem::directory_iterator at{folder, failed}, end; !failed && at != end;
             at.increment(failed))
            if (at->path().string().ends_with(ending)) names.push_back(at->path().filename());
        return names;
    }

    // Name → kind, permissions, time, and content or target.
    std::map<std::string, std::string> listing() const {
        std::map<std::string, std::string> all;
        for (const auto& entry : std::filesystem::recursive_directory_iterator{generation}) {
            const std::string name = entry.path().lexically_relative(generation);
            if (name == ".podctl-environment") continue;
            struct stat status {};
            EXPECT_EQ(::lstat(entry.path().c_str(), &status), 0);
            const std::string content = entry.is_symlink()
                                            ? std::filesystem::read_symlink(entry.path()).string()
                                        : entry.is_regular_file() ? sha256_file(entry.path())
                                                                  : "";
            all[name] = fmt::format("{:o} {}.{:09} {}", status.st_mode, status.st_mtim.tv_sec,
                                    status.st_mtim.tv_nsec, content);
        }
        return all;
    }
};

}  // namespace podctl::python
