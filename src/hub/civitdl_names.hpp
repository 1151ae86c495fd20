#pragma once

#include "podctl/hub/resolve.hpp"

#include <set>
#include <string>
#include <string_view>

namespace podctl::hub {

// "<file stem>-mid_<model>-vid_<version>.csv", the name of the file's hashes.
std::string civitdl_hashes_name(const ResolvedFile& file);

// "extra_data-vid_<version>".
std::string civitdl_extra_name(const ResolvedFile& file);

// "model_dict-mid_<model>-vid_<version>.json".
std::string civitdl_record_name(const ResolvedFile& file);

struct ImageNames {
    std::string image, prompt;
};

// The names of sample images in their folder: the last part of the URL as it is there, made safe,
// and no two files with the same one.
class ImageNamer {
public:
    explicit ImageNamer(const std::string& taken);

    ImageNames names_of(const std::string& url);

private:
    bool take(const ImageNames& names);

    std::set<std::string> taken_;  // in lower case: a volume may not tell a from A
};

}  // namespace podctl::hub
