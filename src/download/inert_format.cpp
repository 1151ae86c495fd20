#include "inert_format.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"

#include "protobuf_shape.hpp"
#include "safetensors_header.hpp"

#include <algorithm>

namespace podctl::download {
namespace {

bool is_safetensors(const FileBytes& file) {
    const std::string start{file.part(0, 9)};
    if (start.size() < 9 || start[8] != '{') return false;
    const auto length = little_endian<8>(start);
    if (length > max_safetensors_header || length > file.size() - 8) return false;
    try {
        const std::string header{file.part(8, static_cast<std::size_t>(length))};
        check_safetensors_header("", header, file.size() - 8 - length);
        return true;
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::integrity) throw;
        return false;
    }
}

// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; version 1 counts in 32 bits.
bool is_gguf(const FileBytes& file) {
    constexpr std::uint64_t most_tensors = 1'000'000, most_keys = 100'000, longest_key = 65'535;
    const std::string start{file.part(0, 32)};
    if (start.size() < 24 || !start.starts_with("GGUF")) return false;
    const auto version = little_endian<4>(start, 4);
    if (version < 2 || version > 9) return false;
    const auto tensors = little_endian<8>(start, 8), keys = little_endian<8>(start, 16);
    if (tensors > most_tensors || keys > most_keys) return false;
    if (keys == 0) return true;
    if (start.size() < 32) return false;
    const auto key = little_endian<8>(start, 24);
    return key > 0 && key <= longest_key && key <= file.size() - 32;
}

// Takes `word` from the front of `text`. False: it does not stand there.
bool take(std::string_view& text, std::string_view word) {
    if (!text.starts_with(word)) return false;
    text.remove_prefix(word.size());
    return true;
}

// Takes what is made of these characters alone, and returns it.
std::string_view take_all_of(std::string_view& text, std::string_view characters) {
    const auto taken = text.substr(0, text.find_first_not_of(characters));
    text.remove_prefix(taken.size());
    return taken;
}

// "<f4": one kind of number or text, no Python objects, no records, whose fields could be objects.
bool is_plain_dtype(std::string_view dtype) {
    const auto kind = dtype.find_first_not_of("<>|=");
    return kind != dtype.npos && kind <= 1 &&
           std::string_view{"?bBhHiIlLqQefdgFDGSaUuc"}.find(dtype[kind]) != dtype.npos &&
           dtype.find_first_not_of("0123456789", kind + 1) == dtype.npos;
}

// NumPy reads the header as a literal of Python, in which one thing can be written in many ways:
// so it has to be what NumPy itself writes, from its start to its end.
bool is_plain_header(std::string_view header) {
    if (!take(header, "{'descr': '")) return false;
    const auto dtype = header.substr(0, header.find('\''));
    header.remove_prefix(dtype.size());
    if (!is_plain_dtype(dtype) || !take(header, "', 'fortran_order': ")) return false;
    if (!take(header, "False") && !take(header, "True")) return false;
    if (!take(header, ", 'shape': (")) return false;
    take_all_of(header, "0123456789, ");
    if (!take(header, ")")) return false;
    take(header, ",");
    take_all_of(header, " ");
    return take(header, "}") && header.find_first_not_of(" \n") == header.npos;
}

// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
bool is_npy(const FileBytes& file) {
    constexpr std::size_t longest_header = 64u << 10;
    const std::string start{file.part(0, 12)};
    if (start.size() < 12 || !start.starts_with("\x93NUMPY")) return false;
    const bool is_first = start[6] == 1;
    if (start[6] < 1 || start[6] > 3) return false;
    const auto length = is_first ? little_endian<2>(start, 8) : little_endian<4>(start, 8);
    if (length > longest_header) return false;
    const std::string header{file.part(is_first ? 10 : 12, static_cast<std::size_t>(length))};
    return header.size() == length && is_plain_header(header);
}

bool is_tflite(const FileBytes& file) {
    return file.part(4, 4) == "TFL3";
}

bool starts_with_one_of(const FileBytes& file, std::initializer_list<std::string_view> marks) {
    return std::ranges::any_of(
        marks, [&](std::string_view mark) { return file.part(0, mark.size()) == mark; });
}

bool is_image(const FileBytes& file) {
    constexpr std::string_view tiff_little{"II*\0", 4}, tiff_big{"MM\0*", 4}, exr{"v/1\1", 4};
    if (starts_with_one_of(file, {"\x89PNG\r\n\x1a\n", "\xFF\xD8\xFF", "GIF87a", "GIF89a",
                                  tiff_little, tiff_big, exr}))
        return true;
    // A bitmap says its size, and the size of its header.
    const std::string start{file.part(0, 18)};
    return start.size() == 18 && start.starts_with("BM") && little_endian<4>(start, 14) >= 12 &&
           little_endian<4>(start, 14) <= 256 && little_endian<4>(start, 6) == 0;
}

bool is_film_or_sound(const FileBytes& file) {
    const std::string start{file.part(0, 12)};
    if (start.size() < 12) return false;
    const auto kind = std::string_view{start}.substr(8);
    if (start.starts_with("RIFF") || start.starts_with("RF64"))
        return kind == "WEBP" || kind == "WAVE" || kind == "AVI ";
    // mp4, mov, avif, heic; mkv and webm.
    return start.substr(4, 4) == "ftyp" ||
           starts_with_one_of(file,
                              {"\x1A\x45\xDF\xA3", "fLaC", "OggS", "ID3\2", "ID3\3", "ID3\4"});
}

// MPEG-1 and -2, layer 3, without a tag before it.
bool is_bare_mp3(const FileBytes& file) {
    return starts_with_one_of(file, {"\xFF\xFB", "\xFF\xFA", "\xFF\xF3", "\xFF\xF2"});
}

bool is_font(const FileBytes& file) {
    constexpr std::string_view true_type{"\0\1\0\0", 4};
    return starts_with_one_of(file, {true_type, "OTTO", "ttcf", "wOFF", "wOF2"});
}

// What macOS adds to every zip: AppleDouble files and .DS_Store.
bool is_mac_notes(const FileBytes& file) {
    constexpr std::string_view apple_double{"\0\5\x16\7", 4}, folder{"\0\0\0\1Bud1", 8};
    return starts_with_one_of(file, {apple_double, folder});
}

}  // namespace

const std::vector<InertFormat>& inert_formats() {
    static const std::vector<InertFormat> formats{
        {"a safetensors file", {".safetensors", ".sft"}, is_safetensors},
        {"a GGUF file", {".gguf"}, is_gguf},
        {"a NumPy array of plain values", {".npy"}, is_npy},
        {tensorflow_lite, {".tflite", ".lite"}, is_tflite, InertFormat::Mark::weak},
        {"an image",
         {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".bmp", ".webp", ".tif",
          ".tiff", ".exr", ".avif", ".heic", ".heif"},
         is_image},
        {"a film or a sound",
         {".mp4", ".m4v", ".m4a", ".mov", ".3gp", ".webm", ".mkv", ".mka", ".avi", ".wav", ".flac",
          ".ogg", ".oga", ".ogv", ".opus", ".mp3"},
         is_film_or_sound},
        {"a film or a sound", {".mp3"}, is_bare_mp3, InertFormat::Mark::weak},
        {"a font", {".ttf", ".otf", ".ttc", ".woff", ".woff2"}, is_font, InertFormat::Mark::weak},
        {mac_notes, {}, is_mac_notes},
        {"an ONNX model", {".onnx"}, is_onnx},
        {"a SentencePiece tokenizer", {".model", ".spm"}, is_sentencepiece},
    };
    return formats;
}

const std::vector<std::string_view>& text_extensions() {
    static const std::vector<std::string_view> extensions{
        ".json", ".jsonl", ".yaml",   ".yml",      ".txt",   ".md",       ".rst", ".csv",  ".tsv",
        ".xml",  ".toml",  ".ini",    ".cfg",      ".conf",  ".log",      ".htm", ".html", ".svg",
        ".cube", ".vocab", ".merges", ".tiktoken", ".jinja", ".prototxt", ".bib", ".srt",  ".vtt"};
    return extensions;
}

const std::vector<std::string_view>& archive_extensions() {
    static const std::vector<std::string_view> extensions{
        ".zip", ".npz", ".task", ".tar", ".tgz", ".tbz2", ".txz", ".tzst",
        ".gz",  ".bz2", ".xz",   ".zst", ".lz4", ".lzma", ".7z",  ".rar"};
    return extensions;
}

std::string extension_of(std::string_view name) {
    const auto safe = to_lower(safe_file_name("x" + std::string{name}));
    const auto dot = safe.rfind('.');
    return dot == safe.npos ? std::string{} : safe.substr(dot);
}

Verdict unknown(std::string what) {
    return {.kind = Verdict::Kind::unknown, .what = std::move(what)};
}

}  // namespace podctl::download
