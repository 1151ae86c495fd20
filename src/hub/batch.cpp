#include "podctl/hub/batch.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"

#include "batch_option.hpp"
#include "batch_text.hpp"
#include "source_forms.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

namespace podctl::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_batch_size = 16u << 20;
constexpr std::size_t max_depth = 16;
constexpr std::size_t max_told = 50;
constexpr const char* allowed_in_batch = "a source, a list of them, @FILE, -i FILE or # a comment";

std::string checked(std::string text) {
    if (text.size() > max_batch_size)
        throw Wrong{"more than 16 MiB are no batch file",
                    "name a text file of sources; split a longer one"};
    if (text.find('\0') != text.npos)
        throw Wrong{"no text, but something binary", "name a UTF-8 text file of sources"};
    return text;
}

std::string read_batch(const fs::path& path) {
    try {
        return checked(path == "-" ? read_stdin(max_batch_size) : read_file(path));
    } catch (const Error& error) {
        const bool is_absent = error.kind() == ErrorKind::not_found;
        throw Wrong{is_absent ? "No such file" : error.message(),
                    "name a batch file that can be read"};
    }
}

bool is_there(const fs::path& path) {
    std::error_code ignored;
    const auto status = fs::status(path, ignored);
    return fs::exists(status) && !fs::is_directory(status);
}

// One file by any of its names.
std::string identity_of(const fs::path& path) {
    if (path == "-") return "-";
    std::error_code failed;
    const auto canonical = fs::canonical(path, failed);
    return failed ? path.lexically_normal().string() : canonical.string();
}

class Expansion {
public:
    void add_argument(const std::string& text) {
        for (const auto& word : split_sources(text))
            add_word(word, {}, {});
    }

    void add_file(const fs::path& path, const std::string& origin) {
        const std::string identity = identity_of(path);
        const auto open = std::ranges::find(open_, identity);
        if (open != open_.end()) return tell(origin, {cycle_from(open), "take one of them out"});
        if (open_.size() >= max_depth)
            return tell(origin, {fmt::format("more than {} batch files in one another", max_depth),
                                 "name the sources in fewer files"});
        // Whatever it says has been taken.
        if (!read_.insert(identity).second) return;
        open_.push_back(identity);
        const std::string name = path == "-" ? "standard input" : path.string();
        try {
            add_lines(read_batch(path), path == "-" ? fs::path{} : path.parent_path(), name);
        } catch (const Wrong& wrong) {
            tell(origin, {fmt::format("batch file \"{}\": {}", name, wrong.message), wrong.hint});
        }
        open_.pop_back();
    }

    std::vector<BatchEntry> take() {
        if (!wrong_.empty()) throw error();
        return std::move(entries_);
    }

private:
    // A source of the last line; one that an earlier line has named already is not its own.
    struct OfLine {
        std::size_t index = 0;  // in entries_
        bool is_own = false;
    };

    void add_lines(const std::string& text, const fs::path& folder, const std::string& name) {
        of_line_.clear();
        for (const auto& line : batch_lines(text)) {
            const std::string origin = fmt::format("{}:{}", name, line.number);
            if (line.indented) {
                if (const auto option = read_option(line.text)) {
                    add_option(*option, origin);
                    continue;
                }
            }
            of_line_.clear();
            for (const auto& word : split_sources(line.text))
                add_word(word, folder, origin);
        }
    }

    // The same place once more, for another file.
    void make_own(OfLine& source, const std::string& origin) {
        auto copy = entries_[source.index].source;
        source = {.index = entries_.size(), .is_own = true};
        entries_.push_back({std::move(copy), origin});
    }

    void add_option(const BatchOption& option, const std::string& origin) {
        try {
            if (of_line_.empty())
                throw Wrong{fmt::format("the option {} stands below no source", option.name),
                            allowed_in_batch};
            if (option.name == "out" && of_line_.size() > 1)
                throw Wrong{"out= names one file, and the line above has more sources",
                            "a line for each source"};
            for (OfLine& source : of_line_) {
                if (!source.is_own) make_own(source, origin);
                apply_option(option, entries_[source.index]);
            }
        } catch (const Wrong& wrong) {
            tell(origin, wrong);
        }
    }

    void add_word(const std::string& word, const fs::path& folder, const std::string& origin) {
        if (word == "@" || word == "-i")
            return tell(origin, {fmt::format("\"{}\" names no file", word), allowed_in_batch});
        if (const auto nested = nested_file(word); !nested.empty()) {
            // Only the command line knows whether standard input is for it.
            if (nested == "-" && !origin.empty())
                return tell(origin, {"a batch file cannot name standard input", allowed_in_batch});
            add_file(nested == "-" ? fs::path("-") : folder / nested, origin);
            return of_line_.clear();
        }
        try {
            add_source(parse_source(word), origin);
        } catch (const Error& error) {
            if (is_there(folder / word)) {
                add_file(folder / word, origin);
                return of_line_.clear();
            }
            tell(origin, {error.message(), error.hint()});
        }
    }

    void add_source(Source source, const std::string& origin) {
        const auto [at, is_new] = places_.emplace(location_key(source.location), entries_.size());
        of_line_.push_back({.index = at->second, .is_own = is_new});
        if (is_new) return entries_.push_back({std::move(source), origin});
        // The token is the place's, whichever of its URLs brought it.
        auto& known = entries_[at->second].source;
        if (known.token_in_query.empty()) known.token_in_query = source.token_in_query;
    }

    std::string cycle_from(std::vector<std::string>::const_iterator first) const {
        std::string chain;
        for (auto at = first; at != open_.end(); ++at)
            chain += fs::path(*at).filename().string() + " → ";
        return "a batch file that names itself: " + chain + fs::path(*first).filename().string();
    }

    void tell(const std::string& origin, const Wrong& wrong) {
        wrong_.push_back(
            {origin.empty() ? wrong.message : origin + ": " + wrong.message, wrong.hint});
    }

    Error error() const {
        if (wrong_.size() == 1) return {ErrorKind::usage, wrong_[0].message, wrong_[0].hint};
        std::string message = fmt::format("{} sources are wrong:", wrong_.size());
        for (std::size_t i = 0; i < std::min(wrong_.size(), max_told); ++i) {
            message += "\n  " + wrong_[i].message;
            // What all have in common is said once, below.
            if (wrong_[i].hint != known_forms) message += " (" + wrong_[i].hint + ")";
        }
        if (wrong_.size() > max_told)
            message += fmt::format("\n  … and {} more", wrong_.size() - max_told);
        return {ErrorKind::usage, message, std::string(known_forms)};
    }

    std::vector<BatchEntry> entries_;
    std::map<std::string, std::size_t> places_;  // location_key → index in entries_
    std::vector<OfLine> of_line_;                // for the options below that line
    std::vector<std::string> open_;              // files that are being read, outermost first
    std::set<std::string> read_;
    std::vector<Wrong> wrong_;
};

}  // namespace

std::vector<BatchEntry> expand_sources(const std::vector<std::string>& arguments,
                                       const std::vector<fs::path>& batch_files) {
    Expansion expansion;
    for (const auto& argument : arguments)
        expansion.add_argument(argument);
    for (const auto& file : batch_files)
        expansion.add_file(file, {});
    return expansion.take();
}

}  // namespace podctl::hub
