#include "formats.hpp"

#include "podctl/base/host.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/text.hpp"
#include "podctl/base/url.hpp"

#include "paths.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace podctl::tmpl {
namespace {

using Fault = std::optional<std::string>;

bool is_lower_alnum(char c) {
    return is_alphanumeric(c) && !std::isupper(static_cast<unsigned char>(c));
}

bool only(std::string_view text, std::string_view others) {
    return std::all_of(text.begin(), text.end(), [&](char c) {
        return is_alphanumeric(c) || others.find(c) != std::string_view::npos;
    });
}

Fault not_that(bool fine) {
    return fine ? std::nullopt : Fault{""};
}

// What nobody could ask would be found out only when the pod is brought up.
Fault unaskable(const Url& url) {
    auto fault = host_fault(url);
    return fault.empty() ? std::nullopt : Fault{std::move(fault)};
}

Fault optional_line_fault(std::string_view text, const PathContext&) {
    if (has_control(text)) return "it has a line break or a control character";
    return std::nullopt;
}

Fault line_fault(std::string_view text, const PathContext& context) {
    if (trim(text).empty()) return "it is empty";
    return optional_line_fault(text, context);
}

Fault dns_label_fault(std::string_view text, const PathContext&) {
    const bool characters =
        std::all_of(text.begin(), text.end(), [](char c) { return is_lower_alnum(c) || c == '-'; });
    return not_that(!text.empty() && text.size() <= 63 && characters && text.front() != '-' &&
                    text.back() != '-');
}

Fault env_name_fault(std::string_view text, const PathContext&) {
    return not_that(!text.empty() && !is_digit(text[0]) && only(text, "_"));
}

Fault sha256_fault(std::string_view text, const PathContext&) {
    const bool hex = std::all_of(text.begin(), text.end(), is_hex_digit);
    if (text.empty() || (text.size() == 64 && hex)) return std::nullopt;
    return hex ? fmt::format("it has {} digits", text.size())
               : "it has other characters than hex digits";
}

Fault word_fault(std::string_view text, const PathContext& context) {
    if (auto fault = line_fault(text, context)) return fault;
    if (text.find(' ') != std::string_view::npos) return "it has a space";
    // What a program would take for an option.
    if (text.front() == '-') return "it begins with a dash";
    return std::nullopt;
}

// A name by Debian's policy (§5.6.7), with or without :ARCHITECTURE. apt-get reads much more into
// an argument: `name-` removes, `name/release` and `name=version` choose, and * is a glob. A name
// may end in + (g++), so whoever installs makes sure that the package is there.
Fault package_fault(std::string_view text, const PathContext&) {
    const auto colon = std::min(text.find(':'), text.size());
    const auto is_word = [](std::string_view word, std::string_view others) {
        return !word.empty() && is_lower_alnum(word.front()) && word.back() != '-' &&
               std::all_of(word.begin(), word.end(), [&](char c) {
                   return is_lower_alnum(c) || others.find(c) != std::string_view::npos;
               });
    };
    const auto name = text.substr(0, colon);
    const bool bare = colon == text.size();
    return not_that(name.size() > 1 && is_word(name, "+.-") &&
                    (bare || is_word(text.substr(colon + 1), "-")));
}

// git's rules for a reference name (git-check-ref-format), which a commit fulfils, too.
Fault git_ref_fault(std::string_view text, const PathContext& context) {
    if (text.empty()) return std::nullopt;
    if (auto fault = word_fault(text, context)) return fault;
    const bool fine = text.find_first_of("~^:?*[\\") == std::string_view::npos &&
                      text.find("..") == std::string_view::npos &&
                      text.find("@{") == std::string_view::npos && text.back() != '/' &&
                      !text.ends_with(".lock");
    return not_that(fine);
}

Fault git_scheme_fault(std::string_view text) {
    const auto url = parse_url(text);
    if (!url) return "it is not a URL";
    if (url->scheme == "file") return not_that(url->path.size() > 1);
    if (url->scheme != "https" && url->scheme != "http" && url->scheme != "ssh") {
        return "git is not reached that way here";
    }
    if (auto fault = unaskable(*url)) return fault;
    return url->path.size() > 1 ? std::nullopt : Fault{"it names no repository"};
}

// git@host:path, as scp has it: a colon before the first slash.
bool is_scp_like(std::string_view text) {
    const auto colon = text.find(':');
    return colon != std::string_view::npos && colon > 0 && text.find('/') > colon;
}

Fault git_url_fault(std::string_view text, const PathContext& context) {
    if (auto fault = word_fault(text, context)) return fault;
    if (text.find("://") != std::string_view::npos) return git_scheme_fault(text);
    if (is_scp_like(text)) {
        if (text.back() == ':') return "it names no repository";
        const auto at = text.find('@');
        const auto begin = at < text.find(':') ? at + 1 : 0;
        return unaskable(
            {.scheme = "ssh", .host = to_lower(text.substr(begin, text.find(':') - begin))});
    }
    if (text.front() == '/') return std::nullopt;
    if (text.front() == '.') return path_fault(text, context);
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) {
        return "it is no URL; a registry id is written {registry: ID}, a folder {path: FOLDER}";
    }
    // github.com/user/repo: a host, not a folder.
    if (text.substr(0, slash).find('.') != std::string_view::npos)
        return "write https:// before the host";
    return path_fault(text, context);
}

Fault torch_fault(std::string_view text, const PathContext&) {
    const bool tag = text.size() == 5 && text.starts_with("cu") &&
                     std::all_of(text.begin() + 2, text.end(), is_digit);
    return not_that(tag || text == "auto" || text == "cpu" || text == "keep");
}

Fault index_url_fault(std::string_view text, const PathContext&) {
    if (text.empty()) return std::nullopt;
    const auto url = parse_url(text);
    if (!url || text.find(' ') != std::string_view::npos) return "";
    if (url->scheme == "file") return std::nullopt;
    if (url->scheme != "https" && url->scheme != "http") return "";
    return unaskable(*url);
}

Fault mount_fault(std::string_view text, const PathContext&) {
    if (auto fault = characters_fault(text)) return fault;
    if (text.front() != '/') return "it is relative";
    if (absolute_path(text, "/") == "/") return "the root of the file system is no volume";
    return std::nullopt;
}

bool looks_like_file(std::string_view text) {
    if (text.find("://") != std::string_view::npos || text.find(" @ ") != std::string_view::npos) {
        return false;
    }
    return text.starts_with('.') || text.starts_with('~') || text.ends_with(".txt") ||
           text.ends_with(".in") || text.find('/') != std::string_view::npos;
}

Fault requirement_fault(std::string_view text, const PathContext& context) {
    if (auto fault = line_fault(text, context)) return fault;
    if (text.front() == '-') return "options of pip have keys of their own here";
    return looks_like_file(text) ? path_fault(text, context) : std::nullopt;
}

Fault file_name_fault(std::string_view text, const PathContext& context) {
    if (auto fault = line_fault(text, context)) return fault;
    if (text.find('/') != std::string_view::npos) return "it is a path";
    if (safe_file_name(text) != text) return "such a name is not safe";
    return std::nullopt;
}

Fault registry_id_fault(std::string_view text, const PathContext&) {
    return not_that(!text.empty() && text.size() <= 100 && is_alphanumeric(text[0]) &&
                    only(text, "._-"));
}

// As PyPI has them (PEP 508).
Fault package_name_fault(std::string_view text, const PathContext&) {
    return not_that(!text.empty() && is_alphanumeric(text.front()) &&
                    is_alphanumeric(text.back()) && only(text, "._-"));
}

Fault version_fault(std::string_view text, const PathContext&) {
    return not_that(text.empty() || (is_alphanumeric(text[0]) && only(text, "._+-")));
}

// One or more, as ComfyUI's --listen takes them.
Fault listen_fault(std::string_view text, const PathContext&) {
    if (text.empty() || text[0] == '-' || !only(text, ".:,%_-[]")) return "";
    for (const auto& address : split(text, ',')) {
        const bool is_ipv6 = address.find(':') != std::string::npos;
        const auto host = is_ipv6 && !address.starts_with('[') ? "[" + address + "]" : address;
        const auto url = parse_url("http://" + host + "/");
        if (!url) return "";
        // It is asked there whether it is ready.
        if (auto fault = unaskable(*url)) return fault;
    }
    return std::nullopt;
}

Fault http_path_fault(std::string_view text, const PathContext& context) {
    if (auto fault = word_fault(text, context)) return fault;
    return text.front() == '/' ? std::nullopt : Fault{"it does not begin with a slash"};
}

Fault url_prefix_fault(std::string_view text, const PathContext& context) {
    if (auto fault = word_fault(text, context)) return fault;
    const auto url = parse_url(text);
    if (!url) return "";
    return url->scheme == "file" ? std::nullopt : unaskable(*url);
}

// Of a mirror: a URL, git@host: or an absolute path.
Fault mirror_target_fault(std::string_view text, const PathContext& context) {
    if (auto fault = word_fault(text, context)) return fault;
    if (text.front() == '/') return std::nullopt;
    const auto sign = text.find('@');
    const bool scp = text.find("://") == std::string_view::npos && sign != std::string_view::npos &&
                     sign > 0 && text.find(':', sign) != std::string_view::npos;
    return scp ? std::nullopt : url_prefix_fault(text, context);
}

Fault program_fault(std::string_view text, const PathContext& context) {
    if (auto fault = line_fault(text, context)) return fault;
    if (text.front() == '~') return "~ is not expanded";
    return text.front() == '-' ? Fault{"it begins with a dash"} : std::nullopt;
}

}  // namespace

namespace formats {
const Format line{"line", "\\S", "text of one line", line_fault};
const Format optional_line{"optional_line", "", "text of one line", optional_line_fault};
const Format dns_label{"dns_label", "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
                       "lower-case letters, digits and dashes, at most 63, no dash at an end",
                       dns_label_fault};
const Format env_name{"env_name", "^[A-Za-z_][A-Za-z0-9_]*$",
                      "a name of an environment variable (letters, digits, _)", env_name_fault};
const Format sha256{"sha256", "^([0-9A-Fa-f]{64})?$", "64 hex digits", sha256_fault};
const Format image{"image", "^[^\\s-]\\S*$", "an image's name", word_fault};
const Format package{
    "package", "^[a-z0-9][a-z0-9+.-]*[a-z0-9+.](:[a-z0-9]+(-[a-z0-9]+)*)?$",
    "the name of a Debian package: small letters, digits, + - and ., at least two, "
    "no - at the end",
    package_fault};
const Format git_url{"git_url", "^[^\\s-]\\S*$",
                     "https://, http://, ssh://, git@host:path, file:// or a local path",
                     git_url_fault};
const Format git_ref{"git_ref", "", "a tag, a branch or a commit", git_ref_fault};
const Format torch{"torch", "^(auto|cpu|keep|cu[0-9]{3})$",
                   "auto, cpu, keep or a tag of the wheel index (cu118 … cu130)", torch_fault};
const Format index_url{"index_url", "^((https?|file)://.*)?$",
                       "an https://, http:// or file:// URL", index_url_fault};
const Format mount{"mount", "^/", "an absolute path", mount_fault};
const Format path{"path", "^[^~]", "a path under the mount", path_fault};
const Format owned_path{"owned_path", "^[^~]", "a folder under the mount", owned_path_fault};
const Format store_path{"store_path", "^[^~]", "a folder under the mount, or an absolute path",
                        node_path_fault};
const Format node_path{"node_path", "^[^~]",
                       "a folder or a .py file under the mount, or an absolute path",
                       node_path_fault};
const Format model_folder{"model_folder", "^[^~]",
                          "a folder under ComfyUI's models/, or an absolute path in the mount",
                          model_folder_fault};
const Format file_name{"file_name", "^[^/]+$",
                       "a file's name without a folder, beginning with a letter, a digit or _",
                       file_name_fault};
const Format requirement{"requirement", "^[^-]",
                         "a requirement as pip takes it, or a file under the mount",
                         requirement_fault};
const Format package_name{"package_name", "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$",
                          "the name of a Python package, without a version", package_name_fault};
const Format registry_id{"registry_id", "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
                         "an id of the node registry", registry_id_fault};
const Format version{"version", "^([A-Za-z0-9][A-Za-z0-9._+-]*)?$", "a version", version_fault};
const Format listen{"listen", "^[0-9A-Za-z.:,%_\\[\\]-]+$", "an address to listen on",
                    listen_fault};
const Format http_path{"http_path", "^/", "a path of a URL: /health", http_path_fault};
const Format url_prefix{"url_prefix", "^[A-Za-z][A-Za-z0-9+.-]*://", "the beginning of a URL",
                        url_prefix_fault};
const Format mirror_target{"mirror_target", "^[^\\s-]",
                           "the beginning of a URL, git@host: or an absolute path",
                           mirror_target_fault};
const Format program{"program", "^[^~-]", "auto, a program's name or a path", program_fault};
}  // namespace formats

}  // namespace podctl::tmpl
