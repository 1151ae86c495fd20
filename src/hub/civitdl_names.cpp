#include "civitdl_names.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/utf8.hpp"

#include <fmt/core.h>

namespace podctl::hub {
namespace {

// Not decoded, as civitdl takes it; without the query, which may hold a signature.
std::string last_part(const std::string& url) {
    const auto path = url.substr(0, url.find_first_of("?#"));
    return path.substr(path.rfind('/') + 1);
}

struct ImageName {
    std::string stem, extension;
};

ImageName split_image_name(const std::string& name) {
    constexpr std::size_t longest_extension = 16;
    constexpr std::size_t longest_stem = 200;  // leaves room for a number and ".json"
    const auto dot = name.rfind('.');
    const bool has_extension = dot != std::string::npos && name.size() - dot <= longest_extension;
    // The prompt of "x.json" would be "x.json" too.
    if (!has_extension || to_lower(name).ends_with(".json"))
        return {std::string{utf8::cut(name, longest_stem)}, ""};
    return {std::string{utf8::cut(std::string_view{name}.substr(0, dot), longest_stem)},
            name.substr(dot)};
}

}  // namespace

std::string civitdl_extra_name(const ResolvedFile& file) {
    return fmt::format("extra_data-vid_{}", file.version_id);
}

std::string civitdl_record_name(const ResolvedFile& file) {
    return fmt::format("model_dict-mid_{}-vid_{}.json", file.model_id, file.version_id);
}

ImageNamer::ImageNamer(const std::string& taken) : taken_{to_lower(taken)} {}

ImageNames ImageNamer::names_of(const std::string& url) {
    auto [stem, extension] = split_image_name(safe_file_name(last_part(url)));
    if (stem.empty()) stem = "image";
    for (int number = 1;; ++number) {
        const auto mark = number == 1 ? std::string{} : fmt::format("-{}", number);
        ImageNames names{.image = stem + mark + extension, .prompt = stem + mark + ".json"};
        if (take(names)) return names;
    }
}

bool ImageNamer::take(const ImageNames& names) {
    const auto image = to_lower(names.image);
    const auto prompt = to_lower(names.prompt);
    if (taken_.contains(image) || taken_.contains(prompt)) return false;
    taken_.insert({image, prompt});
    return true;
}

}  // namespace podctl::hub
