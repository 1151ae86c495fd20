#include "inert_text.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/utf8.hpp"

#include <algorithm>
#include <string>

namespace podctl::download {
namespace {

constexpr std::size_t block_size = 64u << 10;

bool is_control(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == 127 || (byte < 0x20 && !(byte >= '\t' && byte <= '\r') && byte != 0x1B);
}

// Tags that name Python (https://pyyaml.org/wiki/PyYAMLDocumentation): !!python/object/apply:… or
// the same by its whole name, an alias, or with escapes. Fed byte by byte, since text may be long.
class TagWatch {
public:
    void add(std::string_view text) {
        for (const char c : text)
            add(c);
    }

    bool found() const { return found_; }

private:
    void add(char c) {
        // Wherever it stands: what ends a line for YAML is more than a newline.
        constexpr std::string_view directive = "%TAG";
        directive_ = c == directive[directive_] ? directive_ + 1 : (c == '%' ? 1u : 0u);
        if (directive_ == directive.size()) {
            found_ = true;
            directive_ = 0;
        }
        const bool is_space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
        if (c == '!') collects_tag_ = true;
        if (!collects_tag_) return;
        if (!is_space && word_.size() < 200) {
            word_ += c;
            return;
        }
        found_ |= word_.find("python") != word_.npos || word_.find('%') != word_.npos;
        collects_tag_ = false;
        word_.clear();
    }

    bool found_ = false;
    std::size_t directive_ = 0;  // how many of its characters came one after the other
    bool collects_tag_ = false;
    std::string word_;
};

class Scan {
public:
    Scan(const FileBytes& file, TextKind kind, const std::stop_token& stop)
        : file_(file), kind_(kind), stop_(stop) {}

    TextLook run() {
        const auto start = file_.part(0, 2);
        if (start == "\xFF\xFE" || start == "\xFE\xFF") return utf16(start[0] == '\xFF');
        std::string block;
        for (std::uint64_t at = 0; at < file_.size(); at += block_size) {
            if (stop_.stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
            const auto next = file_.part(at, block_size);
            if (std::ranges::any_of(next, is_control)) return TextLook::none;
            others_ += static_cast<std::uint64_t>(
                std::ranges::count_if(next, [](char c) { return (c & 0x80) != 0; }));
            if (kind_ == TextKind::yaml) tags_.add(next);
            if (!is_utf8_) continue;
            block += next;
            check_utf8(block, at + next.size() >= file_.size());
        }
        tags_.add("\n");
        if (tags_.found()) return TextLook::yaml_objects;
        if (is_utf8_) return TextLook::text;
        // Noise has as many bytes above ASCII as below.
        return others_ <= file_.size() / 4 ? TextLook::other_text : TextLook::none;
    }

private:
    // Leaves what may be the start of a sequence.
    void check_utf8(std::string& block, bool is_last) {
        const auto whole = is_last ? std::string_view{block} : utf8::cut(block, block.size() - 1);
        is_utf8_ = utf8::is_valid(whole);
        block.erase(0, whole.size());
    }

    // Text whose every unit is of the planes that people write in, and no control character.
    TextLook utf16(bool little) {
        if (file_.size() % 2 != 0) return TextLook::none;
        for (std::uint64_t at = 2; at < file_.size(); at += block_size) {
            if (stop_.stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
            const auto block = file_.part(at, block_size);
            for (std::size_t i = 0; i + 1 < block.size(); i += 2) {
                const char low = little ? block[i] : block[i + 1];
                const char high = little ? block[i + 1] : block[i];
                if (high == 0 && is_control(low)) return TextLook::none;
            }
        }
        return kind_ == TextKind::yaml ? TextLook::none : TextLook::text;
    }

    const FileBytes& file_;
    const TextKind kind_;
    const std::stop_token& stop_;
    bool is_utf8_ = true;
    std::uint64_t others_ = 0;  // bytes that are not ASCII
    TagWatch tags_;
};

}  // namespace

TextLook look_for_text(const FileBytes& file, TextKind kind, const std::stop_token& stop) {
    return Scan{file, kind, stop}.run();
}

}  // namespace podctl::download
