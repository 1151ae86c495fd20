#include "support/hub.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/url.hpp"

#include "support/civitai_json.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <random>

namespace podctl::test {
namespace {

using nlohmann::json;
using Alter = std::function<void(const Request&, Response&)>;

Response json_answer(int status, const json& body) {
    return {
        .status = status, .headers = {{"Content-Type", "application/json"}}, .body = body.dump()};
}

long long number(const std::string& text) {
    return text.empty() || text.find_first_not_of("0123456789") != text.npos ? 0 : std::stoll(text);
}

Response hf_error(int status, const std::string& code, const std::string& message) {
    return {.status = status,
            .headers = {{"X-Error-Code", code}, {"X-Error-Message", message}},
            .body = json{{"error", message}}.dump()};
}

std::string lfs_pointer(const std::string& bytes) {
    return fmt::format("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n",
                       sha256_hex(bytes), bytes.size());
}

}  // namespace

struct Hub::State {
    std::mutex mutex;
    std::vector<CivitaiVersion> versions;
    std::vector<HuggingFaceFile> files;
    std::map<std::string, std::string> renamed;
    struct Stored {
        std::string bytes, name;
    };
    std::map<std::string, Stored> objects;  // by key
    int generation = 1;                     // of the signatures
    Alter alter_store, alter_civitai, alter_huggingface, alter_images;
    // Last, so that they stop before what their handlers use is gone.
    std::optional<HttpServer> store, images, civitai, huggingface;

    std::string signed_url(const std::string& bytes, const std::string& name);
    Response store_answer(const Request& request);
    Response image_answer(const Request& request);
    Response civitai_answer(const Request& request);
    Response civitai_api(const std::vector<std::string>& parts);
    Response civitai_download(const Request& request, long long version_id);
    Response huggingface_answer(const Request& request);
    Response huggingface_api(const Request& request);
    Response huggingface_file(const Request& request, const HuggingFaceFile& file);
    HttpServer::Handler handler(Response (State::*answer)(const Request&), Alter State::*alter);
};

HttpServer::Handler Hub::State::handler(Response (State::*answer)(const Request&),
                                        Alter State::*alter) {
    return [this, answer, alter](const Request& request) {
        Response response;
        Alter change;
        {
            const std::scoped_lock lock(mutex);
            response = (this->*answer)(request);
            change = this->*alter;
        }
        if (change) change(request, response);
        return response;
    };
}

std::string Hub::State::signed_url(const std::string& bytes, const std::string& name) {
    const std::string key = sha256_hex(bytes).substr(0, 16);
    objects[key] = {bytes, name};
    return store->url(fmt::format(
        "/bucket/"
        "{}?X-Amz-Expires=86400&X-Amz-Signature=generation{}%2Bx&response-content-disposition={}",
        key, generation, percent_encode(fmt::format("attachment; filename=\"{}\"", name))));
}

Response Hub::State::store_answer(const Request& request) {
    const auto error = [](int status, const char* code) {
        return Response{.status = status,
                        .headers = {{"Content-Type", "application/xml"}},
                        .body = fmt::format("<Error><Code>{}</Code></Error>", code)};
    };
    if (request.header("authorization")) return error(400, "InvalidArgument");
    const auto signature = fmt::format("generation{}+x", generation);
    if (request.method != "GET" || request.parameter("X-Amz-Signature") != signature)
        return error(403, "AccessDenied");
    // The signature covers the encoding: one that was changed on the way is another one.
    if (request.query.find("%2Bx") == std::string::npos) return error(403, "SignatureDoesNotMatch");
    const auto found = objects.find(request.path.substr(request.path.rfind('/') + 1));
    if (found == objects.end()) return error(404, "NoSuchKey");
    auto response = serve_bytes(request, found->second.bytes, "\"" + found->first + "\"");
    response.headers.emplace_back("Content-Type", "application/octet-stream");
    response.headers.emplace_back("Content-Disposition",
                                  fmt::format("attachment; filename=\"{}\"", found->second.name));
    return response;
}

Response Hub::State::image_answer(const Request& request) {
    // As the store does: a token is none of its business.
    if (request.header("authorization")) return {.status = 400};
    const auto part = request.target.substr(request.target.rfind('/') + 1);
    for (const auto& version : versions)
        for (const auto& image : version.images)
            if (image.name == part)
                return {.headers = {{"Content-Type", "image/jpeg"}}, .body = image.bytes};
    return {.status = 404};
}

Response Hub::State::civitai_answer(const Request& request) {
    if (request.header("user-agent").value_or("").find("Mozilla") != std::string::npos)
        return {.headers = {{"Content-Type", "text/html"}}, .body = "<!DOCTYPE html><html></html>"};
    const auto parts = split(request.path.substr(1), '/');
    if (parts.size() == 4 && parts[0] == "api" && parts[1] == "download")
        return civitai_download(request, number(parts[3]));
    if (parts.size() >= 4 && parts[0] == "api" && parts[1] == "v1") return civitai_api(parts);
    return {.headers = {{"Content-Type", "text/html"}}, .body = "<!DOCTYPE html><html></html>"};
}

Response Hub::State::civitai_api(const std::vector<std::string>& parts) {
    if (parts[2] == "model-versions") {
        for (const auto& version : versions) {
            const auto has_hash = [&](const CivitaiFile& file) {
                return sha256_hex(file.bytes) == to_lower(parts.back());
            };
            const bool by_hash =
                parts[3] == "by-hash" && std::ranges::any_of(version.files, has_hash);
            if (by_hash || version.id == number(parts[3]))
                return json_answer(200, version_json(version, *images));
        }
    }
    json model;
    for (const auto& version : versions) {
        if (parts[2] != "models" || version.model_id != number(parts[3])) continue;
        if (model.is_null())
            model = {{"id", version.model_id},
                     {"name", version.model_name},
                     {"type", version.model_type},
                     {"tags", version.tags},
                     {"nsfwLevel", version.nsfw_level ? json(*version.nsfw_level) : json()},
                     {"modelVersions", json::array()},
                     {"mode", version.archived ? json("Archived") : json()}};
        auto entry = version_json(version, *images);
        entry.erase("model");
        entry.erase("modelId");
        model["modelVersions"].push_back(entry);
    }
    if (!model.is_null()) return json_answer(200, model);
    return json_answer(404, {{"error", "Model not found"}});
}

Response Hub::State::civitai_download(const Request& request, long long version_id) {
    if (request.method == "HEAD") return {.status = 401};
    const auto version = std::ranges::find(versions, version_id, &CivitaiVersion::id);
    if (version == versions.end()) return json_answer(404, {{"error", "Version not found"}});
    const auto key = request.header("authorization");
    const bool valid = key == fmt::format("Bearer {}", civitai_key);
    if ((version->needs_key && !valid) || (key && !valid))
        return json_answer(401,
                           {{"error", "Unauthorized"},
                            {"message", "The creator of this asset requires you to be logged in"}});
    if (version->archived) return json_answer(410, {{"error", "Model archived"}});
    if (!version->early_access_until.empty())
        return json_answer(403,
                           {{"error", "Early Access"}, {"deadline", version->early_access_until}});
    const auto wanted = number(request.parameter("fileId"));
    // Without fileId the user's preferences choose: here they prefer the last one.
    const CivitaiFile* file = version->files.empty() ? nullptr : &version->files.back();
    if (wanted != 0) {
        const auto found = std::ranges::find(version->files, wanted, &CivitaiFile::id);
        file = found == version->files.end() ? nullptr : &*found;
    }
    if (!file) return json_answer(404, {{"error", "File not found"}});
    return {.status = 307, .headers = {{"Location", signed_url(file->bytes, file->name)}}};
}

// /api/models/ORG/REPO/revision/REV and …/tree/REV[/FOLDER]?recursive=true, some entries a page.
Response Hub::State::huggingface_api(const Request& request) {
    constexpr std::size_t page_size = 3;
    const std::string path = request.path.substr(std::string_view{"/api/models/"}.size());
    std::string repository;
    json entries = json::array();
    for (const auto& file : files) {
        if (!path.starts_with(file.repository + "/")) continue;
        repository = file.repository;
        if (file.access != HuggingFaceFile::Access::open &&
            request.header("authorization") != fmt::format("Bearer {}", hf_token))
            return hf_error(401, "GatedRepo", "Access to this model is restricted");
        json entry{{"type", "file"},
                   {"path", file.path},
                   {"size", file.bytes.size()},
                   {"oid", git_blob_id(file.bytes)}};
        if (file.storage == HuggingFaceFile::Storage::lfs)
            entry["lfs"] = {{"oid", sha256_hex(file.bytes)}, {"size", file.bytes.size()}};
        entries.push_back(std::move(entry));
    }
    if (repository.empty()) return hf_error(401, "RepoNotFound", "Repository not found");
    const std::string question = path.substr(repository.size());
    if (question == "/revision/main") return json_answer(200, {{"sha", commit}});
    const std::string tree = fmt::format("/tree/{}", commit);
    if (!question.starts_with(tree))
        return hf_error(404, "RevisionNotFound", "Invalid rev id: " + question);
    const std::string folder = question.substr(tree.size());
    json listed = json::array();
    for (const auto& entry : entries)
        if (folder.empty() || entry["path"].get<std::string>().starts_with(folder.substr(1) + "/"))
            listed.push_back(entry);
    if (listed.empty()) return hf_error(404, "EntryNotFound", "Entry not found");
    const auto begin = static_cast<std::size_t>(number(request.parameter("cursor")));
    const auto end = std::min(begin + page_size, listed.size());
    json page(listed.begin() + static_cast<std::ptrdiff_t>(begin),
              listed.begin() + static_cast<std::ptrdiff_t>(end));
    auto response = json_answer(200, page);
    if (end < listed.size())
        response.headers.emplace_back(
            "Link", fmt::format("<https://huggingface.co{}?recursive=true&cursor={}>; rel=\"next\"",
                                request.path, end));
    return response;
}

Response Hub::State::huggingface_answer(const Request& request) {
    if (request.path.starts_with("/api/models/")) return huggingface_api(request);
    for (const auto& [from, to] : renamed)
        if (request.path.starts_with("/" + from + "/"))
            return {.status = 307,
                    .headers = {{"Location", "/" + to + request.path.substr(from.size() + 1)}}};
    bool repository_known = false;
    for (const auto& file : files) {
        const std::string prefix = "/" + file.repository + "/";
        if (!request.path.starts_with(prefix)) continue;
        repository_known = true;
        const auto rest = request.path.substr(prefix.size());
        const auto verb = rest.substr(0, rest.find('/'));
        for (const std::string revision : {"main", commit, "refs/pr/1"}) {
            if (rest != verb + "/" + revision + "/" + file.path) continue;
            if (verb == "raw" && file.storage == HuggingFaceFile::Storage::lfs)
                return {.body = lfs_pointer(file.bytes)};
            if (verb == "resolve" || verb == "raw") return huggingface_file(request, file);
        }
    }
    if (!repository_known) return hf_error(401, "RepoNotFound", "Repository not found");
    const auto known = [&](const std::string& revision) {
        return request.path.find("/resolve/" + revision + "/") != std::string::npos;
    };
    if (known("main") || known(commit)) return hf_error(404, "EntryNotFound", "Entry not found");
    return hf_error(404, "RevisionNotFound", "Invalid rev id");
}

Response Hub::State::huggingface_file(const Request& request, const HuggingFaceFile& file) {
    using Access = HuggingFaceFile::Access;
    const auto token = request.header("authorization");
    const bool valid = token == fmt::format("Bearer {}", hf_token);
    if (token && !valid)
        return {.status = 401, .headers = {{"X-Error-Message", "Invalid credentials"}}};
    if (file.access == Access::private_ && !valid)
        return hf_error(401, "RepoNotFound", "Repository not found");
    if (file.access == Access::gated && !valid)
        return hf_error(401, "GatedRepo", "Access to this model is restricted");
    if (file.access == Access::not_granted)
        return hf_error(valid ? 403 : 401, "GatedRepo", "You are not in the authorized list");
    if (file.storage == HuggingFaceFile::Storage::plain) {
        auto response =
            serve_bytes(request, file.bytes, fmt::format("\"{}\"", git_blob_id(file.bytes)));
        response.headers.emplace_back("X-Repo-Commit", commit);
        return response;
    }
    return {.status = 302,
            .headers = {
                {"Location", signed_url(file.bytes, file.path.substr(file.path.rfind('/') + 1))},
                {"X-Repo-Commit", commit},
                {"X-Linked-Size", std::to_string(file.bytes.size())},
                {"X-Linked-ETag", fmt::format("\"{}\"", sha256_hex(file.bytes))}}};
}

Hub::Hub() : state_(std::make_unique<State>()) {
    auto& state = *state_;
    state.store.emplace(state.handler(&State::store_answer, &State::alter_store));
    state.images.emplace(state.handler(&State::image_answer, &State::alter_images));
    state.civitai.emplace(state.handler(&State::civitai_answer, &State::alter_civitai));
    state.huggingface.emplace(state.handler(&State::huggingface_answer, &State::alter_huggingface));
}

Hub::~Hub() = default;

void Hub::add(CivitaiVersion version) {
    const std::scoped_lock lock(state_->mutex);
    state_->versions.push_back(std::move(version));
}

void Hub::add(HuggingFaceFile file) {
    const std::scoped_lock lock(state_->mutex);
    state_->files.push_back(std::move(file));
}

void Hub::rename_repository(const std::string& from, const std::string& to) {
    const std::scoped_lock lock(state_->mutex);
    state_->renamed[from] = to;
}

std::vector<std::pair<std::string, std::string>> Hub::mirrors() const {
    return {{"https://civitai.com/", civitai().url("/")},
            {"https://huggingface.co/", huggingface().url("/")}};
}

void Hub::expire_signatures() {
    const std::scoped_lock lock(state_->mutex);
    ++state_->generation;
}

void Hub::alter_store(Alter alter) {
    const std::scoped_lock lock(state_->mutex);
    state_->alter_store = std::move(alter);
}

void Hub::alter_civitai(Alter alter) {
    const std::scoped_lock lock(state_->mutex);
    state_->alter_civitai = std::move(alter);
}

void Hub::alter_huggingface(Alter alter) {
    const std::scoped_lock lock(state_->mutex);
    state_->alter_huggingface = std::move(alter);
}

void Hub::alter_images(Alter alter) {
    const std::scoped_lock lock(state_->mutex);
    state_->alter_images = std::move(alter);
}

const HttpServer& Hub::civitai() const {
    return *state_->civitai;
}
const HttpServer& Hub::huggingface() const {
    return *state_->huggingface;
}
const HttpServer& Hub::store() const {
    return *state_->store;
}
const HttpServer& Hub::images() const {
    return *state_->images;
}

std::string safetensors_bytes(std::size_t size, unsigned seed) {
    std::string header =
        fmt::format(R"({{"weight":{{"dtype":"U8","shape":[{0}],"data_offsets":[0,{0}]}}}})", size);
    while (header.size() % 8 != 0)
        header += ' ';
    std::string bytes;
    for (int i = 0; i < 8; ++i)
        bytes += static_cast<char>(header.size() >> (8 * i) & 0xFF);
    bytes += header;
    std::mt19937 random(seed);
    bytes.reserve(bytes.size() + size);
    for (std::size_t i = 0; i < size; ++i)
        bytes += static_cast<char>(random() & 0xFF);
    return bytes;
}

}  // namespace podctl::test
