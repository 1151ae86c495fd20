#pragma once

#include "podctl/base/url.hpp"
#include "podctl/http/http.hpp"
#include "podctl/hub/resolve.hpp"

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

// What civitdl makes of a model on Civitai, so that workflows and tools made for it find the same
// files. Source of every rule: civitdl 2.2.0 (https://pypi.org/project/civitdl/), its folder and
// module named where a rule comes from it; scripts/check_civitdl_names compares the names.
namespace podctl::hub {

// helpers/sorter/basic.py and tags.py.
enum class CivitdlSorter {
    basic,  // "<model name>/"
    tags,   // "<base model>/<anime|others>/<style|poses|…|others>/<model name>/"
};

// Where civitdl's sorter puts a file, relative to the folder it is told:
// "<folders>/<file stem>-mid_<model>-vid_<version><ext>", made safe as safe_file_name() does, but
// for trailing dots, which stay: civitdl keeps them, and many a model's name ends in '?', which it
// makes a dot. A model without a name gets the folder "mid_<model>".
// The tags sorter needs file.tags: throws Error{internal} when they were not asked for.
std::filesystem::path civitdl_path(const ResolvedFile& file,
                                   CivitdlSorter sorter = CivitdlSorter::basic);

// Fills file.tags, with one request to the API, unless resolve() had to ask for the model already;
// a file that is not Civitai's has none. Throws as resolve() does.
void ask_civitai_tags(ResolvedFile& file, http::Client& http, const Mirrors& mirrors,
                      const http::RetryPolicy& retry, std::stop_token stop);

// civitdl --nsfw-mode 0, 1 and 2, by the nsfwLevel of image and model (civitdl/batch/_metadata.py).
// An image without a level is none that can be judged and left out by all of them, as civitdl does.
enum class NsfwImages {
    safe,      // 0: level 3 or lower (PG and PG-13)
    as_model,  // 1: and those at most one level above the model's own; all, if that is unknown
    all,       // 2: what a fresh civitconfig sets
};

enum class ImagePrompts { leave_out, save };

struct CivitdlMetadataOptions {
    int max_images = 3;  // the first ones that `nsfw` lets through
    NsfwImages nsfw = NsfwImages::all;
    ImagePrompts prompts = ImagePrompts::save;  // IMG.json beside each IMG
};

// What civitdl saves beside a model file, before the images' bytes are asked for. Paths are below
// the folder where the file is:
//   <stem>-mid_M-vid_V.csv                              the hashes that Civitai gives of the file
//   extra_data-vid_V/model_dict-mid_M-vid_V.json        the model's record
//   extra_data-vid_V/IMG and IMG.json                   sample images and what it says of each
struct CivitdlMetadata {
    struct Text {
        std::filesystem::path path = {};
        std::string content = {};
    };
    struct Image {
        std::string url = {};  // on a server that the record names
        http::Request::Reach reach = http::Request::Reach::anywhere;
        std::filesystem::path path = {};
        std::optional<Text> prompt = {};
    };
    std::vector<Text> texts = {};
    std::vector<Image> images = {};
    std::vector<std::string> warnings = {};
};

// Asks Civitai for the records of model and version. A file that is not Civitai's is a warning and
// nothing else. Throws Error{unauthorized | not_found | network} when they cannot be had,
// Error{interrupted}.
CivitdlMetadata ask_civitdl_metadata(const ResolvedFile& file,
                                     const CivitdlMetadataOptions& options, http::Client& http,
                                     const Mirrors& mirrors, const http::RetryPolicy& retry,
                                     std::stop_token stop);

}  // namespace podctl::hub
