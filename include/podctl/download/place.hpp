#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

// How a file that was fetched comes to its place, and what is done about one that stands there: the
// same for `podctl get` and for the models of a template. Who may replace what is the caller's to
// say.
namespace podctl::download {

// What is known of a file without its bytes.
struct Expected {
    std::string sha256 = {};    // lower-case hex; empty: not known
    std::string git_blob = {};  // id; counts where no sha256 is known
    std::optional<std::uint64_t> size = {};

    // Whether another file of the same size can be told from it.
    bool is_comparable() const { return !sha256.empty() || !git_blob.empty(); }
};

// What stands at a file's place.
struct Standing {
    enum class Kind {
        nothing,
        no_file,       // a folder, a link to nothing
        same,          // its digest says so
        other,         // its size or its digest does
        incomparable,  // nothing but the size is known, if that, and it agrees
    } kind = Kind::nothing;
    std::string sha256 = {};  // where it was looked at
};

// Follows links. Reads the file where a digest is known. Throws Error{io | interrupted}.
Standing look_at_place(const std::filesystem::path& place, const Expected& expected,
                       const std::stop_token& stop);

// Whether files that can run code when they are loaded may come.
struct Admission {
    std::string_view source;  // as the user wrote it
    std::string_view word;    // what takes such a file: "`pickle: allow`"
    enum class Pickle { refuse, allow } pickle = Pickle::refuse;
};

// By the name alone, before a byte is asked for. Throws Error{template_}.
void refuse_by_name(const std::filesystem::path& place, const Admission& admission);
// By what `file` holds, which is going to have the place's name, or has it. Throws Error{template_
// | integrity | io | interrupted}.
void refuse_by_content(const std::filesystem::path& file, const std::filesystem::path& place,
                       const Admission& admission, const std::stop_token& stop);
// What is refused leaves no byte; what was stopped may go on.
void refuse_partial_by_content(const std::filesystem::path& partial,
                               const std::filesystem::path& place, const Admission& admission,
                               const std::stop_token& stop);

// Gives a file its name, by rename, or by a synced copy where the two lie on different file
// systems: the name appears whole. Makes the folders that lack. Throws Error{io}.
void move_into_place(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace podctl::download
