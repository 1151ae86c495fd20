#include "requirement.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/text.hpp"
#include "podctl/base/url.hpp"

#include "decode.hpp"
#include "local_file.hpp"
#include "requirement_text.hpp"
#include "specifier.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <regex>
#include <set>
#include <utility>

namespace podctl::python {

namespace {

namespace fs = std::filesystem;
using Kind = Requirement::Kind;

// With hundreds of hashes behind it a line is long; what stands before them is not.
constexpr std::size_t longest_line = 65536;
constexpr std::size_t longest_requirement = 4096;

// The path of file:./x, file:x and file://./x, which pip takes as relative; nullopt: of no other.
std::optional<std::string_view> relative_in_file_url(std::string_view target) {
    constexpr std::string_view scheme = "file:";
    if (!target.starts_with(scheme)) return std::nullopt;
    target.remove_prefix(scheme.size());
    if (target.starts_with("//./") || target.starts_with("//../")) return target.substr(2);
    if (target.starts_with('/')) return std::nullopt;
    return target;
}

// A pack's relative paths begin at its own file, wherever the installer is started.
std::string absolute(const fs::path& folder, const std::string& target) {
    const auto at_folder = [&](const std::string& path) {
        // A line of the template has no folder, and `file:` alone no path: "" is absolute for
        // nobody.
        const auto place = folder / with_variables(path);
        return fs::absolute(place.empty() ? "." : place).lexically_normal().string();
    };
    if (const auto relative = relative_in_file_url(target)) {
        const auto end = std::min(relative->find('#'), relative->size());
        const auto path = at_folder(percent_decode(relative->substr(0, end)));
        return "file://" + percent_encode(path, "/") + std::string{relative->substr(end)};
    }
    if (target.find("://") != std::string::npos || target.starts_with("file:")) return target;
    return at_folder(target);
}

// D:\wheels\x.whl, as a pip freeze on Windows writes it.
bool is_path_of_windows(std::string_view text) {
    return text.find(":\\") != std::string_view::npos || text.starts_with("\\\\");
}

enum class Meaning {
    requirements,
    constraints,
    editable,
    index,
    extra_index,
    links,
    binary,
    flag,
    value
};

struct Option {
    std::string_view name;
    Meaning meaning;
};

// What pip allows in a file. `flag` and `value` are options that are left out: said by one file
// they would hold for every package of the joint resolution.
constexpr Option options[] = {
    {"-r", Meaning::requirements},
    {"--requirement", Meaning::requirements},
    {"-c", Meaning::constraints},
    {"--constraint", Meaning::constraints},
    {"-e", Meaning::editable},
    {"--editable", Meaning::editable},
    {"-i", Meaning::index},
    {"--index-url", Meaning::index},
    {"--pypi-url", Meaning::index},
    {"--extra-index-url", Meaning::extra_index},
    {"-f", Meaning::links},
    {"--find-links", Meaning::links},
    {"--no-binary", Meaning::binary},
    {"--only-binary", Meaning::binary},
    {"--no-index", Meaning::flag},
    {"--pre", Meaning::flag},
    {"--prefer-binary", Meaning::flag},
    {"--require-hashes", Meaning::flag},
    {"--trusted-host", Meaning::value},
    {"--use-feature", Meaning::value},
    {"--config-settings", Meaning::value},
    {"--global-option", Meaning::value},
};

const Option* find_option(std::string_view name) {
    const auto* found = std::find_if(std::begin(options), std::end(options),
                                     [&](const Option& option) { return option.name == name; });
    return found == std::end(options) ? nullptr : found;
}

class Reader {
public:
    Reader(std::string label, const fs::path& inside, const fs::path& first)
        : label_(std::move(label)),
          inside_(inside.empty() ? inside : resolved(inside)),
          quoted_(!inside.empty() || first.empty() ? inside_ : resolved(first).parent_path()) {}

    // The file that was asked for.
    void read_first(const fs::path& file) {
        if (leads_out(file))
            throw Error{ErrorKind::python,
                        fmt::format("{} ({}) is a link to a file elsewhere", file.string(), label_),
                        stay_inside};
        read_file(file, Kind::requirement);
    }

    void read_file(const fs::path& file, Kind kind) {
        // A cycle of -r is a mistake that harms nobody; a file may be both required and constrain.
        if (!seen_.emplace(resolved(file), kind).second) return;
        const auto text = decode_text(podctl::read_file(file));
        if (!text) {
            throw Error{ErrorKind::python, fmt::format("{}: not a text file", file.string()),
                        "save it as UTF-8"};
        }
        for (const LogicalLine& line : logical_lines(*text))
            read_line(file, line, kind);
    }

    void read_line(const fs::path& file, const LogicalLine& line, Kind kind) {
        Requirement here{.kind = kind, .file = file, .line = line.number, .label = label_};
        here.text = line.text.substr(0, longest_line);
        if (line.text.size() > longest_line) refuse(here, "the line is too long");
        if (line.text.starts_with('-')) return read_options(here);
        add(std::move(here), {});
    }

    // All but the packages that are `ignored`, whatever their version or address is: what is wrong
    // with another line is told then.
    std::vector<Requirement> take(const std::vector<std::string>& ignored) {
        std::set<std::string> names;
        for (const std::string& name : ignored)
            names.insert(normalise_name(name));
        std::erase_if(found_, [&](const Requirement& line) {
            return line.kind == Kind::requirement && names.contains(line.probable_name());
        });
        for (const Requirement& line : found_)
            if (!line.fault.empty()) refuse(line, line.fault);
        return std::move(found_);
    }

private:
    static constexpr const char* stay_inside =
        "its requirements may name files of its own folder only";

    bool leads_out(const fs::path& file) const {
        return !inside_.empty() && !is_inside(resolved(file), inside_);
    }

    // A file that a -r has led to may be any of this machine: its lines are nobody's.
    [[noreturn]] void refuse(const Requirement& here, const std::string& why) const {
        const bool is_quoted =
            here.file.empty() || (!quoted_.empty() && is_inside(resolved(here.file), quoted_));
        throw Error{ErrorKind::python,
                    fmt::format("{}: {}{}", here.where(), why, is_quoted ? ": " + here.text : ""),
                    "correct the line; a requirement looks like name>=1.0"};
    }

    void require_inside(const Requirement& here, const std::string& target) const {
        const auto file = local_file(target);
        if (!file || !leads_out(*file)) return;
        throw Error{ErrorKind::python,
                    fmt::format("{}: leads out of {}: {}", here.where(), label_, here.text),
                    stay_inside};
    }

    // A requirement line, perhaps with options behind it. `prefix` is "-e " for an editable one.
    void add(Requirement here, const std::string& prefix) {
        static const std::regex per_line{R"(\s--[a-z])"};
        std::smatch match;
        if (std::regex_search(here.text, match, per_line)) {
            const auto at = static_cast<std::size_t>(match.position());
            const auto words = words_of(std::string_view{here.text}.substr(at));
            for (std::size_t i = 0; i < words.size(); ++i) {
                if (words[i].starts_with("--hash=")) here.hashes.push_back(words[i]);
                if (words[i] == "--hash" && i + 1 < words.size()) {
                    here.hashes.push_back("--hash=" + words[i + 1]);
                }
            }
            here.text = std::string{trim(std::string_view{here.text}.substr(0, at))};
        }
        if (here.text.size() > longest_requirement) refuse(here, "the requirement is too long");
        if (is_path_of_windows(here.text)) {
            here.fault = "a path of another machine, under Windows";
            found_.push_back(std::move(here));
            return;
        }
        const Specifier specifier = parse_specifier(here.text);
        if (specifier.form == Specifier::Form::invalid) refuse(here, "no requirement");
        here.name = specifier.name;
        here.for_installer = prefix + here.text;
        if (!specifier.target.empty()) {
            const auto at = here.for_installer.rfind(specifier.target);
            std::string target = absolute(here.file.parent_path(), specifier.target);
            require_inside(here, target);
            // Behind `name @` pip takes a URL only.
            const bool behind_name = specifier.form == Specifier::Form::named;
            if (behind_name && target.starts_with('/'))
                target = "file://" + percent_encode(target, "/");
            here.for_installer.replace(at, specifier.target.size(), target);
        }
        here.text = prefix + here.text;
        found_.push_back(std::move(here));
    }

    void read_options(const Requirement& here) {
        const auto words = words_of(here.text);
        for (std::size_t i = 0; i < words.size(); ++i) {
            std::string name = words[i].substr(0, words[i].find('='));
            std::optional<std::string> value;
            if (name.size() < words[i].size()) value = words[i].substr(name.size() + 1);
            if (!name.starts_with("--") && name.size() > 2) {  // -rfile
                value = words[i].substr(2);
                name = name.substr(0, 2);
            }
            const Option* option = find_option(name);
            if (option == nullptr) refuse(here, "unknown option " + name);
            if (option->meaning != Meaning::flag && !value) {
                if (++i == words.size()) refuse(here, name + " wants a value");
                value = words[i];
            }
            if (option->meaning == Meaning::editable) {
                Requirement editable = here;
                editable.text = *value;
                return add(std::move(editable), "-e ");
            }
            apply(*option, value.value_or(""), here);
        }
    }

    void apply(const Option& option, const std::string& value, Requirement here) {
        switch (option.meaning) {
            case Meaning::requirements:
                return include(value, here, here.kind);
            case Meaning::constraints:
                return include(value, here, Kind::constraint);
            // A second --index-url is an error to uv; for a joint resolution all indexes are asked.
            case Meaning::index:
            case Meaning::extra_index:
                here.for_installer = "--extra-index-url " + value;
                break;
            case Meaning::links:
                here.for_installer = "--find-links " + absolute(here.file.parent_path(), value);
                require_inside(here, absolute(here.file.parent_path(), value));
                break;
            case Meaning::binary:
                here.for_installer = fmt::format("{} {}", option.name, value);
                break;
            case Meaning::editable:
                return;
            case Meaning::flag:
            case Meaning::value:
                here.kind = Kind::ignored_option;
                found_.push_back(std::move(here));
                return;
        }
        here.kind = Kind::option;
        found_.push_back(std::move(here));
    }

    void include(const std::string& value, const Requirement& here, Kind kind) {
        if (value.find("://") != std::string::npos) {
            refuse(here, "a requirements file by URL is not read; bring it as a file");
        }
        const fs::path file = here.file.parent_path() / with_variables(value);
        // First: whether there is such a file elsewhere is nobody's concern.
        require_inside(here, fs::absolute(file).string());
        if (!file_stamp(file)) refuse(here, value + " does not exist");
        read_file(file, kind);
    }

    const std::string label_;
    const fs::path inside_;  // what the files and what they name must lie in; empty: anywhere
    const fs::path quoted_;  // whose files' lines may be shown; empty: none's
    std::set<std::pair<fs::path, Kind>> seen_;
    std::vector<Requirement> found_;
};

}  // namespace

std::string Requirement::where() const {
    if (!file.empty()) return fmt::format("{}:{}", file.string(), line);
    return label.empty() ? "requirements" : label;
}

std::string Requirement::target() const {
    std::string_view bare = for_installer;
    if (bare.starts_with("-e ")) bare.remove_prefix(3);
    return parse_specifier(bare).target;
}

std::string Requirement::probable_name() const {
    if (!name.empty()) return name;
    std::string_view address = text;
    address = address.substr(0, address.find_first_of("#?"));
    address = address.substr(0, address.find(".git"));
    address = address.substr(address.find_last_of("/\\") + 1);
    // NAME-VERSION-TAGS.whl, NAME-VERSION.tar.gz: a wheel's name holds no dash (PEP 427).
    if (address.ends_with(".whl")) return normalise_name(address.substr(0, address.find('-')));
    for (const std::string_view end : {".tar.gz", ".zip"}) {
        if (!address.ends_with(end)) continue;
        const auto dash = address.rfind('-');
        if (dash + 1 < address.size() && is_digit(address[dash + 1]))
            address = address.substr(0, dash);
    }
    return normalise_name(address);
}

std::vector<Requirement> read_lines(const std::vector<std::string>& lines, const std::string& label,
                                    Kind kind) {
    return read_source({.file = {}, .lines = lines, .label = label}, kind);
}

std::vector<Requirement> read_source(const RequirementSource& source, Kind kind) {
    Reader reader{source.label, source.inside, source.file};
    if (!source.file.empty()) {
        reader.read_first(source.file);
        return reader.take(source.ignore);
    }
    for (const std::string& line : source.lines) {
        for (const LogicalLine& logical : logical_lines(line))
            reader.read_line({}, logical, kind);
    }
    return reader.take(source.ignore);
}

std::vector<RequirementLine> read_requirements(const fs::path& file) {
    return read_requirements(RequirementSource{.file = file});
}

std::vector<RequirementLine> read_requirements(const RequirementSource& source) {
    std::vector<RequirementLine> lines;
    for (Requirement& found : read_source(source)) {
        if (found.kind != Kind::requirement && found.kind != Kind::constraint) continue;
        lines.push_back({.file = std::move(found.file),
                         .line = found.line,
                         .name = std::move(found.name),
                         .text = std::move(found.text),
                         .constraint = found.kind == Kind::constraint});
    }
    return lines;
}

}  // namespace podctl::python
