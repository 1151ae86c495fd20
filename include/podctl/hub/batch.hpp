#pragma once

#include "podctl/hub/resolve.hpp"
#include "podctl/hub/source.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace podctl::hub {

struct BatchEntry {
    Source source = {};
    std::string origin = {};  // "models.txt:12"; empty for the command line
    // What an input list of aria2 says below the source; empty: nothing.
    std::filesystem::path folder = {};  // absolute, or under the folder that all go into
    std::filesystem::path file = {};    // its name, with folders under that one before it
    std::string sha256 = {};            // lower-case hex
    // Of a file of a hub's folder: what its listing said. No batch says it.
    std::optional<ResolvedFile> listed = {};
};

// The sources of a command line and of its batch files ("-": standard input), in that order, each
// place once.
//
// Arguments and lines hold one source or a list. A list is split at a comma when what follows is a
// source by its looks: a scheme (https://, hf:, civitai:, urn:air:, an AIR, sha256:), a hub's
// address without one, or a SHA-256. Anything else that follows (a number, @FILE, a path) counts
// after a source that holds no comma of its own (an id, a hash, an AIR, a Civitai URL) or after a
// comma with white space. So the commas of https://host/a,b/x?size=1,2 stay, and one that must not
// split at all is written %2C. White space between two sources splits as well, where neither can
// hold it.
//
// A batch file is UTF-8 text (a byte order mark and CRLF are taken), at most 16 MiB. `#` begins a
// comment at a line's start or after white space; elsewhere it is a URL's. `@FILE` and `-i FILE`
// name a nested file, and so does the path of a file that is there, as in civitdl's batch files; it
// is relative to the file that names it. A file is read once, however often it is named.
//
// An indented NAME=VALUE below a source is an option of aria2's input lists, for all sources of the
// line above: dir, out (of one source) and checksum=sha-256=HEX. Those that say how aria2 transfers
// are passed over, and others are an error.
//
// Throws one Error{usage} that lists all that is wrong, each with its file and line and what is
// allowed there: unknown sources, files that cannot be read, a file that names itself, more than 16
// files in one another.
std::vector<BatchEntry> expand_sources(const std::vector<std::string>& arguments,
                                       const std::vector<std::filesystem::path>& batch_files);

}  // namespace podctl::hub
