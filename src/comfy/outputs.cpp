#include "outputs.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/stop.hpp"
#include "podctl/base/thread.hpp"
#include "podctl/base/units.hpp"
#include "podctl/download/download.hpp"
#include "podctl/download/place.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <exception>
#include <fstream>
#include <functional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace podctl::comfy {
namespace {

// Whatever their kind (images, gifs, audio, 3d, …), files are told by a filename, a subfolder and a
// type; what a node shows beside them is text.
void add_outputs(const std::string& node, const std::string& class_type, const json& shown,
                 const Client& client, std::set<std::string>& seen,
                 std::vector<event::WorkflowOutput>& into) {
    for (const auto& items : shown) {
        if (!items.is_array()) continue;
        for (const auto& item : items) {
            event::WorkflowOutput output{.node = node, .class_type = class_type};
            const auto name = text_at(item, "filename"), subfolder = text_at(item, "subfolder");
            if (!name.empty()) {
                output.type = text_at(item, "type");
                output.file = subfolder.empty() ? name : fmt::format("{}/{}", subfolder, name);
                output.url = client.view_url(name, subfolder, output.type);
            } else if (item.is_string()) {
                output.type = output.format = "text";
                output.text = item;
                output.size = output.text.size();
            } else {
                continue;
            }
            if (output.url.empty() || seen.insert(output.url).second)
                into.push_back(std::move(output));
        }
    }
}

FileSample sample_of(const std::filesystem::path& file) {
    FileSample sample;
    std::ifstream in(file, std::ios::binary);
    std::vector<char> block(1 << 20);
    while (in.read(block.data(), static_cast<std::streamsize>(block.size())) || in.gcount() > 0)
        sample.add({block.data(), static_cast<std::size_t>(in.gcount())});
    if (in.bad()) throw system_error("reading " + file.string(), errno);
    return sample;
}

// "ComfyUI_00001_.2.png": the name that the second file of its name has.
std::filesystem::path numbered(const std::filesystem::path& path, int number) {
    auto name = path.stem();
    name += fmt::format(".{}", number);
    name += path.extension();
    return path.parent_path() / name;
}

// A token that stops with another one, and after a time.
class StopAt {
public:
    StopAt(std::chrono::milliseconds time, const std::stop_token& other)
        : timer_(start_thread(
              [this, time](const std::stop_token& end) {
                  if (wait_for(time, end)) source_.request_stop();
              },
              [](const std::exception_ptr&) {})),
          on_other_(other, [this] { source_.request_stop(); }) {}
    std::stop_token token() const { return source_.get_token(); }

private:
    std::stop_source source_;
    std::jthread timer_;
    std::stop_callback<std::function<void()>> on_other_;
};

class Fetcher {
public:
    Fetcher(const Client& client, const SaveTo& save_to)
        : client_(client), save_to_(save_to), downloader_(client.http()) {}

    void fetch(event::WorkflowOutput& output) {
        if (save_to_.folder.empty()) return look_at(output, client_.view(output.url));
        const auto place = place_of(output);
        const auto partial = place.parent_path() /
                             fmt::format(".{}.podctl-part", sha256_hex(output.url).substr(0, 16));
        create_folders(place.parent_path());
        const auto sha256 = bring(output, partial);
        try {
            look_at(output, sample_of(partial));
        } catch (const Error&) {
            // What is broken gets no good name.
            download::discard(partial);
            throw;
        }
        output.path = placed(partial, place, sha256).string();
    }

private:
    // As ComfyUI has it below output/; what it would clean up at its next start lies in temp/ here,
    // too. The server's names are made safe.
    std::filesystem::path place_of(const event::WorkflowOutput& output) const {
        auto place = save_to_.folder;
        if (output.type != "output") place /= safe_file_name(output.type);
        for (const auto& part : split(output.file, '/')) {
            const auto name = safe_file_name(part);
            if (name.empty()) throw Error{ErrorKind::smoke, "it has no name that a file can have"};
            place /= name;
        }
        return place;
    }

    static void look_at(event::WorkflowOutput& output, const FileSample& sample) {
        output.size = sample.size();
        const auto media = inspect_media(output.file, sample);
        output.format = media.format;
        output.width = media.width;
        output.height = media.height;
    }

    // In the time that is left. Returns its digest.
    std::string bring(const event::WorkflowOutput& output, const std::filesystem::path& partial) {
        const StopAt stop{client_.left(), client_.stop()};
        const download::DownloadRequest request{
            .url = output.url, .partial = partial, .check_format = false, .name = output.file};
        const download::DownloadMonitor monitor{.on_progress = [&](const auto& progress) {
            if (save_to_.on_progress)
                save_to_.on_progress(
                    fmt::format("fetching {}, {}", output.file, format_bytes({progress.done})));
        }};
        try {
            return downloader_.download(request, monitor, stop.token()).sha256;
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::interrupted || client_.stop().stop_requested()) throw;
            throw Error{ErrorKind::smoke, "the time was over before it had come"};
        }
    }

    // What lies there stays; the same is there already.
    std::filesystem::path placed(const std::filesystem::path& partial,
                                 const std::filesystem::path& wanted, const std::string& sha256) {
        auto place = wanted;
        for (int number = 2; std::filesystem::exists(std::filesystem::symlink_status(place));
             place = numbered(wanted, number++)) {
            const auto standing = download::look_at_place(
                place, {.sha256 = sha256, .git_blob = {}, .size = {}}, client_.stop());
            if (standing.kind != download::Standing::Kind::same) continue;
            download::discard(partial);
            return place;
        }
        download::move_into_place(partial, place);
        download::forget(partial);
        return place;
    }

    const Client& client_;
    const SaveTo& save_to_;
    download::Downloader downloader_;
};

}  // namespace

void fetch_outputs(const json& history_entry, const json& prompt, const Client& client,
                   const SaveTo& save_to, RunReport& report) {
    std::vector<event::WorkflowOutput> outputs;
    std::set<std::string> seen;  // their URLs: a workflow can have thousands
    for (const auto& [node, shown] : object_at(history_entry, "outputs").items())
        add_outputs(node, text_at(object_at(prompt, node), "class_type"), shown, client, seen,
                    outputs);
    Fetcher fetcher{client, save_to};
    for (auto& output : outputs) {
        try {
            if (!output.url.empty()) fetcher.fetch(output);
            report.outputs.push_back(output);
        } catch (const Error& error) {
            // What keeps one file from coming keeps no other one away, and no word of it.
            if (error.kind() == ErrorKind::interrupted || error.kind() == ErrorKind::internal)
                throw;
            report.faults.push_back({.node = output.node,
                                     .class_type = output.class_type,
                                     .message = fmt::format("its output {} cannot be had: {}",
                                                            output.file, error.message()),
                                     .hint = error.hint()});
        }
    }
    if (outputs.empty())
        report.faults.push_back({.message = "the run ended well, and made nothing",
                                 .hint = "a node must save or show something, as SaveImage does"});
}

}  // namespace podctl::comfy
