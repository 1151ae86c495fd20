#include "podctl/base/error.hpp"
#include "podctl/git/git.hpp"

#include "support/error_of.hpp"
#include "support/git_server.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

namespace podctl::git {
namespace {

using testing::ElementsAre;

TEST(TrackedAtTop, IsWhatTheIndexHas) {
    const test::TempDir dir;
    test::GitRepository repository{dir / "checkout"};
    repository.write("main.py", "x");
    repository.write("comfy/ldm/flux.py", "x");
    repository.commit();
    repository.write("by_hand/x.py", "x");
    EXPECT_THAT(tracked_at_top(repository.path()), ElementsAre("comfy", "main.py"));
    EXPECT_EQ(test::error_of([&] { tracked_at_top(dir.path()); }).kind(), ErrorKind::git);
}

}  // namespace
}  // namespace podctl::git
