#pragma once

#include "context.hpp"

#include <stop_token>
#include <string>

namespace podctl::run {

// What a hub said of a source, kept in the journal: names, ids and digests that pin it until
// --update.
std::optional<hub::ResolvedFile> known_resolution(const hub::Source& source,
                                                  const Journal& journal);
void keep_resolution(const hub::Source& source, const hub::ResolvedFile& file, Journal& journal);
// The same of all files of a folder.
std::optional<hub::Folder> known_listing(const hub::Source& source, const Journal& journal);
void keep_listing(const hub::Source& source, const hub::Folder& folder, Journal& journal);

// What is known of every model's source of the template, by Source::text. Hubs are asked for the
// rest, all at once and without patience: what cannot be had is left out, and the step asks again;
// the context keeps why.
struct Known {
    plan::Resolutions files;
    plan::Listings folders;
};
Known resolve_models(Context& context, std::stop_token stop);

// What a look says of a source that is not known: its text, and why its hub has not told.
std::string told_of_unknown(const hub::Source& source, const Context& context);

}  // namespace podctl::run
