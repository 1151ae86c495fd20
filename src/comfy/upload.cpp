#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/json.hpp"
#include "podctl/base/names.hpp"

#include "client.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <random>
#include <string_view>

// Client's way to bring a file into input/: a form, as a browser sends it.
namespace podctl::comfy {
namespace {

// A file goes through memory; ComfyUI itself takes 100 MB unless told otherwise.
constexpr std::uint64_t most_to_upload = 1u << 30;

// RFC 2046 §5.1.1: what stands nowhere in the parts.
std::string random_boundary() {
    std::random_device random;
    return fmt::format("podctl-{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

// As the forms of browsers have it (WHATWG HTML, multipart/form-data).
std::string quoted(const std::string& name) {
    std::string text;
    for (const char c : name)
        text += c == '"' ? "%22" : std::string(1, c);
    return text;
}

}  // namespace

std::string Client::upload(const std::filesystem::path& file) const {
    const auto stamp = file_stamp(file);
    if (stamp && stamp->size > most_to_upload)
        throw Error{ErrorKind::usage, fmt::format("{}: too large to be sent", file.string()),
                    "copy it into ComfyUI's folder input/"};
    const auto name = file.filename().string();
    if (name != safe_file_name(name))
        throw Error{ErrorKind::usage, fmt::format("{}: no name for a file of ComfyUI's", name),
                    "give it a name of letters, digits, dots and dashes"};
    const auto bytes = read_file(file);
    const auto boundary = random_boundary();
    const auto part = [&](const std::string& head, std::string_view body) {
        return fmt::format("--{}\r\nContent-Disposition: form-data; {}\r\n\r\n{}\r\n", boundary,
                           head, body);
    };
    const auto response =
        post("/upload/image",
             {.headers = {{"Content-Type", "multipart/form-data; boundary=" + boundary}},
              .body = part("name=\"type\"", "input") +
                      part(fmt::format("name=\"image\"; filename=\"{}\"", quoted(name)), bytes) +
                      "--" + boundary + "--\r\n",
              .timeout = left()});
    if (response.status == 413)
        throw Error{ErrorKind::smoke,
                    fmt::format("{} takes no file as large as {}", shown_url_, name),
                    "ComfyUI's --max-upload-size says how large (in MB), or copy it into input/"};
    if (response.status != 200) throw refused("/upload/image", response);
    const auto answer = parse_json(response.body).value_or(json());
    const auto called = text_at(answer, "name"), subfolder = text_at(answer, "subfolder");
    if (called.empty())
        throw Error{ErrorKind::smoke,
                    fmt::format("{}/upload/image did not say what it calls {}", shown_url_, name)};
    return subfolder.empty() ? called : subfolder + "/" + called;
}

}  // namespace podctl::comfy
