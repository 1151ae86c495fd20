#pragma once

#include "podctl/base/error.hpp"
#include "podctl/base/url.hpp"
#include "podctl/http/http.hpp"
#include "podctl/http/retry.hpp"
#include "podctl/hub/resolve.hpp"
#include "podctl/hub/source.hpp"

#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

// Repositories of models, or folders of them, as one source of many files.
namespace podctl::hub {

struct FolderFile {
    std::string path = {};   // within the folder; safe to be joined to a path of this machine
    ResolvedFile file = {};  // its url and revision name the commit
};

struct Folder {
    std::string revision = {};           // the commit of all the files
    std::vector<FolderFile> files = {};  // by path
    // What no file here can be called (aux.png, a name with control characters), by path: of no
    // matter where nobody wants it.
    std::vector<std::string> impossible = {};
};

// hf:ORG/REPO, hf:ORG/REPO/FOLDER/, …/tree/REV/FOLDER: list_folder() and not resolve() is to be
// asked.
bool is_folder(const Source& source);

// The files that are there, and how large; without those whose name, or whose folder's, begins with
// a dot (.gitattributes). Throws as resolve() does, Error{integrity} for an answer that makes no
// sense.
Folder list_folder(const Source& source, http::Client& http, const Mirrors& mirrors,
                   const http::RetryPolicy& retry, std::stop_token stop);

// One of them, from what a journal kept: `git_blob` is given where there is no sha256.
FolderFile folder_file(const HuggingFaceSource& folder, const std::string& revision,
                       const std::string& path, std::uint64_t size, const std::string& sha256,
                       const std::string& git_blob);
// As a source by itself; its text is hf:ORG/REPO@COMMIT/PATH.
Source source_of_file(const HuggingFaceSource& folder, const FolderFile& file);

// Globs as huggingface_hub's allow_patterns and ignore_patterns: `*` matches a slash, too, and a
// pattern that ends in a slash means all below.
struct Globs {
    std::vector<std::string> include = {};  // empty: all
    std::vector<std::string> exclude = {};
};
bool is_chosen(const std::string& path, const Globs& globs);
// Those of a folder that the globs choose; it may be none.
Folder chosen_of(const Folder& all, const Globs& globs);

// Error{integrity} where something is chosen that no file here can be called. `what` is the source;
// `the_word` is what leaves a file out: "--exclude".
std::optional<Error> impossible_in(const Folder& chosen, const std::string& what,
                                   std::string_view the_word);

}  // namespace podctl::hub
