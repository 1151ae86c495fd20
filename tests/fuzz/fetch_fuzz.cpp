// What servers and users hand to the downloader: header values, a model's first bytes, the JSON of
// Civitai, a source, a batch file, a WebSocket, a model, an archive. Read or refused with an Error,
// never a crash, a hang or another exception. The first byte chooses the reader, so that one run
// covers them all.
#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"
#include "podctl/download/archive.hpp"
#include "podctl/download/download.hpp"
#include "podctl/download/inert.hpp"
#include "podctl/http/url_rules.hpp"
#include "podctl/hub/source.hpp"

#include "batch_text.hpp"
#include "http_message.hpp"
#include "http_rules.hpp"
#include "hubs.hpp"
#include "refusal.hpp"
#include "safetensors_header.hpp"
#include "support.hpp"
#include "websocket_frame.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace podctl;
using namespace podctl::fetch;

using fuzz::expect;

// A line each: the value of every header that is read.
void read_headers(std::string_view input) {
    const std::string value{input};
    HttpResponse response{.status = 429};
    for (const char* name : {"content-range", "content-length", "retry-after", "ratelimit",
                             "content-disposition", "content-type", "etag"})
        response.headers.emplace_back(name, value);
    if (const auto range = content_range(response))
        expect(!range->first || *range->first <= *range->last);
    content_length(response);
    const auto now = std::chrono::system_clock::from_time_t(1'700'000'000);
    if (const auto wait = retry_after(response, now)) expect(wait->count() >= 0);
    response.headers.erase(response.headers.begin() + 2);
    if (const auto wait = retry_after(response, now)) expect(wait->count() >= 0);
    const auto name = safe_file_name(disposition_name(response));
    expect(name.size() <= 255 && name.find('/') == name.npos);
    etag_value(value);
    media_type(response);
    const HttpResponse redirect{.status = 302, .headers = {{"location", value}}};
    redirect_of(redirect, checked_url("https://hub.example/a/b?x=1"), "GET", {});
}

void read_refusal(std::string_view input) {
    if (input.size() < 2) return;
    const int status = 300 + static_cast<unsigned char>(input[0]);
    const HttpResponse response{.status = status, .body = std::string(input.substr(1))};
    for (const char* url : {"https://civitai.com/x", "https://huggingface.co/x", "https://h/x"})
        expect(refusal(response, url, "m").message().size() < 2'000);
}

void read_model_start(std::string_view input) {
    if (input.empty()) return;
    static constexpr const char* names[] = {"m.safetensors", "m.gguf", "m.zip", "m.ckpt", "m.txt"};
    const std::string name = names[static_cast<unsigned char>(input[0]) % std::size(names)];
    input.remove_prefix(1);
    check_model_start(input, std::nullopt, name);
    check_model_start(input, input.size(), name);
}

void read_safetensors(std::string_view input) {
    check_safetensors_header("m.safetensors", std::string(input.substr(0, input.find('\0'))),
                             input.size());
}

void read_civitai(std::string_view input) {
    CivitaiSource model{.model = 299933, .bare_number = true};
    CivitaiSource version{.version = 610541, .format = "SafeTensor"};
    CivitaiSource by_hash{.sha256 = std::string(64, 'a')};
    for (const auto& source : {model, version, by_hash}) {
        try {
            const auto file = read_civitai_answer(source, input, "fuzz");
            expect(file.version_id > 0 && file.url.starts_with("https://civitai.com/api/"));
            expect(file.sha256.empty() || file.sha256.size() == 64);
        } catch (const Error&) {
        }
    }
}

// What was taken is taken again, and means the same.
void read_source(std::string_view input) {
    const auto source = parse_source(input);
    const auto again = parse_source(source.text);
    expect(location_key(source.location) == location_key(again.location));
    expect(again.token_in_query.empty());
    if (const auto* hub = std::get_if<HuggingFaceSource>(&source.location))
        for (const auto& part : split(hub->repository + "/" + hub->revision + "/" + hub->path, '/'))
            expect(!part.empty() && part != "." && part != "..");
}

void read_batch(std::string_view input) {
    for (const auto& line : batch_lines(input)) {
        expect(!line.text.empty());
        for (const auto& word : split_sources(line.text)) {
            expect(!word.empty() && trim(word) == word);
            nested_file(word);
        }
    }
}

// A stream, in blocks whose size its first byte says.
void read_frames(std::string_view input) {
    if (input.empty()) return;
    const std::size_t block = 1 + static_cast<unsigned char>(input[0]);
    FrameReader reader{1 << 16};
    for (std::size_t at = 1; at < input.size(); at += block) {
        reader.feed(input.substr(at, block));
        while (const auto frame = reader.next())
            expect(frame->payload.size() <= 1 << 16);
    }
}

// A file, with a name that its first byte chooses.
void read_a_models_bytes(std::string_view input) {
    if (input.empty()) return;
    static constexpr const char* names[] = {"m.safetensors", "m.gguf", "m.onnx",  "m.npy", "m.zip",
                                            "m.model",       "m.png",  "m.json",  "m",     "m.yaml",
                                            "m.tar",         "m.mp4",  "m.tflite"};
    const std::string name = names[static_cast<unsigned char>(input[0]) % std::size(names)];
    const auto verdict = judge_bytes(input.substr(1), name, {});
    expect(verdict.kind == Verdict::Kind::inert || !verdict.what.empty());
}

// Whatever it is, nothing leaves its folder, and nothing is listed that is not there.
void read_an_archive(std::string_view input) {
    const auto archive = fuzz::scratch().file("a.zip", input);
    const auto folder = fuzz::scratch().folder() / "unpacked";
    remove_tree(folder);
    try {
        for (const auto& file : unpack(archive, folder, DotNames::refused, {})) {
            expect(is_inside(folder / file.path, folder));
            expect(file_stamp(folder / file.path).has_value());
        }
    } catch (const Error&) {
        remove_tree(folder);
        throw;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static constexpr void (*readers[])(std::string_view) = {
        read_headers, read_refusal, read_model_start, read_safetensors,    read_civitai,
        read_source,  read_batch,   read_frames,      read_a_models_bytes, read_an_archive};
    try {
        fuzz::dispatch(readers, data, size);
    } catch (const Error& error) {
        expect(error.kind() != ErrorKind::internal);
    }
    return 0;
}
