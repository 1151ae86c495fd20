#pragma once

#include "podctl/base/url.hpp"
#include "podctl/http/http.hpp"
#include "podctl/http/retry.hpp"
#include "podctl/hub/source.hpp"

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace podctl::hub {

// What a hub says of a file before its bytes are asked for.
struct ResolvedFile {
    std::string url = {};   // the hub's own download URL before mirrors, never a presigned one
    std::string name = {};  // the server's name, not yet made safe; may be empty
    std::optional<std::uint64_t> size = {};  // exact: a file of another size is a wrong one
    // For the bill: `size`, or what a hub gives rounded (Civitai's sizeKB).
    std::optional<std::uint64_t> approximate_size = {};
    std::string sha256 = {};  // lower-case hex; empty: the hub gives none
    // Of a small file of Hugging Face, which has no sha256 there: the id of its git blob
    // (git_blob_id in podctl/base/digest.hpp); else empty.
    std::string git_blob = {};
    std::string type = {};  // Civitai: file type or model type ("Checkpoint", "LORA"); else empty
    std::string revision = {};  // Hugging Face: the commit
    // Civitai only, for civitdl's layout.
    std::string model_name = {};
    long long model_id = 0;
    long long version_id = 0;
    std::string base_model = {};  // "SDXL 1.0"
    // The model's; nullopt: not asked for (ask_civitai_tags), since a version's record has none.
    std::optional<std::vector<std::string>> tags = {};
    // What the user should know: how the source was taken (Source::note is in it), a scan that did
    // not come to its end.
    std::string note = {};
    // What the hub has against the file ("Civitai's virus scan of x.zip says Danger"); empty:
    // nothing. It is not to be taken but by a user who trusts the source all the same.
    std::string verdict = {};
};

// What a plain URL says by itself: its name is the last part of its path.
ResolvedFile describe(const UrlSource& source);

// Error{integrity} for a file with a verdict, unless the source is trusted. `how` says how to trust
// it: "list it in `trust`".
void refuse_by_verdict(const ResolvedFile& file, const std::string& source, const std::string& how);

// Asks the hub. A plain URL is not asked: its name comes from the path. Retries what can pass (429
// with Retry-After, 5xx, connection faults). Throws Error{unauthorized | not_found | network |
// integrity} with the remedy of each (a key is needed, Early Access until, gated, archived, …).
ResolvedFile resolve(const Source& source, http::Client& http, const Mirrors& mirrors,
                     const http::RetryPolicy& retry, std::stop_token stop);

// What a server says of a file before its bytes are asked for.
struct Offer {
    std::string server_name = {};  // from Content-Disposition, not yet made safe; may be empty
    std::optional<std::uint64_t> size = {};
    std::string refusal = {};  // why it would not be given, in words; empty: it would
};

// Asks the server of a plain URL. What it does not say is left empty. Throws Error{network |
// interrupted}.
Offer probe(const std::string& url, http::Client& http, const Mirrors& mirrors,
            std::stop_token stop);

}  // namespace podctl::hub
