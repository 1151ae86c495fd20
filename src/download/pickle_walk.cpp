#include "pickle_walk.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <vector>

namespace podctl::download {
namespace {

constexpr std::size_t max_opcodes = 1'000'000;
constexpr std::size_t max_line = 8192;  // of a name or a number; longer ones are none

// How an opcode's argument is written.
enum class Argument {
    none,
    one,
    two,
    four,
    eight,
    number_line,   // decimal, hexadecimal, 00 and 01, a float, with an L at its end
    quoted_line,   // a Python string
    text_line,     // anything
    name_lines,    // a module and a name in it
    counted_by_1,  // a length of so many bytes, then as many bytes
    counted_by_4,
    counted_by_8,
};

// What it does to the stack.
enum class Effect {
    push,
    pop,
    mark,
    to_mark,           // takes all above the mark, and the mark
    to_mark_and_push,  // and pushes one thing for it
    change,            // takes one and gives one
    take_two,          // takes two and gives one
    take_three,
    duplicate,
    nothing,
    import,        // pushes what a module has
    import_names,  // the same, of two strings on the stack
    call,          // calls what was imported with what is above it
    call_three,
    call_marked,
    import_and_call,
    end,
};

struct Opcode {
    unsigned char code;
    Argument argument;
    Effect effect;
};

using A = Argument;
using E = Effect;

constexpr std::array opcodes{
    Opcode{'I', A::number_line, E::push},
    Opcode{'J', A::four, E::push},
    Opcode{'K', A::one, E::push},
    Opcode{'M', A::two, E::push},
    Opcode{'L', A::number_line, E::push},
    Opcode{0x8A, A::counted_by_1, E::push},
    Opcode{0x8B, A::counted_by_4, E::push},
    Opcode{'S', A::quoted_line, E::push},
    Opcode{'T', A::counted_by_4, E::push},
    Opcode{'U', A::counted_by_1, E::push},
    Opcode{'B', A::counted_by_4, E::push},
    Opcode{'C', A::counted_by_1, E::push},
    Opcode{0x8E, A::counted_by_8, E::push},
    Opcode{0x96, A::counted_by_8, E::push},
    Opcode{0x97, A::none, E::push},
    Opcode{0x98, A::none, E::change},
    Opcode{'N', A::none, E::push},
    Opcode{0x88, A::none, E::push},
    Opcode{0x89, A::none, E::push},
    Opcode{'V', A::text_line, E::push},
    Opcode{0x8C, A::counted_by_1, E::push},
    Opcode{'X', A::counted_by_4, E::push},
    Opcode{0x8D, A::counted_by_8, E::push},
    Opcode{'F', A::number_line, E::push},
    Opcode{'G', A::eight, E::push},
    Opcode{']', A::none, E::push},
    Opcode{'a', A::none, E::take_two},
    Opcode{'e', A::none, E::to_mark},
    Opcode{'l', A::none, E::to_mark_and_push},
    Opcode{')', A::none, E::push},
    Opcode{'t', A::none, E::to_mark_and_push},
    Opcode{0x85, A::none, E::change},
    Opcode{0x86, A::none, E::take_two},
    Opcode{0x87, A::none, E::take_three},
    Opcode{'}', A::none, E::push},
    Opcode{'d', A::none, E::to_mark_and_push},
    Opcode{'s', A::none, E::take_three},
    Opcode{'u', A::none, E::to_mark},
    Opcode{0x8F, A::none, E::push},
    Opcode{0x90, A::none, E::to_mark},
    Opcode{0x91, A::none, E::to_mark_and_push},
    Opcode{'0', A::none, E::pop},
    Opcode{'2', A::none, E::duplicate},
    Opcode{'(', A::none, E::mark},
    Opcode{'1', A::none, E::to_mark},
    Opcode{'g', A::number_line, E::push},
    Opcode{'h', A::one, E::push},
    Opcode{'j', A::four, E::push},
    Opcode{'p', A::number_line, E::nothing},
    Opcode{'q', A::one, E::nothing},
    Opcode{'r', A::four, E::nothing},
    Opcode{0x94, A::none, E::nothing},
    Opcode{0x82, A::one, E::import},
    Opcode{0x83, A::two, E::import},
    Opcode{0x84, A::four, E::import},
    Opcode{'c', A::name_lines, E::import},
    Opcode{0x93, A::none, E::import_names},
    Opcode{'R', A::none, E::call},
    Opcode{'b', A::none, E::call},
    Opcode{'i', A::name_lines, E::import_and_call},
    Opcode{'o', A::none, E::call_marked},
    Opcode{0x81, A::none, E::call},
    Opcode{0x92, A::none, E::call_three},
    Opcode{0x80, A::one, E::nothing},
    Opcode{'.', A::none, E::end},
    Opcode{0x95, A::eight, E::nothing},
    Opcode{'P', A::text_line, E::push},
    Opcode{'Q', A::none, E::change},
};

const Opcode* find_opcode(int code) {
    static const auto table = [] {
        std::array<const Opcode*, 256> by_code{};
        for (const auto& opcode : opcodes)
            by_code[opcode.code] = &opcode;
        return by_code;
    }();
    return table[static_cast<unsigned char>(code)];
}

bool is_number(std::string_view line) {
    return !line.empty() &&
           line.find_first_not_of("0123456789abcdefxABCDEFXLnatiNATIy+-_. \t\r") == line.npos;
}

bool is_quoted(std::string_view line) {
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r' || line.back() == '\t'))
        line.remove_suffix(1);
    return line.size() >= 2 && line.front() == line.back() &&
           (line.front() == '\'' || line.front() == '"');
}

// Of a module, or of what is in it: no white space and no punctuation, but any letter.
bool is_name(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto fits = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '_' || c == '.' || c == '<' || c == '>' || (c & 0x80) != 0;
    };
    return !line.empty() && std::ranges::all_of(line, fits);
}

class Walk {
public:
    Walk(const FileBytes& file, std::uint64_t begin) : file_(file), at_(begin) {}

    PickleLook run() {
        for (std::size_t count = 0; count < max_opcodes; ++count) {
            const int code = file_.byte(at_);
            if (code < 0) return PickleLook::none;
            ++at_;
            const Opcode* opcode = find_opcode(code);
            if (!opcode || !skip(opcode->argument)) return PickleLook::none;
            // A single value and its end is what many a text begins with ("N.").
            if (opcode->effect == E::end)
                return depth_ > 0 && count > 1 ? PickleLook::program : PickleLook::none;
            if (!apply(opcode->effect)) return PickleLook::none;
            if (called_) return PickleLook::runs_code;
        }
        return PickleLook::program;
    }

private:
    // nullopt: there is no end of the line near.
    std::optional<std::string_view> line() {
        const auto ahead = file_.part(at_, max_line);
        const auto end = ahead.find('\n');
        if (end == ahead.npos) return std::nullopt;
        at_ += end + 1;
        return ahead.substr(0, end);
    }

    // Text of any length, whose end may be far.
    bool skip_line() {
        while (true) {
            const auto ahead = file_.part(at_, max_line);
            if (ahead.empty()) return false;
            const auto end = ahead.find('\n');
            at_ += end == ahead.npos ? ahead.size() : end + 1;
            if (end != ahead.npos) return true;
        }
    }

    bool skip_bytes(std::uint64_t size) {
        if (at_ > file_.size() || size > file_.size() - at_) return false;
        at_ += size;
        return true;
    }

    template <std::size_t Size>
    bool skip_counted() {
        const auto bytes = file_.part(at_, Size);
        if (bytes.size() < Size) return false;
        const auto size = little_endian<Size>(bytes);
        at_ += Size;
        return skip_bytes(size);
    }

    bool skip(Argument argument) {
        switch (argument) {
            case A::none:
                return true;
            case A::one:
                return skip_bytes(1);
            case A::two:
                return skip_bytes(2);
            case A::four:
                return skip_bytes(4);
            case A::eight:
                return skip_bytes(8);
            case A::number_line:
                return is_number(line().value_or(""));
            case A::quoted_line:
                return skip_quoted();
            case A::text_line:
                return skip_line();
            case A::name_lines:
                return is_name(line().value_or("")) && is_name(line().value_or(""));
            case A::counted_by_1:
                return skip_counted<1>();
            case A::counted_by_4:
                return skip_counted<4>();
            case A::counted_by_8:
                return skip_counted<8>();
        }
        return false;
    }

    // A long one is looked at as far as its first quote.
    bool skip_quoted() {
        if (const auto found = line()) return is_quoted(*found);
        const int quote = file_.byte(at_);
        return (quote == '\'' || quote == '"') && skip_line();
    }

    std::size_t above_mark() const { return depth_ - (marks_.empty() ? 0 : marks_.back()); }

    bool take(std::size_t count, std::size_t give) {
        if (above_mark() < count) return false;
        depth_ = depth_ - count + give;
        return true;
    }

    bool take_to_mark() {
        if (marks_.empty()) return false;
        depth_ = marks_.back();
        marks_.pop_back();
        return true;
    }

    // C's unpickler takes the mark where nothing is above it.
    bool pop() {
        if (above_mark() > 0) {
            --depth_;
            return true;
        }
        return take_to_mark();
    }

    bool call(bool done) {
        called_ = done && imported_;
        return done;
    }

    bool import(bool done) {
        imported_ |= done;
        return done;
    }

    bool apply(Effect effect) {
        switch (effect) {
            case E::push:
                return take(0, 1);
            case E::pop:
                return pop();
            case E::mark:
                marks_.push_back(depth_);
                return true;
            case E::to_mark:
                return take_to_mark();
            case E::to_mark_and_push:
                return take_to_mark() && take(0, 1);
            case E::change:
                return take(1, 1);
            case E::take_two:
                return take(2, 1);
            case E::take_three:
                return take(3, 1);
            case E::duplicate:
                return take(1, 2);
            case E::nothing:
            case E::end:
                return true;
            case E::import:
                return import(take(0, 1));
            case E::import_names:
                return import(take(2, 1));
            case E::call:
                return call(take(2, 1));
            case E::call_three:
                return call(take(3, 1));
            case E::call_marked:
                return call(take_to_mark() && take(0, 1));
            case E::import_and_call:
                return import(take_to_mark() && take(0, 1)) && call(true);
        }
        return false;
    }

    const FileBytes& file_;
    std::uint64_t at_;
    std::size_t depth_ = 0;
    std::vector<std::size_t> marks_;
    bool imported_ = false;
    bool called_ = false;
};

}  // namespace

PickleLook look_for_pickle(const FileBytes& file, std::uint64_t begin) {
    return Walk{file, begin}.run();
}

}  // namespace podctl::download
