#include "podctl/base/file.hpp"

#include "steps/environment_base.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

namespace podctl::run {
namespace {

class ImageTorch : public testing::Test {
protected:
    std::string tag(const std::string& version, const std::string& text) {
        write_file_atomically(dir / "torch/version.py", text);
        python::Interpreter base{.path = "/usr/bin/python3", .version = "3.12"};
        base.site_packages = {(dir / "none").string(), dir.path().string()};
        base.packages = {{.name = "torch", .version = version}};
        return torch_tag_of(base);
    }
    test::TempDir dir;
};

TEST_F(ImageTorch, TellsWhatItWasBuiltForByItsVersion) {
    EXPECT_EQ(tag("2.9.0+cu128", ""), "cu128");
    EXPECT_EQ(tag("2.9.0+cpu", ""), "cpu");
}

TEST_F(ImageTorch, OrByTheFileInWhichPytorchNotesIt) {
    EXPECT_EQ(tag("2.11.0", "cuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n"), "cu130");
    EXPECT_EQ(tag("2.1.0", "__version__ = '2.1.0'\ncuda = '12.1'\n"), "cu121");
    EXPECT_EQ(tag("2.11.0", "cuda: Optional[str] = None\nhip: Optional[str] = None\n"), "cpu");
    EXPECT_EQ(tag("2.11.0", "cuda: Optional[str] = None\nhip: Optional[str] = '6.2'\n"), "");
    EXPECT_EQ(tag("2.11.0", "nothing\n"), "");
}

}  // namespace
}  // namespace podctl::run
