#pragma once

#include "podctl/base/error.hpp"
#include "podctl/base/url.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

// Environments by uv or pip. How the commands behave was measured; the reasons stand in the .cpp
// files.
namespace podctl::python {

struct Package {
    std::string name;     // normalised (PEP 503)
    std::string version;  // as its metadata gives it

    friend bool operator==(const Package&, const Package&) = default;
};

// What an interpreter says of itself, asked by starting it once.
struct Interpreter {
    std::filesystem::path path;                   // sys.executable
    std::string version;                          // "3.11.7"
    std::vector<std::string> site_packages = {};  // folders its packages lie in, in its own order
    bool is_venv = false;
    bool externally_managed = false;  // PEP 668
    bool has_pip = false;
    bool has_ensurepip = false;
    bool has_venv = false;
    std::vector<Package> packages = {};  // what is installed there
    // What pip is configured with (pip.conf and PIP_…): index-url, extra-index-url, find-links,
    // constraint, … uv does not read it, so it is handed on. May hold credentials.
    std::map<std::string, std::string> pip_settings = {};

    std::optional<std::string> version_of(std::string_view package) const;
};

// For whoever only looks at a machine and must not start what a template or a volume brings (spec
// §6). A program may be started then when it and all folders above it belong to root or to the user
// and nobody else may write there, it lies in no folder of `foreign`, and PATH or one of the usual
// places of a Python names it, not the template alone.
struct Caution {
    std::vector<std::filesystem::path> foreign;
};

// Whether nobody but root and the user can change what the program is, links followed.
bool is_trusted_program(const std::filesystem::path& program, const Caution& caution);

// Throws Error{python} when it cannot be started or is older than 3.9.
Interpreter probe(const std::filesystem::path& path, std::stop_token stop);

// `auto`: the first Python in PATH (python3, python), in $VIRTUAL_ENV, $CONDA_PREFIX, /opt/conda,
// /venv that has torch, else the first that works; otherwise the one that is named (a program in
// PATH, or a path). Throws Error{preflight} with the remedy when there is none.
// With `caution`, what may not be started is passed over by `auto`; named, it is NotRun.
Interpreter find_interpreter(const std::string& wanted, std::stop_token stop,
                             const std::optional<Caution>& caution = {});

// The interpreter is there, and was not started (Caution).
class NotRun : public Error {
public:
    explicit NotRun(const std::string& message) : Error(ErrorKind::preflight, message) {}
};

enum class InstallerKind { uv, pip };
enum class InstallerChoice { automatic, uv, pip };

struct Installer {
    InstallerKind kind = InstallerKind::pip;
    std::filesystem::path program;                         // uv, or the Python whose pip is used
    std::map<std::string, std::string> pip_settings = {};  // as Interpreter's
};

// What every call of the installer is told.
struct Settings {
    std::map<std::string, std::string> environment = {};  // for the child: pod.env, git's mirrors
    std::filesystem::path cache =
        {};                      // uv's and pip's cache, beside the environment so that links work
    std::string index_url = {};  // empty: what pip is configured with, or the default
    std::vector<std::string> extra_index_urls = {};
    std::vector<std::string> find_links = {};
    // uv's --index-strategy; empty: what podctl's environment says, else first-index. pip has none:
    // it takes the newest version of all indexes.
    std::string index_strategy = {};
    std::string torch_backend =
        {};  // uv's --torch-backend: cpu, cu128, …; empty: as the index has it
    std::string torch_index_url =
        {};  // the same for pip, and for a mirror; wins where both are given
    // For the requirements that name an address; git's own mirrors are in `environment`.
    Mirrors mirrors = {};
    bool offline = false;
    std::function<void(const std::string&)> on_line = {};    // the installer's own words
    std::function<void(const std::string&)> on_notice = {};  // what the user is to know
    std::optional<Caution> caution = {};                     // of installer_at_hand()
};

// A release of uv on PyPI, by the digests of its wheels.
struct UvRelease {
    std::string version;
    std::vector<std::string> sha256;
};
const UvRelease& pinned_uv();

// uv from `tools`, from PATH (0.7 or newer), or brought by `pip install --target tools`, which
// works under PEP 668: the release alone, as a wheel, by its digest, whatever index it comes from.
// `automatic` falls back to pip. Throws Error{python} when what is asked for cannot be had.
Installer find_installer(InstallerChoice choice, const Interpreter& interpreter,
                         const std::filesystem::path& tools, const Settings& settings,
                         std::stop_token stop, const UvRelease& release = pinned_uv());

// What find_installer() would take, in words, without bringing or making anything: "uv at …".
// Throws Error{preflight} with the remedy when it would find none, or when the interpreter's venv
// module is needed and missing.
std::string installer_at_hand(InstallerChoice choice, const Interpreter& interpreter,
                              const std::filesystem::path& tools, const Settings& settings,
                              std::stop_token stop);

// A page of the package index that is asked first, by http or https; nullopt: none is asked, or
// only pip's own settings can reach it (a proxy, a certificate). May hold credentials.
std::optional<std::string> index_address(const Interpreter& interpreter, const Settings& settings);

struct EnvironmentRequest {
    std::filesystem::path path;
    bool inherit = true;  // packages of the interpreter are seen, behind the environment's own
};

// A venv without pip, setuptools or wheel (they would shadow the image's), that inherits by a .pth
// file, since --system-site-packages does not reach the packages of another venv or conda. Replaces
// what stands at `path` only when it is an unfinished environment of podctl's; a finished one is
// kept as it is. Returns its python; the environment is unfinished until mark_finished(). Throws
// Error{conflict} when something else stands there, Error{python}.
std::filesystem::path create_environment(const EnvironmentRequest& request, const Interpreter& base,
                                         const Installer& installer, const Settings& settings,
                                         std::stop_token stop);

// Copies the interpreter's own pip into an environment that does not see it and has none, since an
// index need not have one. Nothing, where the interpreter has none either. Throws Error{io}.
void give_pip(const std::filesystem::path& environment, const Interpreter& base);

// The environment's python, where it is or would be.
std::filesystem::path environment_python(const std::filesystem::path& environment);

// Puts the folder of an interpreter first in the PATH that a child is given, or in podctl's own
// when it is given none.
void put_first_in_path(const std::filesystem::path& python,
                       std::map<std::string, std::string>& environment);

// A marker in the environment, written last: an installer that was killed leaves holes that it
// would itself take for whole. The caller's order: mark_unfinished(), create_environment(),
// install(), …, mark_finished(). mark_finished throws Error{internal} for what podctl did not make;
// mark_unfinished leaves that alone.
void mark_finished(const std::filesystem::path& environment, const std::string& fingerprint);
void mark_unfinished(const std::filesystem::path& environment);
// The fingerprint of a finished environment; nullopt: none, unfinished, or its interpreter is gone
// (the pod came back with another image). Reads one small file.
std::optional<std::string> finished_fingerprint(const std::filesystem::path& environment);
// True when podctl made this environment (finished or not).
bool is_ours(const std::filesystem::path& environment);

// Where requirements come from: a file, or lines of the template.
struct RequirementSource {
    std::filesystem::path file;  // empty: `lines`
    std::vector<std::string> lines = {};
    std::string label = {};  // who asks, for people: "ComfyUI", "node ComfyUI-Impact-Pack"
    // The folder of a stranger's pack: the file, what it includes (-r, -c) and the files that it
    // names (-e, -f, paths) must lie in it, links followed. Empty: anywhere.
    std::filesystem::path inside = {};
    // Packages whose lines are passed over, as if the file did not ask for them.
    std::vector<std::string> ignore = {};
};

struct ResolveRequest {
    std::vector<RequirementSource> requirements;
    std::vector<std::string> constraints = {};  // lines
    std::vector<std::string> overrides = {};    // lines
    std::vector<Package> inherited = {};  // preferred versions; not installed again when chosen
    std::vector<std::string> hold = {};  // inherited packages that must stay as they are (torch, …)
    std::vector<std::string> exclude = {};  // names dropped everywhere, transitive ones too
    std::filesystem::path scratch;          // a folder for the files that the installer reads
};

// One package that is to be installed.
struct Pin {
    std::string requirement;  // name==version, or name @ url
    // "--hash=sha256:…" of every file that may be taken for it: those that a requirements file gave
    // for this version, else the index's. Empty: nobody gives one (git).
    std::vector<std::string> hashes = {};
    // Who asks for it: file:line, and the names of other packages.
    std::vector<std::string> asked_by = {};

    friend bool operator==(const Pin&, const Pin&) = default;
};

// What is to be installed into the environment: the joint resolution without what is inherited.
struct Lock {
    std::vector<Pin> pins;
    // Index options that requirement files gave: --extra-index-url …
    std::vector<std::string> options = {};
    // Indexes that could not be asked, in words: others may have given what they have. In no text.
    std::vector<std::string> without = {};

    // What an installer reads, a line each, the options first.
    std::string requirements() const;
    // The same with a comment on each line that says who asks for it.
    std::string text() const;

    friend bool operator==(const Lock&, const Lock&) = default;
};
// Reads what text() gave.
Lock parse_lock(std::string_view text);

// One requirement line, with where it stands.
struct RequirementLine {
    std::filesystem::path file;  // empty: a line of the template
    int line = 0;                // from 1
    std::string name;            // normalised; empty for a bare URL or path
    std::string text;            // without comment, continuation and --hash
    bool constraint = false;     // by -c: says which version, does not ask for the package
};
// Those of a source. Follows -r and -c (a cycle is read once); options are left out. Throws
// Error{python} with file and line for what cannot be read.
std::vector<RequirementLine> read_requirements(const RequirementSource& source);
std::vector<RequirementLine> read_requirements(const std::filesystem::path& file);

// Error{conflict} of resolve(): requirements that exclude each other, or the Python they are for.
// It knows who asks, for callers that know more ways out than python.overrides, which is the hint.
class Conflict : public Error {
public:
    Conflict(const std::string& message, std::string hint, std::vector<RequirementLine> askers)
        : Error(ErrorKind::conflict, message, std::move(hint)), askers_(std::move(askers)) {}

    const std::vector<RequirementLine>& askers() const { return askers_; }

private:
    std::vector<RequirementLine> askers_;
};

// One joint resolution. Throws Conflict that names every file and line that asks for the package
// and the chain between them, Error{python} for a line that cannot be read (file and line) or a
// package that the index does not have, Error{network}. pip applies overrides to the lines of files
// only: what packages ask of each other it cannot override.
Lock resolve(const ResolveRequest& request, const Interpreter& base, const Installer& installer,
             const Settings& settings, std::stop_token stop);

// A package of the lock that comes as source alone ("insightface==0.7.3"), the first that uv names;
// nullopt: all have wheels for this Python, or the installer cannot tell (pip). A fraction of a
// second.
std::optional<std::string> source_only(const Lock& lock, const Interpreter& base,
                                       const Installer& installer, const Settings& settings,
                                       const std::filesystem::path& scratch, std::stop_token stop);

// Installs exactly the lock's pins, without dependencies. Throws Error{network}, Error{integrity}
// for a hash that is another, Error{python}. Ended midway it leaves holes: see mark_finished.
void install(const Lock& lock, const std::filesystem::path& environment_python,
             const Installer& installer, const Settings& settings, std::stop_token stop);

// Has the installer bring, and build where they come as source, all pins of the lock, into a folder
// below `scratch` that goes again: install() then has them from the installer's cache. Throws what
// install() throws.
void build(const Lock& lock, const Interpreter& base, const Installer& installer,
           const Settings& settings, const std::filesystem::path& scratch, std::stop_token stop);

std::string normalise_name(std::string_view name);  // PEP 503

// Of packages that overwrite each other's files, the names to leave out (as ComfyUI-Manager keeps
// one opencv): opencv variants beside a better one, onnxruntime beside -gpu, PyPI's unrelated
// `comfy`. Lines whose marker does not hold on this machine ask for nothing.
enum class Gpu { none, present };
std::vector<std::string> duplicates_to_exclude(const std::vector<RequirementLine>& lines, Gpu gpu);

}  // namespace podctl::python
