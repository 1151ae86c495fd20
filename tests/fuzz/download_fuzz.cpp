// What servers hand to the downloader: a model and its first bytes, an archive. Read or refused
// with an Error, never a crash, a hang or another exception. The first byte chooses the reader, so
// that one run covers them all.
#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"
#include "podctl/download/archive.hpp"
#include "podctl/download/download.hpp"
#include "podctl/download/inert.hpp"

#include "safetensors_header.hpp"
#include "support.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace {

using namespace podctl;
using namespace podctl::download;

using fuzz::expect;

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
    static constexpr void (*readers[])(std::string_view) = {read_model_start, read_safetensors,
                                                            read_a_models_bytes, read_an_archive};
    try {
        fuzz::dispatch(readers, data, size);
    } catch (const Error& error) {
        expect(error.kind() != ErrorKind::internal);
    }
    return 0;
}
