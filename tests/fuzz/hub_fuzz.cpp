// What hubs and users hand to the room: refusals, the JSON of Civitai, a source, a batch file, how
// a repository is listed. Read or refused with an Error, never a crash, a hang or another
// exception. The first byte chooses the reader, so that one run covers them all.
#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"
#include "podctl/hub/folder.hpp"
#include "podctl/hub/hub_errors.hpp"
#include "podctl/hub/source.hpp"

#include "batch_text.hpp"
#include "hubs.hpp"
#include "hugging_face_tree.hpp"
#include "support.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace {

using namespace podctl;
using namespace podctl::hub;

using fuzz::expect;

void read_refusal(std::string_view input) {
    if (input.size() < 2) return;
    const int status = 300 + static_cast<unsigned char>(input[0]);
    const http::Response response{.status = status, .body = std::string(input.substr(1))};
    for (const char* url : {"https://civitai.com/x", "https://huggingface.co/x", "https://h/x"})
        expect(refusal(response, url, "m").message().size() < 2'000);
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
    if (const auto* hub = std::get_if<HuggingFaceSource>(&source.location)) {
        expect(hub->is_folder || !hub->path.empty());  // without one it is the whole repository
        const std::string path = hub->path.empty() ? "" : "/" + hub->path;
        for (const auto& part : split(hub->repository + "/" + hub->revision + path, '/'))
            expect(!part.empty() && part != "." && part != "..");
    }
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

// A page that lists a repository, and one that lists a folder of it: no file's place is outside of
// the model's folder, or in another file's.
void read_a_tree(std::string_view input) {
    const std::filesystem::path target = "/models/x";
    for (const auto* text : {"hf:o/r", "hf:o/r/vae/"}) {
        const auto source = parse_source(text);
        Folder folder{.revision = std::string(40, 'c')};
        try {
            read_tree_page(std::get<HuggingFaceSource>(source.location), input, text, folder);
            finish_tree(text, folder);
        } catch (const Error& error) {
            expect(error.kind() == ErrorKind::integrity);
            continue;
        }
        const std::filesystem::path* before = nullptr;
        std::vector<std::filesystem::path> places;
        for (const auto& [path, file] : folder.files) {
            const auto place = target / path;
            expect(place != target && place == place.lexically_normal());
            expect(is_inside(place, target));
            expect(file.size && (file.sha256.empty() || file.git_blob.empty()));
            places.push_back(place);
        }
        std::ranges::sort(places);
        for (const auto& place : places) {
            expect(!before || !is_inside(place, *before));
            before = &place;
        }
        const auto chosen = chosen_of(folder, {.include = {"*.json"}, .exclude = {"a*/"}});
        expect(chosen.files.size() <= folder.files.size());
        expect(chosen.impossible.empty() == !impossible_in(chosen, text, "--exclude"));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static constexpr void (*readers[])(std::string_view) = {read_refusal, read_civitai, read_source,
                                                            read_batch, read_a_tree};
    try {
        fuzz::dispatch(readers, data, size);
    } catch (const Error& error) {
        expect(error.kind() != ErrorKind::internal);
    }
    return 0;
}
