#include "command.hpp"

#include "podctl/base/file.hpp"
#include "podctl/base/url.hpp"

#include "support/set_env.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

namespace podctl::cli {
namespace {

TEST(Load, TakesTheEndpointsMirrorBehindTheUsersOwn) {
    test::TempDir dir;
    write_file_atomically(dir / "pod.yaml",
                          "apiVersion: podctl/v1\nname: x\n"
                          "pod: {image: i, volume: {name: v, mount: /w}}\n");
    const test::SetEnv endpoint("HF_ENDPOINT", "https://mirror.example");
    TemplateArguments arguments;
    arguments.path = dir / "pod.yaml";
    const auto mirrored = [&] {
        return Mirrors{load(arguments).mirrors}.apply("https://huggingface.co/o/r");
    };
    EXPECT_EQ(mirrored(), "https://mirror.example/o/r");
    arguments.mirrors = {"https://huggingface.co/=https://own.example/hf/"};
    EXPECT_EQ(mirrored(), "https://own.example/hf/o/r");
}

}  // namespace
}  // namespace podctl::cli
