// The paths that podctl gives files in civitdl's layout, for scripts/check_civitdl_names: a JSON
// object on each line of stdin, the path as a JSON string on each line of stdout.
#include "podctl/hub/civitdl.hpp"

#include <nlohmann/json.hpp>

#include <exception>
#include <iostream>
#include <string>

namespace {

std::string path_of(const nlohmann::json& model) {
    using podctl::hub::CivitdlSorter;
    const podctl::hub::ResolvedFile file{
        .name = model.at("file"),
        .model_name = model.at("name"),
        .model_id = model.at("model_id"),
        .version_id = model.at("version_id"),
        .base_model = model.at("base_model"),
        .tags = model.at("tags").get<std::vector<std::string>>(),
    };
    const bool by_tags = model.at("sorter") == "tags";
    return civitdl_path(file, by_tags ? CivitdlSorter::tags : CivitdlSorter::basic).string();
}

}  // namespace

int main() {
    try {
        for (std::string line; std::getline(std::cin, line);)
            std::cout << nlohmann::json(path_of(nlohmann::json::parse(line))).dump() << '\n';
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "civitdl_names: " << error.what() << '\n';
        return 1;
    }
}
