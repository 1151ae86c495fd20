#include "pod.hpp"
#include "support/wheels.hpp"

#include <fstream>

// An environment that others change between two runs: ComfyUI-Manager, people.
namespace podctl::e2e {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class DriftOfAPod : public PodTest {
protected:
    DriftOfAPod() {
        test::write_index(dir / "index",
                          {{"pypng", "0.20220715.0", {}, {{"png.py", ""}}}, {"humanize", "4.9.0"}});
        environment = {{"PIP_CONFIG_FILE", "/dev/null"}};  // the machine's has further indexes
        write_template("custom_nodes: []\n", "index_url: \"" + index.url("/") + "\"");
    }
    fs::path site() const {
        return fs::directory_iterator {
            root() / "venv/lib"
            } -> path() / "site-packages";
    }
    void replace_humanize() const {
        fs::rename(site() / "humanize-4.9.0.dist-info", site() / "humanize-1.0.dist-info");
    }

    test::HttpServer index{test::serve_index(dir / "index")};
};

TEST_F(DriftOfAPod, InAFileIsMendedByVerifyAlthoughTheCacheHasTheSameFile) {
    ASSERT_TRUE(provision().status.ok());
    const auto file = site() / "humanize.py";
    const auto original = read_file(file);
    {
        // In place, as an editor may do it: uv's cache has the very same file.
        std::ofstream out{file, std::ios::app};
        out << "# by hand\n";
    }
    EXPECT_EQ(run("plan").status.code, 0);
    EXPECT_THAT(run("plan", {"--verify"}).output, HasSubstr("humanize: humanize.py was changed"));
    ASSERT_TRUE(provision({"--verify"}).status.ok());
    EXPECT_EQ(read_file(site() / "humanize.py"), original);
    EXPECT_THAT(run("plan", {"--verify"}).output, Not(HasSubstr("was changed")));
}

TEST_F(DriftOfAPod, ThatCannotBeMendedTakesNothingFromThePod) {
    ASSERT_TRUE(provision().status.ok());
    replace_humanize();
    fs::remove_all(root() / ".podctl/cache");
    const auto end = provision({"--offline"});
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_THAT(end.output, HasSubstr("humanize 1.0 in place of 4.9.0: could not be made anew"));
    ASSERT_TRUE(provision().status.ok());
    EXPECT_TRUE(fs::exists(site() / "humanize-4.9.0.dist-info"));
}

TEST_F(DriftOfAPod, ThatComesBackAfterEachMendingIsKeptAndTold) {
    ASSERT_TRUE(provision().status.ok());
    for (int mended = 0; mended < 2; ++mended) {
        replace_humanize();
        ASSERT_TRUE(provision().status.ok());
        ASSERT_TRUE(fs::exists(site() / "humanize-4.9.0.dist-info"));
    }
    replace_humanize();
    const auto end = provision();
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_THAT(end.output, HasSubstr("so it is after each mending"));
    EXPECT_TRUE(fs::exists(site() / "humanize-1.0.dist-info"));
    ASSERT_TRUE(provision({"--force"}).status.ok());
    EXPECT_TRUE(fs::exists(site() / "humanize-4.9.0.dist-info"));
}

}  // namespace
}  // namespace podctl::e2e
