#include "wheel_record.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/names.hpp"
#include "podctl/python/python.hpp"

#include <algorithm>
#include <utility>

namespace podctl::python {

namespace fs = std::filesystem;

std::optional<Distribution> distribution_at(const fs::path& path) {
    const std::string file = path.filename();
    for (const std::string_view ending : {".dist-info", ".egg-info"}) {
        if (!file.ends_with(ending)) continue;
        const auto parts = split(file.substr(0, file.size() - ending.size()), '-');
        return Distribution{.name = normalise_name(parts[0]),
                            .version = parts.size() > 1 ? parts[1] : "",
                            .metadata = path};
    }
    return std::nullopt;
}

std::vector<fs::path> site_packages_of(const fs::path& environment) {
    std::vector<fs::path> folders;
    std::error_code failed;
    for (fs::directory_iterator at{environment / "lib", failed}, end; !failed && at != end;
         at.increment(failed))
        folders.push_back(at->path() / "site-packages");
    return folders;
}

std::string take_record_field(std::string_view& line) {
    std::string field;
    bool is_quoted = false;
    std::size_t at = 0;
    for (; at < line.size() && (is_quoted || line[at] != ','); ++at) {
        if (line[at] != '"') {
            field.push_back(line[at]);
        } else if (is_quoted && at + 1 < line.size() && line[at + 1] == '"') {
            field.push_back('"');
            ++at;
        } else {
            is_quoted = !is_quoted;
        }
    }
    line.remove_prefix(std::min(at + 1, line.size()));
    return field;
}

std::string record_digest(const fs::path& file, std::stop_token stop) {
    const std::string hex = sha256_file(file, std::move(stop));
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    std::string text = base64(bytes);
    std::ranges::replace(text, '+', '-');
    std::ranges::replace(text, '/', '_');
    return text.substr(0, text.find('='));
}

}  // namespace podctl::python
