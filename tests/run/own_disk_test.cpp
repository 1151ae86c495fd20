#include "podctl/run/own_disk.hpp"

#include "support/set_env.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <filesystem>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;
using OnDisk = plan::OwnDisk::Environments;

class OwnDisk : public testing::Test {
protected:
    OwnDisk() { fs::create_directories(root); }

    fs::path folder(const std::string& given = {}) const {
        return find_own_disk(pod, root, given).folder;
    }
    OnDisk environments() const {
        return find_own_disk(pod, root, (dir / "local").string()).environments;
    }

    test::TempDir dir;
    const fs::path root = dir / "volume";
    tmpl::Template pod;
};

TEST_F(OwnDisk, IsWhereTheCommandLineElseTheEnvironmentElseTheTemplateSays) {
    const test::SetEnv none{"PODCTL_LOCAL", nullptr};
    pod.pod.local = dir / "c";
    EXPECT_EQ(folder().parent_path(), dir / "c");
    const test::SetEnv variable{"PODCTL_LOCAL", (dir / "b").c_str()};
    EXPECT_EQ(folder().parent_path(), dir / "b");
    EXPECT_EQ(folder((dir / "a").string()).parent_path(), dir / "a");
    EXPECT_FALSE(fs::exists(dir / "a"));
}

TEST_F(OwnDisk, IsOneForEachRootHoweverItIsNamed) {
    const auto local = (dir / "local").string();
    const auto own = folder(local);
    EXPECT_TRUE(own.filename().string().starts_with("volume-")) << own;
    fs::create_directories(dir / "other/volume");
    EXPECT_NE(find_own_disk(pod, dir / "other/volume", local).folder, own);
    fs::create_directory_symlink(root, dir / "link");
    EXPECT_EQ(find_own_disk(pod, dir / "link", local).folder, own);
}

TEST_F(OwnDisk, HoldsTheEnvironmentsWhereTheTemplateSaysSoOrTheVolumeIsShared) {
    // The same disk: nothing is won there.
    EXPECT_EQ(environments(), OnDisk::on_volume);
    pod.pod.volume.shared = true;
    EXPECT_EQ(environments(), OnDisk::in_own_folder);
    pod.python.disk = tmpl::EnvironmentDisk::volume;
    EXPECT_EQ(environments(), OnDisk::on_volume);
    pod.comfyui.emplace();
    pod.pod.shared.custom_nodes = false;
    EXPECT_EQ(environments(), OnDisk::in_own_folder);
    pod.pod.shared.custom_nodes = true;
    pod.pod.volume.shared = false;
    pod.python.disk = tmpl::EnvironmentDisk::container;
    EXPECT_EQ(environments(), OnDisk::in_own_folder);
}

TEST_F(OwnDisk, SaysWhyTheEnvironmentsAreWhereTheyAre) {
    const auto why = [&] {
        return why_disk_of_environments(
            pod, plan::places_of(pod, root, find_own_disk(pod, root, (dir / "local").string())));
    };
    EXPECT_TRUE(why().starts_with(root.string() + " is a fast disk")) << why();
    pod.pod.volume.shared = true;
    EXPECT_EQ(why(), "pod.volume.shared");
    pod.python.disk = tmpl::EnvironmentDisk::container;
    EXPECT_EQ(why(), "python.disk");
}

}  // namespace
}  // namespace podctl::run
