#include "podctl/workflow/workflow_file.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "carriers.hpp"
#include "support/error_of.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

namespace podctl::workflow::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string ui_file = R"({"nodes":[{"id":1,"type":"A"}]})";
const std::string api_file = R"({"1":{"class_type":"A","inputs":{}}})";

struct WorkflowFile : ::testing::Test {
    podctl::test::TempDir dir;

    std::filesystem::path file(const std::string& name, const std::string& content) {
        write_file_atomically(dir / name, content);
        return dir / name;
    }
    Error error_of_file(const std::string& name, const std::string& content) {
        const auto path = file(name, content);
        auto error = podctl::test::error_of([&] { read_workflow_file(path); });
        EXPECT_EQ(error.kind(), ErrorKind::usage);
        EXPECT_THAT(error.message(), HasSubstr(name));
        return error;
    }
};

TEST_F(WorkflowFile, JsonStaysJsonWhateverItsName) {
    EXPECT_EQ(read_workflow_file(file("w.json", ui_file)).format(), Format::ui);
    EXPECT_EQ(read_workflow_file(file("w.png", api_file)).format(), Format::api);
}

TEST_F(WorkflowFile, OfACarrierTheWorkflowComesBeforeThePrompt) {
    const auto both = file("a.png", png({{"prompt", api_file}, {"workflow", ui_file}}));
    EXPECT_EQ(read_workflow_file(both).text(), ui_file);
    EXPECT_EQ(read_workflow_file(file("a.json", png({{"prompt", api_file}}))).text(), api_file);
}

TEST_F(WorkflowFile, SaysWhyThereIsNone) {
    const auto error = error_of_file("a.png", png({{"parameters", "a cat"}}));
    EXPECT_THAT(error.message(), HasSubstr("a.png: this PNG carries no workflow"));
    EXPECT_THAT(error.hint(), AllOf(HasSubstr("--disable-metadata"), HasSubstr("sites")));
    EXPECT_THAT(error_of_file("b.png", png({}).substr(0, 60)).message(),
                HasSubstr("carries no workflow: it ends in the middle"));
    EXPECT_THAT(error_of_file("c.jpg", "\xff\xd8\xff\xe0").message(),
                HasSubstr("ComfyUI's page reads no workflow from"));
    EXPECT_THAT(error_of_file("d.png", png({{"workflow", R"({"version": 1})"}})).message(),
                HasSubstr("d.png, in its workflow: not a workflow"));
    EXPECT_THAT(error_of_file("e.txt", "text").message(), HasSubstr("not a workflow: not JSON"));
}

// It is not read to say so.
TEST_F(WorkflowFile, NoWorkflowIsThatLarge) {
    const auto path = file("w.json", "{");
    std::filesystem::resize_file(path, std::uintmax_t{1} << 40);
    const auto error = podctl::test::error_of([&] { read_workflow_file(path); });
    EXPECT_THAT(error.message(), HasSubstr("larger than 64 MiB"));
}

TEST_F(WorkflowFile, WhatIsNotThereIsNamed) {
    const auto error = podctl::test::error_of([&] { read_workflow_file(dir / "none.png"); });
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.message(), HasSubstr("none.png"));
}

}  // namespace
}  // namespace podctl::workflow::test
