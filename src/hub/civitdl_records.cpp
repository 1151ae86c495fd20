// What civitdl/batch/_metadata.py and _model.py of civitdl save beside a model.
#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"
#include "podctl/http/url_rules.hpp"
#include "podctl/hub/civitdl.hpp"
#include "podctl/hub/hub_errors.hpp"

#include "civitai_api.hpp"
#include "civitdl_names.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace podctl::hub {
namespace {

using namespace civitai_api;
namespace fs = std::filesystem;

struct Records {
    json model, version;
    bool from_internet = false;
};

// The version's own record, not the one within the model's: civitdl takes its images from there.
Records ask_for_records(const ResolvedFile& file, const Asking& asking) {
    Records records;
    const auto ask = [&](const std::string& path) {
        const auto response = send_to_civitai(origin_of(file.url), path, asking);
        if (response.status != 200) throw refusal(response, origin_of(file.url) + path, path);
        records.from_internet |= response.from_internet;
        return parse_answer(response.body, path);
    };
    records.model = ask(fmt::format("/api/v1/models/{}", file.model_id));
    records.version = ask(fmt::format("/api/v1/model-versions/{}", file.version_id));
    return records;
}

// As Python's dumps(indent=2, ensure_ascii=False) prints it.
std::string printed(const json& value) {
    return value.dump(2, ' ', false, json::error_handler_t::replace);
}

bool may_be_shown(double level, const json& model_level, NsfwImages nsfw) {
    constexpr double safe_level = 3;  // bits: PG 1, PG-13 2
    if (level <= safe_level) return true;
    switch (nsfw) {
        case NsfwImages::safe:
            return false;
        case NsfwImages::as_model:
            return !model_level.is_number() || level <= model_level.get<double>() + 1;
        case NsfwImages::all:
            return true;
    }
    return false;
}

class Collector {
public:
    Collector(const ResolvedFile& file, const CivitdlMetadataOptions& options, const Asking& asking)
        : file_(file), options_(options), asking_(asking) {}

    CivitdlMetadata collect() {
        const auto records = ask_for_records(file_, asking_);
        add_hashes(records.version);
        found_.texts.push_back({extra_ / civitdl_record_name(file_), printed(records.model)});
        ImageNamer namer{civitdl_record_name(file_)};
        for (const json* image : chosen_images(records))
            add_image(*image, namer.names_of(text_at(*image, "url")), records.from_internet);
        return std::move(found_);
    }

private:
    void add_hashes(const json& version) {
        const auto url = parse_url(file_.url);
        const auto id = url ? url->parameter("fileId").value_or("") : "";
        std::string lines = "hash_name, hash_id";
        bool any = false;
        for (const auto& object : member(version, "files")) {
            if (std::to_string(id_at(object, "id")) != id) continue;
            for (const auto& [name, hash] : member(object, "hashes").items()) {
                if (!hash.is_string()) continue;
                lines += fmt::format("\n{}, {}", name, hash.get<std::string>());
                any = true;
            }
        }
        if (any) found_.texts.push_back({civitdl_hashes_name(file_), lines});
    }

    std::vector<const json*> chosen_images(const Records& records) {
        std::vector<const json*> chosen;
        std::size_t unusable = 0;
        for (const auto& image : member(records.version, "images")) {
            const json& level = member(image, "nsfwLevel");
            if (!level.is_number() || text_at(image, "url").empty())
                ++unusable;
            else if (may_be_shown(level.get<double>(), member(records.model, "nsfwLevel"),
                                  options_.nsfw))
                chosen.push_back(&image);
        }
        if (unusable > 0)
            warn(fmt::format("{} sample images have no URL or no NSFW level: left out", unusable));
        const auto most = static_cast<std::size_t>(std::max(options_.max_images, 0));
        if (chosen.size() > most) chosen.resize(most);
        return chosen;
    }

    void add_image(const json& image, const ImageNames& names, bool from_internet) {
        CivitdlMetadata::Image added{.url = text_at(image, "url"), .path = extra_ / names.image};
        if (from_internet && !asking_.mirrors.covers(added.url))
            added.reach = http::Request::Reach::internet;
        if (options_.prompts == ImagePrompts::save)
            added.prompt = {extra_ / names.prompt, printed(image)};
        found_.images.push_back(std::move(added));
    }

    void warn(std::string text) { found_.warnings.push_back(std::move(text)); }

    const ResolvedFile& file_;
    const CivitdlMetadataOptions& options_;
    const Asking& asking_;
    const fs::path extra_ = civitdl_extra_name(file_);
    CivitdlMetadata found_;
};

}  // namespace

CivitdlMetadata ask_civitdl_metadata(const ResolvedFile& file,
                                     const CivitdlMetadataOptions& options, http::Client& http,
                                     const Mirrors& mirrors, const http::RetryPolicy& retry,
                                     std::stop_token stop) {
    if (file.model_id <= 0 || file.version_id <= 0)
        return {.warnings = {fmt::format("{}: not from Civitai, so there is no metadata to save",
                                         http::shown(file.url))}};
    const Asking asking{http, mirrors, retry, std::move(stop)};
    return Collector{file, options, asking}.collect();
}

}  // namespace podctl::hub
