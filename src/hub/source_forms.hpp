// The forms of a source, one file a hub; parse_source() chooses.
#pragma once

#include "podctl/base/digest.hpp"
#include "podctl/base/url.hpp"
#include "podctl/hub/source.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace podctl::hub {

// What forms there are, in a sentence.
extern const std::string_view known_forms;

// Throws Error{template_}: `source "TEXT": WHY`.
[[noreturn]] void refuse_source(std::string_view text, std::string_view why,
                                std::string_view hint = known_forms);

bool is_digits(std::string_view text);
// A path's parts, decoded, without the empty ones.
std::vector<std::string> path_segments(const Url& url);
// The part before `mark`, which is cut off `rest` with it; all of `rest` when there is no mark.
std::string_view take_until(std::string_view& rest, char mark);

// A number above 0. `text` is the whole source, for the error.
long long parse_id(std::string_view digits, std::string_view text, std::string_view what);

bool is_civitai_host(std::string_view host);
CivitaiSource parse_civitai_url(const Url& url, std::string_view text);

// MODEL[@VERSION][+FILE][:LAYER][.FORMAT], the tail of an AIR and of civitai:.
Source parse_civitai_id(std::string_view id, std::string_view text);
// [urn:][air:][ECOSYSTEM:][TYPE:]civitai:ID.
// nullopt: not an AIR.
std::optional<Source> parse_air(std::string_view text);

bool is_hugging_face_host(std::string_view host);
// `rest` is what follows hf: or hf://.
HuggingFaceSource parse_hf(std::string_view rest, std::string_view text);
// The path begins at the hub's root.
Source parse_hf_url(const Url& url, std::string_view text);
// The URL of a file under $HF_ENDPOINT with the endpoint's own path taken off; nullopt: it is not
// under it, or there is no (valid) endpoint.
std::optional<Url> under_endpoint(const Url& url);

}  // namespace podctl::hub
