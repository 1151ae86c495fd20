#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>

namespace podctl::download {

// What a file may do to whoever loads it.
struct Verdict {
    enum class Kind {
        inert,    // a format that is known to hold data alone, under a name that fits it
        pickle,   // loading it runs code that it carries, or the name is of such files
        unknown,  // nothing that is known to be inert
    } kind = Kind::unknown;
    std::string what = {};  // "a safetensors file", "a pickle", "a zip archive that holds x.py, …"
};

// Judges a file by its content and its name together; docs/models-trust.md is its table. `name` is
// the final one, `file` where the bytes are. A file within an archive is looked at in a temporary
// one beside `file`. Throws Error{io | interrupted}.
Verdict judge(const std::filesystem::path& file, std::string_view name, std::stop_token stop);

// The same of bytes in memory.
Verdict judge_bytes(std::string_view bytes, std::string_view name, std::stop_token stop);

// What the name alone says; inert: nothing against it, its content decides.
Verdict judge_name(std::string_view name);

// Throws Error{template_} for a verdict that is not inert: "<source>: <name> is <what>: …", and
// that `word` ("`pickle: allow`") takes it all the same.
void require_inert(const Verdict& verdict, std::string_view source, std::string_view name,
                   std::string_view word);

}  // namespace podctl::download
