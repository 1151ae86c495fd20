#include "podctl/python/drift.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/file.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

// What ComfyUI-Manager or somebody has done to an environment.
namespace podctl::python {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

class DriftTest : public testing::Test {
protected:
    DriftTest() {
        put("numpy", "2.4.6");
        put("foo_bar", "1.0");
        fs::create_directories(site() / "yaml");
    }
    fs::path environment() const { return dir / "venv"; }
    fs::path site() const { return environment() / "lib/python3.11/site-packages"; }
    void put(const std::string& name, const std::string& version) {
        write(metadata_of(name, version) / "METADATA", "Name: " + name + "\n");
    }
    void take(const std::string& name, const std::string& version) {
        fs::remove_all(metadata_of(name, version));
    }
    fs::path metadata_of(const std::string& name, const std::string& version) const {
        return site() / (name + "-" + version + ".dist-info");
    }
    static void write(const fs::path& path, const std::string& text) {
        fs::create_directories(path.parent_path());
        write_file_atomically(path, text);
    }
    Drift drift(DriftCheck check = DriftCheck::names) const {
        return find_drift(environment(), lock, check, {});
    }

    test::TempDir dir;
    const Lock lock{.pins = {{"numpy==2.4.6"}, {"Foo.Bar @ https://host.example/foo.whl"}}};
};

TEST_F(DriftTest, IsNoneWhereAllIsAsLocked) {
    EXPECT_THAT(drift().broken(), IsEmpty());
    EXPECT_THAT(drift().more, IsEmpty());
}

TEST_F(DriftTest, NamesWhatIsAnotherGoneOrMore) {
    take("numpy", "2.4.6");
    put("numpy", "1.26.4");
    take("foo_bar", "1.0");
    put("piexif", "1.1.3");
    EXPECT_THAT(drift().broken(), ElementsAre("numpy 1.26.4 in place of 2.4.6", "foo-bar is gone"));
    EXPECT_THAT(drift().more, ElementsAre("piexif 1.1.3"));
}

TEST_F(DriftTest, DoesNotMindHowAVersionIsWritten) {
    const Lock written{.pins = {{"certifi==2023.7.22"}, {"torch==2.9.0+cu128"}}};
    put("certifi", "2023.07.22");
    put("torch", "2.9.0+cu128");
    EXPECT_THAT(find_drift(environment(), written, DriftCheck::names, {}).broken(), IsEmpty());
}

TEST_F(DriftTest, IsNotWhatPodctlsOwnStepsLeave) {
    put("numpy", "1.26.4");
    take("numpy", "2.4.6");
    put("cupy", "13.0");
    accept_drift(environment(), lock, DriftCheck::names, {});
    EXPECT_THAT(drift().broken(), IsEmpty());
    EXPECT_THAT(drift().more, IsEmpty());
    take("numpy", "1.26.4");
    put("numpy", "1.25.0");
    EXPECT_THAT(drift().broken(), ElementsAre("numpy 1.25.0 in place of 2.4.6"));
}

TEST_F(DriftTest, IsSeenInFilesWhereThatIsAskedFor) {
    write(site() / "numpy/core,a.py", "one");
    write(site() / "numpy/b.py", "two");
    // sha256 of "one" and "two", as wheels write them.
    write(metadata_of("numpy", "2.4.6") / "RECORD",
          "\"numpy/core,a.py\",sha256=dpLDrTVAu4A8Ags67mbNiIcSMjTqDG5xQ8Ct1z_0Me0,3\n"
          "numpy/b.py,sha256=P8TM_nRYcOLA2Z9x8w_wZWyN7dQcwdfT03aw2-aF4vM,3\n"
          "numpy/__pycache__/b.cpython-311.pyc,,\nnumpy-2.4.6.dist-info/RECORD,,\n");
    const auto contents = [&] { return drift(DriftCheck::contents).broken(); };
    EXPECT_THAT(contents(), IsEmpty());
    write(site() / "numpy/core,a.py", "eno");
    EXPECT_THAT(drift().broken(), IsEmpty());
    EXPECT_THAT(contents(), ElementsAre("numpy: numpy/core,a.py was changed"));
    EXPECT_THAT(drift(DriftCheck::contents).damaged, ElementsAre("numpy"));
    // As where install.py patches it, or another wheel has the same file.
    accept_drift(environment(), lock, DriftCheck::contents, {});
    EXPECT_THAT(contents(), IsEmpty());
    fs::remove(site() / "numpy/core,a.py");
    EXPECT_THAT(contents(), ElementsAre("numpy: numpy/core,a.py is gone"));
}

}  // namespace
}  // namespace podctl::python
