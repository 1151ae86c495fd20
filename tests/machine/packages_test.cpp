#include "packages.hpp"

#include "podctl/base/file.hpp"
#include "podctl/machine/machine.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace podctl::machine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto status =
    "Package: libgl1\n"
    "Status: install ok installed\n"
    "Architecture: amd64\n"
    "Description: vendor neutral GL\n"
    " Package: libfake\n"
    " Status: install ok installed\n"
    "\n"
    "Package: libold\n"
    "Status: deinstall ok config-files\n"
    "Architecture: amd64\n"
    "\n"
    "Package: libheld\n"
    "Status: hold ok installed\n"
    "Architecture: all\n"
    "\n"
    "Package: libglib2.0-0t64\n"
    "Status: install ok installed\n"
    "Architecture: amd64\n"
    "Provides: libglib2.0-0 (= 2.80.0-6), glib:any,last\n"
    "\n"
    "Package: libhalf\n"
    "Status: install reinstreq half-installed\n"
    "Architecture: amd64\n"
    "\n"
    "Package: tail\n"
    "Status: install ok installed\n"
    "Architecture: i386\n";

class PackagesTest : public testing::Test {
protected:
    PackagesTest() { write_file_atomically(dir / "status", status); }
    std::vector<std::string> missing(const std::vector<std::string>& wanted) {
        return missing_packages(wanted, dir / "status");
    }
    test::TempDir dir;
};

TEST_F(PackagesTest, ThatAreInstalledAreNotMissing) {
    EXPECT_THAT(missing({"libgl1", "libheld", "tail"}), IsEmpty());
}

TEST_F(PackagesTest, ThatWereRemovedOrNeverWhollyInstalledAreMissing) {
    EXPECT_THAT(missing({"libold", "libhalf", "libgl1", "libgl"}),
                ElementsAre("libold", "libhalf", "libgl"));
}

TEST_F(PackagesTest, AreNotFoundInADescription) {
    EXPECT_THAT(missing({"libfake"}), ElementsAre("libfake"));
}

TEST_F(PackagesTest, ThatAnotherProvidesAreNotMissing) {
    EXPECT_THAT(missing({"libglib2.0-0", "glib", "last"}), IsEmpty());
}

TEST_F(PackagesTest, MayBeWantedForAnArchitecture) {
    EXPECT_THAT(missing({"libgl1:amd64", "libgl1:any", "libheld:i386"}), IsEmpty());
    EXPECT_THAT(missing({"libgl1", "libgl1:i386", "tail:amd64"}),
                ElementsAre("libgl1:i386", "tail:amd64"));
}

TEST_F(PackagesTest, AreNamedOnce) {
    EXPECT_THAT(missing({"x", "libgl1", "x"}), ElementsAre("x"));
}

TEST_F(PackagesTest, AreAllMissingWithoutDpkg) {
    EXPECT_THAT(missing_packages({"a", "b"}, dir / "no"), ElementsAre("a", "b"));
    EXPECT_THAT(missing_packages({}, dir / "no"), IsEmpty());
}

TEST_F(PackagesTest, OfThisMachineAreRead) {
    if (!file_stamp("/var/lib/dpkg/status")) GTEST_SKIP() << "no dpkg here";
    EXPECT_THAT(missing_packages({"dpkg", "podctl-no-such-package"}),
                ElementsAre("podctl-no-such-package"));
}

}  // namespace
}  // namespace podctl::machine
