#include "podctl/base/file.hpp"

#include "sources.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <set>
#include <string>

namespace podctl::house {
namespace {

std::set<std::string> names_of_tests() {
    // A long name stands in the line behind the bracket.
    static const std::regex test{R"(TEST(_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\))"};
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator{source / "tests"}) {
        if (entry.path().extension() != ".cpp") continue;
        const std::string text = read_file(entry.path());
        for (std::sregex_iterator it{text.begin(), text.end(), test}, end; it != end; ++it)
            names.insert((*it)[2].str() + "." + (*it)[3].str());
    }
    return names;
}

// docs/security.md says of each promise which tests hold it: whoever renames one renames it there.
TEST(House, EveryPromiseOfSecurityNamesTestsThatThereAre) {
    // `Suite.Name`, `Suite.*`, `Suite.Begin*`, `Instance/Suite.*`, `SuiteBegin*`.
    static const std::regex promise{R"(`(\w+/)?([A-Z]\w*\.?[A-Z]?\w*\*?)`)"};
    const auto tests = names_of_tests();
    const std::string text = read_file(source / "docs/security.md");
    int seen = 0;
    for (std::sregex_iterator it{text.begin(), text.end(), promise}, end; it != end; ++it) {
        std::string name = (*it)[2];
        const bool is_beginning = name.ends_with('*');
        if (!is_beginning && name.find('.') == name.npos) continue;  // no test's: `HF_TOKEN`
        if (is_beginning) name.pop_back();
        ++seen;
        EXPECT_TRUE(std::ranges::any_of(tests, [&](const std::string& known) {
            return is_beginning ? known.starts_with(name) : known == name;
        })) << (*it)[0];
    }
    EXPECT_GT(seen, 60);
}

}  // namespace
}  // namespace podctl::house
