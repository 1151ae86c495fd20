#include "podctl/base/file.hpp"

#include "sources.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

// The house's rule (docs/architecture.md): a room includes only the rooms below it, as
// CMakeLists.txt names them. The compiler sees no other room's headers; this test says so in words.
namespace podctl::house {
namespace {

namespace fs = std::filesystem;

// The table of CMakeLists.txt: podctl_room(NAME USES room… PRIVATE library…), on one line or more.
using Rooms = std::map<std::string, std::set<std::string>>;  // and those below each

Rooms read_rooms() {
    static const std::regex call{R"(podctl_room\((\w+)([^)]*)\))"};
    const std::string text = read_file(source / "CMakeLists.txt");
    Rooms rooms;
    for (std::sregex_iterator it{text.begin(), text.end(), call}, end; it != end; ++it) {
        std::istringstream words{(*it)[2]};
        auto& below = rooms[(*it)[1]];
        for (std::string word; words >> word && word != "PRIVATE";)
            if (word != "USES") below.insert(word);
    }
    return rooms;
}

const Rooms& rooms() {
    static const Rooms read = read_rooms();
    return read;
}

struct Include {
    fs::path file;
    std::string text;
};

std::vector<Include> includes_below(const fs::path& folder) {
    static const std::regex include{R"(^\s*#\s*include\s*([<"][^>"]+[>"]))"};
    std::vector<Include> found;
    std::smatch match;
    visit_lines(folder, [&](const SourceLine& line) {
        if (line.text.find('#') == std::string::npos) return;  // the expression is slow
        if (std::regex_search(line.text, match, include)) found.push_back({line.file, match[1]});
    });
    return found;
}

TEST(House, RoomsIncludeOnlyTheRoomsBelowThem) {
    static const std::regex room_header{R"("podctl/(\w+)/)"};
    std::size_t seen = 0;
    for (const auto& [room, below] : rooms()) {
        for (const auto& folder : {fs::path{"src"} / room, fs::path{"include/podctl"} / room}) {
            for (const auto& include : includes_below(folder)) {
                std::smatch match;
                if (!std::regex_search(include.text, match, room_header)) continue;
                ++seen;
                const std::string used = match[1];
                EXPECT_TRUE(used == room || below.contains(used))
                    << include.file << " includes " << include.text;
            }
        }
    }
    EXPECT_GT(seen, 100u);
}

TEST(House, PublicHeadersShowNoThirdPartyType) {
    for (const auto& include : includes_below("include")) {
        const bool own = include.text.starts_with("\"podctl/");
        const bool standard = include.text.find('/') == std::string::npos &&
                              !include.text.ends_with(".h>") && !include.text.ends_with(".hpp>");
        // Every room that reads JSON has the library already; its values go in and out of the one
        // parser (podctl/base/json.hpp).
        const bool json_names = include.text == "<nlohmann/json_fwd.hpp>" &&
                                include.file == "include/podctl/base/json.hpp";
        EXPECT_TRUE(own || standard || json_names || include.text == "<sys/types.h>")
            << include.file << " includes " << include.text;
    }
}

// Who else would need it calls the room's functions, so that a library can be replaced in one
// place.
// Archives are two things: what strangers made, and snapshots of environments.
TEST(House, EachLibraryIsKnownToItsRoomAlone) {
    const std::map<std::string, std::set<std::string>> owners = {
        {"<curl/", {"http"}},       {"<archive", {"download", "python"}},
        {"<git2", {"git"}},         {"<yaml-cpp/", {"template"}},
        {"<openssl/", {"base"}},    {"<CLI/", {"cli"}},
        {"<microhttpd", {"serve"}}, {"<spdlog/", {"event"}},
        {"<toml.hpp", {"comfy"}},   {"<zlib.h", {"workflow"}},
    };
    std::set<std::string> seen;
    for (const auto& include : includes_below("src")) {
        for (const auto& [library, rooms_with_it] : owners) {
            if (!include.text.starts_with(library)) continue;
            seen.insert(library);
            EXPECT_TRUE(rooms_with_it.contains(*std::next(include.file.begin())))
                << include.file << " includes " << include.text;
        }
    }
    EXPECT_EQ(seen.size(), owners.size());
}

TEST(House, NoRoomReachesIntoAnothersInside) {
    for (const auto& [room, below] : rooms()) {
        for (const auto& include : includes_below(fs::path{"src"} / room)) {
            for (const auto& [other, ignored] : rooms()) {
                EXPECT_EQ(include.text.find("/src/" + other + "/"), std::string::npos)
                    << include.file;
                EXPECT_EQ(include.text.find("../" + other + "/"), std::string::npos)
                    << include.file;
            }
        }
    }
}

// Whoever looks for a file by its name finds one.
TEST(House, NoTwoSourcesHaveOneName) {
    std::map<std::string, fs::path> seen;
    for (const auto& entry : fs::recursive_directory_iterator{source / "src"}) {
        if (!entry.is_regular_file()) continue;
        const auto [other, is_new] = seen.emplace(entry.path().filename(), entry.path());
        EXPECT_TRUE(is_new) << entry.path() << " and " << other->second;
    }
    EXPECT_GT(seen.size(), 200u);
}

TEST(House, EveryFolderOfSourcesIsARoom) {
    for (const auto& entry : fs::directory_iterator{source / "src"}) {
        if (!entry.is_directory()) continue;
        EXPECT_TRUE(rooms().contains(entry.path().filename())) << entry.path();
    }
}

}  // namespace
}  // namespace podctl::house
