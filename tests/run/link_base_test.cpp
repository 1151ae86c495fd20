#include "podctl/base/error.hpp"

#include "step_test.hpp"

namespace podctl::run {
namespace {

class LinkStep : public StepTest {
protected:
    LinkStep() {
        for (const auto* file : {"main.py", "comfy/utils.py", "models/vae/put_vae_here",
                                 "custom_nodes/websocket_image_save.py", ".git/HEAD"})
            write_file_atomically(link.checkout / file, file);
        write_file_atomically(link.checkout / "custom_nodes/of_others/__init__.py", "x");
    }
    fs::path target_of(const std::string& name) const {
        std::error_code failed;
        return fs::read_symlink(link.base / name, failed);
    }

    const plan::LinkBase link{.checkout = root / "ComfyUI", .base = dir / "own/comfyui"};
};

TEST_F(LinkStep, LinksAllOfTheCheckoutButItsPacks) {
    EXPECT_EQ(look_at(link).change, Change::create);
    EXPECT_FALSE(fs::exists(link.base));
    bring(link);
    // Also those that ComfyUI would make at its first start.
    for (const auto* name : {"main.py", "comfy", "models", "input", "output", "user",
                             "custom_nodes/websocket_image_save.py"}) {
        EXPECT_EQ(target_of(name), link.checkout / name);
        EXPECT_TRUE(fs::exists(link.base / name)) << name;
    }
    EXPECT_FALSE(fs::exists(link.base / ".git"));
    EXPECT_FALSE(fs::exists(link.base / "custom_nodes/of_others"));
    EXPECT_FALSE(fs::is_symlink(link.base / "custom_nodes"));
    EXPECT_EQ(look_at(link).change, Change::keep);
}

TEST_F(LinkStep, FollowsTheCheckout) {
    bring(link);
    write_file_atomically(link.checkout / "api_server/a.py", "x");
    fs::remove(link.checkout / "main.py");
    EXPECT_EQ(look_at(link).change, Change::change);
    bring(link);
    EXPECT_EQ(target_of("api_server"), link.checkout / "api_server");
    EXPECT_FALSE(fs::is_symlink(link.base / "main.py"));
    EXPECT_EQ(look_at(link).change, Change::keep);
}

TEST_F(LinkStep, ReplacesALinkToElsewhereAndNothingElse) {
    bring(link);
    fs::remove(link.base / "models");
    fs::create_directory_symlink(dir / "another/models", link.base / "models");
    bring(link);
    EXPECT_EQ(target_of("models"), link.checkout / "models");
    fs::remove(link.base / "output");
    write_file_atomically(link.base / "output/mine.png", "p");
    const auto error = error_of([&] { bring(link); });
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_EQ(read_file(link.base / "output/mine.png"), "p");
    context.options.force = true;
    bring(link);
    EXPECT_EQ(target_of("output"), link.checkout / "output");
    const auto replaced = *fs::directory_iterator{context.places.replaced};
    EXPECT_EQ(read_file(replaced.path() / "output/mine.png"), "p");
}

}  // namespace
}  // namespace podctl::run
