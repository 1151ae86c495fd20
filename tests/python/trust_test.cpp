#include "podctl/base/file.hpp"
#include "podctl/python/python.hpp"

#include "support/error_of.hpp"
#include "support/set_env.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

// Which programs may be started by who only looks.
namespace podctl::python {
namespace {

namespace fs = std::filesystem;

class Trust : public testing::Test {
protected:
    fs::path program(const fs::path& path, fs::perms mode = fs::perms{0755}) const {
        write_file_atomically(dir / path, "#!/bin/sh\ntouch " + (dir / "started").string() + "\n");
        fs::permissions(dir / path, mode);
        return dir / path;
    }
    Caution caution() const { return {.foreign = {dir / "volume"}}; }

    test::TempDir dir;
};

TEST_F(Trust, IsForWhatNobodyElseCanChange) {
    EXPECT_TRUE(is_trusted_program(program("bin/python3"), caution()));
    EXPECT_FALSE(is_trusted_program(program("open/python3", fs::perms{0777}), caution()));
    const auto in_open_folder = program("shared/python3");
    fs::permissions(dir / "shared", fs::perms{0777});
    EXPECT_FALSE(is_trusted_program(in_open_folder, caution()));
    EXPECT_FALSE(is_trusted_program(dir / "nothing", caution()));
}

TEST_F(Trust, IsNotForTheVolumeNorForALinkToOrFromIt) {
    const auto on_volume = program("volume/venv/bin/python3");
    EXPECT_FALSE(is_trusted_program(on_volume, caution()));
    fs::create_symlink(on_volume, dir / "link");
    EXPECT_FALSE(is_trusted_program(dir / "link", caution()));
    fs::create_symlink(program("bin/python3"), dir / "volume/link");
    EXPECT_FALSE(is_trusted_program(dir / "volume/link", caution()));
}

TEST_F(Trust, ALookStartsNoProgramThatIsNoPythonOfTheMachine) {
    program("bin/reboot");
    const auto elsewhere = program("elsewhere/python3");
    const test::SetEnv path{"PATH", (dir / "bin").c_str()};
    for (const std::string& named : {std::string{"reboot"}, elsewhere.string()}) {
        const auto error = test::error_of([&] { find_interpreter(named, {}, caution()); });
        EXPECT_THAT(error.message(), testing::HasSubstr("was not started")) << named;
    }
    EXPECT_FALSE(fs::exists(dir / "started"));
}

}  // namespace
}  // namespace podctl::python
