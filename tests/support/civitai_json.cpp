#include "support/civitai_json.hpp"

#include "podctl/base/digest.hpp"

#include <fmt/core.h>

namespace podctl::test {
namespace {

using nlohmann::json;

std::string upper(std::string text) {
    for (char& c : text)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    return text;
}

json file_json(const CivitaiVersion& version, const CivitaiFile& file) {
    json hashes = json::object();
    if (file.has_hashes) {
        const auto sha256 = upper(sha256_hex(file.bytes));
        hashes = {{"SHA256", sha256}, {"AutoV2", sha256.substr(0, 10)}};
    }
    return {{"id", file.id},
            {"name", file.name},
            {"type", file.type},
            {"sizeKB", static_cast<double>(file.bytes.size()) / 1024},
            {"metadata", {{"format", file.format}, {"size", file.size}, {"fp", file.precision}}},
            {"pickleScanResult", file.pickle_scan},
            {"virusScanResult", file.virus_scan},
            {"hashes", hashes},
            {"primary", file.primary},
            {"downloadUrl", fmt::format("https://civitai.com/api/download/models/{}", version.id)}};
}

json image_json(const CivitaiImage& image, const HttpServer& server) {
    const auto url = image.url.empty() ? server.url("/x/original=true/" + image.name) : image.url;
    json object = {{"url", url},
                   {"width", 832},
                   {"height", 1216},
                   {"hash", "UGF5N^%M"},
                   {"type", "image"},
                   {"hasMeta", !image.prompt.empty()},
                   {"meta", image.prompt.empty() ? json() : json{{"prompt", image.prompt}}}};
    if (image.nsfw_level) object["nsfwLevel"] = *image.nsfw_level;
    return object;
}

}  // namespace

nlohmann::json images_json(const CivitaiVersion& version, const HttpServer& server) {
    json images = json::array();
    for (const auto& image : version.images)
        images.push_back(image_json(image, server));
    return images;
}

nlohmann::json version_json(const CivitaiVersion& version, const HttpServer& images) {
    json files = json::array();
    for (const auto& file : version.files)
        files.push_back(file_json(version, file));
    return {
        {"id", version.id},
        {"modelId", version.model_id},
        {"name", "v1"},
        {"baseModel", version.base_model},
        {"air", fmt::format("urn:air:sdxl:checkpoint:civitai:{}@{}", version.model_id, version.id)},
        {"model", {{"name", version.model_name}, {"type", version.model_type}, {"nsfw", false}}},
        {"files", files},
        {"images", images_json(version, images)},
        {"trainedWords", json::array()},
        {"downloadUrl", fmt::format("https://civitai.com/api/download/models/{}", version.id)}};
}

}  // namespace podctl::test
