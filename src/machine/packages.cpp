#include "packages.hpp"

#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/machine/machine.hpp"

#include <algorithm>
#include <string_view>
#include <unordered_map>

namespace podctl::machine {

namespace {

// What matters of one paragraph of the status file.
struct Paragraph {
    std::string_view package, architecture, provides;
    bool is_installed = false;
};

// Calls `use` for every paragraph. The file may have megabytes, so it is gone through once and
// nothing is copied.
template <class Use>
void for_each_paragraph(std::string_view text, Use use) {
    Paragraph paragraph;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const auto value = [&](std::string_view field) { return trim(line.substr(field.size())); };
        if (line.empty()) {
            use(std::exchange(paragraph, {}));
        } else if (line.starts_with("Package:")) {
            paragraph.package = value("Package:");
        } else if (line.starts_with("Status:")) {
            // "install ok installed", "hold ok installed", but "deinstall ok config-files".
            paragraph.is_installed = value("Status:").ends_with(" installed");
        } else if (line.starts_with("Architecture:")) {
            paragraph.architecture = value("Architecture:");
        } else if (line.starts_with("Provides:")) {
            paragraph.provides = value("Provides:");
        }
    }
    use(paragraph);
}

// "name", "name:arch".
struct Wanted {
    std::string_view name, architecture;
};

Wanted parse(std::string_view text) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return {text, {}};
    return {text.substr(0, colon), text.substr(colon + 1)};
}

class Search {
public:
    explicit Search(const std::vector<std::string>& wanted) : wanted_{wanted} {
        for (std::size_t i = 0; i < wanted.size(); ++i)
            places_.emplace(parse(wanted[i]).name, i);
        found_.resize(wanted.size());
    }

    void visit(const Paragraph& paragraph) {
        if (!paragraph.is_installed) return;
        mark(paragraph.package, paragraph.architecture);
        // Ubuntu 24.04 has libglib2.0-0 as "Provides: libglib2.0-0 (= 2.80.0)" of libglib2.0-0t64.
        std::string_view provides = paragraph.provides;
        while (!provides.empty()) {
            const auto end = std::min(provides.find(','), provides.size());
            const auto one = trim(provides.substr(0, end));
            mark(parse(one.substr(0, one.find_first_of(" ("))).name, paragraph.architecture);
            provides.remove_prefix(std::min(end + 1, provides.size()));
        }
    }

    std::vector<std::string> missing() const {
        std::vector<std::string> result;
        for (std::size_t i = 0; i < wanted_.size(); ++i)
            if (!found_[i] && std::find(result.begin(), result.end(), wanted_[i]) == result.end())
                result.push_back(wanted_[i]);
        return result;
    }

private:
    void mark(std::string_view name, std::string_view architecture) {
        const auto [first, last] = places_.equal_range(name);
        for (auto place = first; place != last; ++place) {
            const auto asked = parse(wanted_[place->second]).architecture;
            if (asked.empty() || asked == "any" || asked == architecture || architecture == "all")
                found_[place->second] = true;
        }
    }

    const std::vector<std::string>& wanted_;
    std::unordered_multimap<std::string_view, std::size_t> places_;
    std::vector<bool> found_;
};

}  // namespace

std::vector<std::string> missing_packages(const std::vector<std::string>& wanted,
                                          const std::filesystem::path& status) {
    if (wanted.empty()) return {};
    Search search{wanted};
    if (const auto content = read_file_if_exists(status))
        for_each_paragraph(*content, [&](const Paragraph& found) { search.visit(found); });
    return search.missing();
}

std::vector<std::string> missing_packages(const std::vector<std::string>& wanted) {
    return missing_packages(wanted, "/var/lib/dpkg/status");
}

}  // namespace podctl::machine
