#pragma once

#include "podctl/hub/resolve.hpp"

#include <stop_token>

namespace podctl::hub {

// What a question to a hub needs.
struct Asking {
    http::Client& http;
    const Mirrors& mirrors;
    const http::RetryPolicy& retry;
    std::stop_token stop;
};

// As resolve(); `what` is the source as the user wrote it, for messages.
ResolvedFile resolve_civitai(const CivitaiSource& source, const std::string& what,
                             const Asking& asking);
// The same from an answer of the API that is there: a model's JSON where the source names no
// version, else a version's.
ResolvedFile read_civitai_answer(const CivitaiSource& source, std::string_view answer,
                                 const std::string& what);
// The endpoint, without a slash at its end.
std::string hugging_face_root(const HuggingFaceSource& source);
// What stands before ORG/REPO in URLs and in hf:…: "datasets/", "spaces/" or nothing.
std::string kind_prefix(HuggingFaceSource::Kind kind);
// Where a file is, of the revision or the commit.
std::string hugging_face_url(const HuggingFaceSource& file, const std::string& revision);
ResolvedFile resolve_hugging_face(const HuggingFaceSource& source, const std::string& what,
                                  const Asking& asking);

}  // namespace podctl::hub
