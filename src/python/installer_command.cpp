#include "installer_command.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/shorten.hpp"
#include "podctl/event/redact.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <cctype>
#include <cstdlib>
#include <optional>
#include <sstream>

namespace podctl::python {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kept_words = 1 << 20;

// Set by an image or a user for their own calls, these would send ours elsewhere or make them
// refuse.
const std::vector<std::string> misleading = {"PIP_TARGET",
                                             "PIP_PREFIX",
                                             "PIP_ROOT",
                                             "PIP_USER",
                                             "PIP_REQUIRE_VIRTUALENV",
                                             "PIP_REQUIRE_HASHES",
                                             "PIP_DRY_RUN",
                                             "PIP_REPORT",
                                             "PIP_PYTHON",
                                             "PIP_QUIET",
                                             "PIP_REQUIREMENT",
                                             "PIP_NO_DEPS",
                                             "PIP_IGNORE_INSTALLED",
                                             "PIP_FORCE_REINSTALL",
                                             "PIP_UPGRADE",
                                             "PIP_LOG",
                                             "PYTHONHOME",
                                             "UV_SYSTEM_PYTHON",
                                             "UV_PYTHON",
                                             "UV_TARGET",
                                             "UV_PREFIX",
                                             "UV_REQUIRE_HASHES",
                                             "UV_NO_CACHE",
                                             "UV_VENV_SEED",
                                             "UV_VENV_CLEAR",
                                             "UV_COMPILE_BYTECODE",
                                             "UV_OVERRIDE",
                                             "UV_EXCLUDE",
                                             "UV_CUSTOM_COMPILE_COMMAND",
                                             "UV_PROJECT",
                                             "FORCE_COLOR",
                                             "CLICOLOR_FORCE"};

class Variables {
public:
    Variables(const Installer& installer, const Settings& settings)
        : installer_(installer), settings_(settings), set_(settings.environment) {}

    // What the child would see without us.
    std::optional<std::string> current(const std::string& name) const {
        const auto own = set_.find(name);
        if (own != set_.end()) return own->second;
        const char* inherited = std::getenv(name.c_str());
        return inherited == nullptr ? std::nullopt : std::optional<std::string>{inherited};
    }

    // pip's configuration: a variable of the pod wins over what the interpreter told.
    std::string configured(const std::string& key) const {
        std::string name = "PIP_";
        for (const char c : key) {
            name.push_back(
                c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
        }
        const auto own = settings_.environment.find(name);
        if (own != settings_.environment.end()) return own->second;
        const auto told = installer_.pip_settings.find(key);
        return told == installer_.pip_settings.end() ? std::string{} : told->second;
    }

    void set(const std::string& name, const std::string& value) { set_[name] = value; }
    void set_unless_chosen(const std::string& name, const std::string& value) {
        if (!value.empty() && !current(name)) set_[name] = value;
    }
    void set_unless_by_pod(const std::string& name, const std::string& value) {
        set_.try_emplace(name, value);
    }
    std::map<std::string, std::string> take() { return std::move(set_); }

private:
    const Installer& installer_;
    const Settings& settings_;
    std::map<std::string, std::string> set_;
};

std::vector<std::string> split_at_blanks(const std::string& text) {
    std::istringstream stream{text};
    std::vector<std::string> words;
    for (std::string word; stream >> word;)
        words.push_back(word);
    return words;
}

std::vector<std::string> operator+(std::vector<std::string> a, const std::vector<std::string>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

// Lists in variables are split at spaces or commas, and paths may hold both: as URLs they do not.
std::string as_address(const std::string& place) {
    if (place.find("://") != std::string::npos) return place;
    return "file://" + percent_encode(fs::absolute(place).lexically_normal().string(), "/");
}

std::vector<std::string> addresses(const std::vector<std::string>& places) {
    std::vector<std::string> out;
    for (const std::string& place : places)
        out.push_back(as_address(place));
    return out;
}

std::vector<std::string> extra_indexes(const Settings& settings) {
    auto urls = settings.extra_index_urls;
    if (!settings.torch_index_url.empty()) urls.push_back(settings.torch_index_url);
    return urls;
}

// uv stops at the first index that knows a name, so that no other index can stand in for a package
// of it. PyTorch's index holds old versions of much that PyPI has: as an index beside others it
// needs them all to be asked.
void set_index_strategy(Variables& variables, const Settings& settings) {
    if (!settings.index_strategy.empty()) {
        variables.set("UV_INDEX_STRATEGY", settings.index_strategy);
    } else {
        variables.set_unless_chosen("UV_INDEX_STRATEGY", settings.torch_index_url.empty()
                                                             ? "first-index"
                                                             : "unsafe-best-match");
    }
}

// Index addresses go by variable: they may hold a password, and arguments are seen by every
// process.
void set_uv_indexes(Variables& variables, const Settings& settings) {
    if (!settings.index_url.empty()) {
        variables.set("UV_DEFAULT_INDEX", settings.index_url);
    } else {
        variables.set_unless_chosen("UV_INDEX_URL", variables.configured("index-url"));
    }
    const auto extra = split_at_blanks(variables.current("UV_EXTRA_INDEX_URL").value_or("")) +
                       split_at_blanks(variables.configured("extra-index-url")) +
                       extra_indexes(settings);
    if (!extra.empty())
        variables.set("UV_EXTRA_INDEX_URL", fmt::format("{}", fmt::join(extra, " ")));
    auto links =
        addresses(split_at_blanks(variables.configured("find-links")) + settings.find_links);
    const auto chosen = variables.current("UV_FIND_LINKS");
    if (chosen && !chosen->empty()) links.insert(links.begin(), *chosen);
    if (!links.empty()) variables.set("UV_FIND_LINKS", fmt::format("{}", fmt::join(links, ",")));
    set_index_strategy(variables, settings);
    variables.set_unless_chosen("UV_INSECURE_HOST", variables.configured("trusted-host"));
    variables.set_unless_chosen("SSL_CERT_FILE", variables.configured("cert"));
    const std::string proxy = variables.configured("proxy");
    variables.set_unless_chosen("ALL_PROXY", proxy);
    const std::string timeout = variables.configured("timeout");
    variables.set_unless_chosen(
        "UV_HTTP_TIMEOUT", timeout.empty() ? variables.configured("default-timeout") : timeout);
}

// Hard links need one file system; across two uv copies, and warns at every call.
std::string link_mode(const fs::path& cache, const fs::path& target) {
    struct stat a {
    }, b{};
    if (::stat(cache.c_str(), &a) != 0 || ::stat(target.c_str(), &b) != 0) return "hardlink";
    return a.st_dev == b.st_dev ? "hardlink" : "copy";
}

void set_uv(Variables& variables, const Settings& settings, const fs::path& target) {
    variables.set_unless_by_pod("UV_CACHE_DIR", fs::absolute(settings.cache / "uv").string());
    variables.set_unless_chosen("UV_LINK_MODE", link_mode(settings.cache, target));
    variables.set("UV_NO_PROGRESS", "1");
    variables.set("NO_COLOR", "1");
    variables.set("UV_NO_WRAP", "1");  // its words are read, and lines are broken to fit elsewhere
    variables.set("UV_PYTHON_DOWNLOADS", "never");
    // Asked for by name (environment: system), or a venv, where it means nothing.
    variables.set("UV_BREAK_SYSTEM_PACKAGES", "1");
    if (settings.offline) variables.set("UV_OFFLINE", "1");
    set_uv_indexes(variables, settings);
}

void set_pip(Variables& variables, const Settings& settings) {
    variables.set_unless_by_pod("PIP_CACHE_DIR", fs::absolute(settings.cache / "pip").string());
    variables.set("PIP_NO_INPUT", "1");
    variables.set("PIP_DISABLE_PIP_VERSION_CHECK", "1");
    variables.set("PIP_ROOT_USER_ACTION", "ignore");
    variables.set("PIP_BREAK_SYSTEM_PACKAGES", "1");
    variables.set("PIP_NO_COLOR", "1");
    variables.set("PIP_PROGRESS_BAR", "off");
    variables.set("PYTHONUNBUFFERED", "1");
    // pip cannot be told to use its cache alone.
    if (settings.offline) variables.set("PIP_NO_INDEX", "1");
    if (!settings.index_url.empty()) variables.set("PIP_INDEX_URL", settings.index_url);
    // A variable replaces the list of pip.conf, so that list is said again.
    const auto extra = extra_indexes(settings);
    if (!extra.empty()) {
        const auto all = split_at_blanks(variables.configured("extra-index-url")) + extra;
        variables.set("PIP_EXTRA_INDEX_URL", fmt::format("{}", fmt::join(all, " ")));
    }
    if (!settings.find_links.empty()) {
        const auto all =
            addresses(split_at_blanks(variables.configured("find-links")) + settings.find_links);
        variables.set("PIP_FIND_LINKS", fmt::format("{}", fmt::join(all, " ")));
    }
}

}  // namespace

Command call_of(const Installer& installer, const Settings& settings, const fs::path& target) {
    Variables variables{installer, settings};
    variables.set_unless_chosen("GIT_TERMINAL_PROMPT", "0");
    create_folders(settings.cache);
    // In the cache: uv reads a pyproject.toml, and `python -m` any module, of the folder it runs
    // in.
    Command command{.argv = {}, .working_directory = settings.cache, .unset = misleading};
    switch (installer.kind) {
        case InstallerKind::uv:
            command.argv = {fs::absolute(installer.program).string()};
            set_uv(variables, settings, target);
            break;
        case InstallerKind::pip:
            command.argv = {fs::absolute(installer.program).string(), "-m", "pip"};
            set_pip(variables, settings);
            break;
    }
    command.environment = variables.take();
    return command;
}

void add_index_arguments(Command& command, const Installer& installer, const Settings& settings) {
    if (installer.kind != InstallerKind::uv) return;
    const std::string no_index = to_lower(Variables{installer, settings}.configured("no-index"));
    const bool is_on =
        no_index == "1" || no_index == "true" || no_index == "yes" || no_index == "on";
    if (settings.index_url.empty() && is_on) command.argv.push_back("--no-index");
    if (!settings.torch_backend.empty() && settings.torch_index_url.empty()) {
        command.argv.insert(command.argv.end(), {"--torch-backend", settings.torch_backend});
    }
}

std::vector<std::string> configured_constraints(const Installer& installer,
                                                const Settings& settings) {
    return split_at_blanks(Variables{installer, settings}.configured("constraint"));
}

std::vector<std::string> configured_build_constraints(const Settings& settings) {
    return split_at_blanks(Variables{{}, settings}.current("UV_BUILD_CONSTRAINT").value_or(""));
}

std::optional<std::string> index_address(const Interpreter& interpreter, const Settings& settings) {
    const Installer pip{InstallerKind::pip, interpreter.path, interpreter.pip_settings};
    const Variables variables{pip, settings};
    for (const char* key : {"no-index", "proxy", "cert", "trusted-host"}) {
        if (!variables.configured(key).empty()) return std::nullopt;
    }
    std::string index = settings.index_url;
    for (const char* name : {"UV_DEFAULT_INDEX", "UV_INDEX_URL"}) {
        if (index.empty()) index = variables.current(name).value_or("");
    }
    if (index.empty()) index = variables.configured("index-url");
    if (index.empty()) index = "https://pypi.org/simple";
    if (!index.starts_with("http")) return std::nullopt;
    return index + (index.ends_with('/') ? "" : "/") + "pip/";
}

Finished run_installer(const Command& command, const Settings& settings, std::stop_token stop) {
    const Redactor redact;
    Finished finished;
    const auto keep = [&](std::string_view line) {
        const std::string clean = redact(line);
        finished.words += clean + "\n";
        if (finished.words.size() > 2 * kept_words) {
            finished.words.erase(0, finished.words.size() - kept_words);
        }
        if (settings.on_line) settings.on_line(clean);
    };
    finished.status = run_command(command, stop, {.on_line = keep});
    return finished;
}

std::string tail_of(std::string_view words, std::size_t lines) {
    std::vector<std::string> said;
    for (const std::string& line : split(words, '\n')) {
        if (!trim(line).empty()) said.push_back(shorten_line(line));
    }
    const auto from = said.size() > lines ? said.size() - lines : 0;
    return fmt::format(
        "{}", fmt::join(said.begin() + static_cast<std::ptrdiff_t>(from), said.end(), "\n"));
}

}  // namespace podctl::python
