#pragma once

#include "support/http_server.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace podctl::test {

struct CivitaiFile {
    long long id = 0;
    std::string name = {};
    std::string bytes = {};
    std::string type = "Model";
    std::string format = "SafeTensor";
    std::string size = "full";
    std::string precision = "fp16";
    bool primary = true;
    std::string pickle_scan = "Success";
    std::string virus_scan = "Success";
    bool has_hashes = true;
};

// A sample image, on a server of its own.
struct CivitaiImage {
    std::string name = {};  // the last part of its URL, as it stands there
    std::string bytes = {};
    std::optional<int> nsfw_level = 1;
    std::string prompt = {};  // in its `meta`; empty: meta is null
    std::string url = {};     // in place of the one of the image server
};

struct CivitaiVersion {
    long long id = 0;
    long long model_id = 0;
    std::string model_name = {};
    std::string model_type = "Checkpoint";
    std::string base_model = "SDXL 1.0";
    std::vector<CivitaiFile> files = {};
    std::vector<CivitaiImage> images = {};
    // Of the model: what its newest version says.
    std::vector<std::string> tags = {};
    std::optional<int> nsfw_level = 1;
    bool needs_key = true;
    std::string early_access_until = {};  // a date: 403 {error:"Early Access"}
    bool archived = false;                // 410
};

struct HuggingFaceFile {
    std::string repository = {};
    std::string path = {};
    std::string bytes = {};
    enum class Storage { plain, lfs } storage = Storage::lfs;
    enum class Access { open, gated, not_granted, private_ } access = Access::open;
};

// Civitai, its image server, Hugging Face and the object store that both redirect to: four servers,
// so four origins. They behave as the real ones do where a downloader can tell: the store refuses
// an Authorization header (400), a HEAD and a signature that has expired (403); Civitai wants
// ?fileId= for the right file of a version.
class Hub {
public:
    Hub();
    ~Hub();
    Hub(const Hub&) = delete;
    Hub& operator=(const Hub&) = delete;

    // Versions of one model: the one that was added first is its newest.
    void add(CivitaiVersion version);
    void add(HuggingFaceFile file);
    // A repository that was renamed: a relative redirect (307).
    void rename_repository(const std::string& from, const std::string& to);

    // What Civitai and Hugging Face take for a valid token.
    static constexpr const char* civitai_key = "civitai-key-0123456789";
    static constexpr const char* hf_token = "hf_token0123456789";
    // The commit that `main` stands for.
    static constexpr const char* commit = "57b32dfee076092ad2930c71fd6d439c2c3b1820";

    // Prefix → prefix, as the template's `mirrors` and --mirror take them.
    std::vector<std::pair<std::string, std::string>> mirrors() const;

    // All URLs that the store's clients have now answer 403 from here on.
    void expire_signatures();
    // Changes answers before they are sent: faults. Called by several threads at once.
    void alter_store(std::function<void(const Request&, Response&)> alter);
    void alter_civitai(std::function<void(const Request&, Response&)> alter);
    void alter_huggingface(std::function<void(const Request&, Response&)> alter);
    void alter_images(std::function<void(const Request&, Response&)> alter);

    const HttpServer& civitai() const;
    const HttpServer& huggingface() const;
    const HttpServer& store() const;
    const HttpServer& images() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

// A valid .safetensors file of one U8 tensor with `size` bytes of data that depend on `seed`.
std::string safetensors_bytes(std::size_t size, unsigned seed = 1);

}  // namespace podctl::test
