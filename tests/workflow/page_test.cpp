#include "podctl/base/file.hpp"

#include "saved.hpp"

#include <filesystem>
#include <set>

// Workflows with the prompts that ComfyUI's own page made of them: page/*.json, by scripts/oracle.
namespace podctl::workflow::test {
namespace {

std::vector<std::filesystem::path> fixtures() {
    std::set<std::filesystem::path> found;
    for (const auto& entry :
         std::filesystem::directory_iterator{PODCTL_SOURCE_DIR "/tests/workflow/page"})
        if (entry.path().extension() == ".json") found.insert(entry.path());
    return {found.begin(), found.end()};
}

// Without titles, and without the values that podctl says it cannot make.
json compared(json prompt, const std::vector<PageValue>& page_values) {
    for (auto& node : prompt)
        node.erase("_meta");
    for (const auto& value : page_values)
        prompt[value.node]["inputs"].erase(value.input);
    return prompt;
}

TEST(Page, MadeTheSamePrompts) {
    const auto found = fixtures();
    ASSERT_FALSE(found.empty());
    for (const auto& path : found) {
        SCOPED_TRACE(path.filename().string());
        // The order of inputs in a class says where a saved value goes.
        const auto fixture = nlohmann::ordered_json::parse(read_file(path));
        Classes classes;
        classes.add(fixture.at("object_info").dump());
        const auto made = to_prompt(read_workflow(fixture.at("workflow").dump(), path), classes);
        EXPECT_EQ(compared(json::parse(made.text), made.page_values),
                  compared(json(fixture.at("page")), made.page_values));
    }
}

}  // namespace
}  // namespace podctl::workflow::test
