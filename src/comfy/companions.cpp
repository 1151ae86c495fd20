#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/comfy/comfy.hpp"

namespace podctl::comfy {

namespace {

constexpr std::string_view impact_pack = "/ltdrdata/ComfyUI-Impact-Pack";
constexpr std::string_view impact_subpack = "/ltdrdata/ComfyUI-Impact-Subpack";

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != text.npos;
}

// The repository beside the pack's own, so that a pack from a company's server brings its companion
// from there too; the author's for anything else, a fork say.
std::string subpack_url(const std::string& pack_url) {
    std::string_view base = pack_url;
    while (base.ends_with('/'))
        base.remove_suffix(1);
    const bool has_suffix = base.ends_with(".git");
    if (has_suffix) base.remove_suffix(4);
    if (!to_lower(base).ends_with(to_lower(impact_pack)))
        return "https://github.com" + std::string(impact_subpack) + ".git";
    base.remove_suffix(impact_pack.size());
    return std::string(base) + std::string(impact_subpack) + (has_suffix ? ".git" : "");
}

}  // namespace

std::optional<Companion> missing_companion(const std::string& pack_url,
                                           const std::filesystem::path& pack) {
    const auto code = read_file_if_exists(pack / "__init__.py");
    // V8 has neither; before V4 the folder was another one, and a submodule.
    if (!code || !contains(*code, "import impact.subpack_nodes") ||
        !contains(*code, "\"impact_subpack\""))
        return std::nullopt;
    const auto folder = std::filesystem::absolute(pack / "impact_subpack").lexically_normal();
    if (file_stamp(folder / "impact" / "subpack_nodes.py")) return std::nullopt;
    return Companion{.url = subpack_url(pack_url), .folder = folder};
}

}  // namespace podctl::comfy
