#include "podctl/download/inert.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/inert_name.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/shorten.hpp"

#include "inert_archive.hpp"
#include "inert_format.hpp"
#include "inert_text.hpp"
#include "pickle_walk.hpp"
#include "zip_directory.hpp"

#include <fmt/core.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

namespace podctl::download {
namespace {

using Kind = Verdict::Kind;

constexpr std::string_view python_yaml = "YAML that calls Python";

bool contains(const std::vector<std::string_view>& list, std::string_view text) {
    return std::ranges::find(list, text) != list.end();
}

// What a file with this extension has to be; empty: the extension belongs to no format.
std::string_view format_of_name(const std::string& extension) {
    for (const auto& format : inert_formats())
        if (contains(format.extensions, extension)) return format.name;
    if (contains(text_extensions(), extension)) return "text";
    if (contains(archive_extensions(), extension)) return "an archive";
    return {};
}

// A picture is often named after another format of pictures, and a browser does not mind. Some
// tokenizers are text in a file named .model. A Mac's notes of x.onnx are named ._x.onnx.
bool fits(std::string_view format, std::string_view named, const std::string& extension,
          std::string_view name) {
    const auto is_media = [](std::string_view it) {
        return it == "an image" || it == "a film or a sound";
    };
    return named.empty() || format == named || (is_media(format) && is_media(named)) ||
           (format == "text" && extension == ".model") ||
           (format == mac_notes && name.starts_with("._"));
}

// Raw numbers beside an .onnx that names them: onnxruntime reads them as tensors, nothing else
// does.
bool is_onnx_data(std::string_view name) {
    const auto lower = to_lower(name);
    const auto at = std::max(lower.rfind(".onnx_data") + 1, lower.rfind(".onnx.data") + 1);
    constexpr std::size_t ending = 10;  // its length
    if (at == 0) return false;
    const auto rest = std::string_view{lower}.substr(at - 1 + ending);
    return rest.empty() || (rest.front() == '_' && rest.size() > 1 &&
                            rest.find_first_not_of("0123456789", 1) == rest.npos);
}

// nullopt: none that is known.
std::optional<std::string_view> format_of(const FileBytes& file, const std::string& extension,
                                          std::string_view name, const std::stop_token& stop) {
    const auto& formats = inert_formats();
    const auto found = std::ranges::find_if(formats, [&](const InertFormat& format) {
        const bool may_be =
            format.mark == InertFormat::Mark::certain || contains(format.extensions, extension);
        return may_be && format.is_it(file);
    });
    if (found != formats.end()) return found->name;
    const bool is_yaml = extension == ".yaml" || extension == ".yml";
    switch (look_for_text(file, is_yaml ? TextKind::yaml : TextKind::plain, stop)) {
        case TextLook::text:
            return "text";
        case TextLook::other_text:
            if (contains(text_extensions(), extension) || extension.empty()) return "text";
            break;
        case TextLook::yaml_objects:
            return python_yaml;
        case TextLook::none:
            break;
    }
    if (is_onnx_data(name)) return "ONNX tensors";
    return std::nullopt;
}

}  // namespace

Verdict judge_content(const FileBytes& file, std::string_view name, const Judging& judging) {
    if (const auto by_name = judge_name(name); by_name.kind != Kind::inert)
        if (file.size() > 0 || by_name.kind == Kind::pickle) return by_name;
    if (file.size() == 0) return {.kind = Kind::inert, .what = "an empty file"};
    if (look_for_pickle(file) != PickleLook::none)
        return {.kind = Kind::pickle, .what = "a pickle"};
    const auto extension = extension_of(name);
    const auto named = format_of_name(extension);
    if (looks_like_archive(file)) {
        const auto verdict = judge_archive(file, name, judging);
        if (verdict.kind != Kind::inert || fits("an archive", named, extension, name))
            return verdict;
        return unknown(fmt::format("{}, which its name denies", verdict.what));
    }
    const auto format = format_of(file, extension, name, judging.stop);
    if (!format)
        return unknown(named.empty() ? "nothing that is known to be inert"
                                     : fmt::format("not {}, as its name says", named));
    if (*format == python_yaml) return unknown(std::string{python_yaml});
    // Zip readers look at a file's end, whatever it begins with. TensorFlow Lite keeps labels
    // there.
    if (read_zip_directory(file, 1)) {
        if (*format != tensorflow_lite)
            return unknown(fmt::format("{} and a zip archive", *format));
        if (const auto labels = judge_archive(file, name, judging); labels.kind != Kind::inert)
            return labels;
    }
    if (!fits(*format, named, extension, name))
        return unknown(fmt::format("{}, named like {}", *format, named));
    return {.kind = Kind::inert, .what = std::string{*format}};
}

Verdict judge(const std::filesystem::path& file, std::string_view name, std::stop_token stop) {
    return judge_content(FileBytes{file}, name, {.folder = file.parent_path(), .stop = stop});
}

Verdict judge_bytes(std::string_view bytes, std::string_view name, std::stop_token stop) {
    Fd memory{::memfd_create("podctl", MFD_CLOEXEC)};
    if (!memory) throw system_error("memfd_create", errno);
    write_all(memory.get(), bytes, "memory");
    return judge_content(FileBytes{std::move(memory), "memory"}, name,
                         {.folder = std::filesystem::temp_directory_path(), .stop = stop});
}

Verdict judge_name(std::string_view name) {
    const auto why = why_name_is_not_inert(name);
    if (why.empty()) return {.kind = Kind::inert};
    return {.kind = is_pickle_name(name) ? Kind::pickle : Kind::unknown, .what = why};
}

void require_inert(const Verdict& verdict, std::string_view source, std::string_view name,
                   std::string_view word) {
    if (verdict.kind == Kind::inert) return;
    const bool is_pickle = verdict.kind == Kind::pickle;
    throw Error{
        ErrorKind::template_,
        fmt::format("{}: {} is {}{}", source, shorten_middle(name), verdict.what,
                    is_pickle ? ": loading it runs code that it carries" : ""),
        fmt::format("look for a .safetensors of it, or say {} if you trust its maker", word)};
}

}  // namespace podctl::download
