#include "environment_base.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/process.hpp"
#include "podctl/base/text.hpp"
#include "podctl/machine/machine.hpp"

#include "../launch_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;
using plan::EnvironmentSpec;

// PyTorch's own wheels; torchsde and the like are pure Python and may move.
constexpr std::array torch_packages{"torch",     "torchvision", "torchaudio",
                                    "torchtext", "xformers",    "triton"};

// Names of installed distributions, which carry their versions. The folder's mtime would not do:
// Python writes its __pycache__ there.
std::string distributions_digest(const std::vector<fs::path>& folders) {
    Sha256 digest;
    for (const auto& folder : folders) {
        std::vector<std::string> names;
        std::error_code failed;
        for (fs::directory_iterator it{folder, failed}, end; !failed && it != end;
             it.increment(failed)) {
            std::string name = it->path().filename().string();
            if (name.ends_with("-info") || name.ends_with(".egg-link"))
                names.push_back(std::move(name));
        }
        std::sort(names.begin(), names.end());
        digest.update(folder.native());
        for (const auto& name : names)
            digest.update(name);
    }
    return digest.finish();
}

Record base_record(const python::Interpreter& base) {
    BaseFacts facts{.path = base.path,
                    .stamp = file_stamp(base.path),
                    .sites = {base.site_packages.begin(), base.site_packages.end()}};
    facts.distributions = distributions_digest(facts.sites);
    return {.fingerprint = base.version, .facts = to_facts(facts)};
}

// Which wheels torch comes from, when the image has none to inherit. Preflight has told what a user
// should know of the choice.
void choose_torch(const EnvironmentSpec& spec, Toolset& tools, const Task& task) {
    const std::string& wanted = spec.settings.torch;
    if (wanted == "keep" || takes_torch_of(tools.base, spec)) return;
    const std::string tag =
        wanted == "auto" ? machine::torch_tag(task.context.gpus()).name : wanted;
    tools.settings.torch_backend = tag;
    // uv knows the index of each tag by itself.
    const std::string index = "https://download.pytorch.org/whl/" + tag;
    const Mirrors& mirrors = task.context.mirrors;
    if (tools.installer.kind == python::InstallerKind::pip || mirrors.covers(index))
        tools.settings.torch_index_url = mirrors.apply(index);
}

// Empty: the installer's own.
std::string strategy_of(const EnvironmentSpec& spec) {
    switch (spec.settings.index_strategy) {
        case tmpl::IndexStrategy::automatic:
            break;
        case tmpl::IndexStrategy::first_index:
            return "first-index";
        case tmpl::IndexStrategy::unsafe_first_match:
            return "unsafe-first-match";
        case tmpl::IndexStrategy::unsafe_best_match:
            return "unsafe-best-match";
    }
    return {};
}

// What a line of Python at the top level gives a name, with or without a type: `cuda = '12.1'`,
// `cuda: Optional[str] = None`. Empty: there is none.
std::string assigned(const std::string& text, std::string_view name) {
    for (const auto& line : split(text, '\n')) {
        const auto equals = line.find(" = ");
        if (equals == line.npos || !line.starts_with(name)) continue;
        const char next = line[name.size()];
        if (next == ':' || next == ' ') return std::string{trim(line.substr(equals + 3))};
    }
    return {};
}

}  // namespace

std::string base_id(const EnvironmentSpec& spec) {
    return "base:" + spec.name;
}

python::InstallerChoice choice_of(const EnvironmentSpec& spec) {
    switch (spec.settings.installer) {
        case tmpl::Installer::automatic:
            break;
        case tmpl::Installer::uv:
            return python::InstallerChoice::uv;
        case tmpl::Installer::pip:
            return python::InstallerChoice::pip;
    }
    return python::InstallerChoice::automatic;
}

bool sees_base(const EnvironmentSpec& spec) {
    return spec.settings.inherit || spec.settings.environment == tmpl::EnvironmentKind::system;
}

bool takes_torch_of(const python::Interpreter& base, const EnvironmentSpec& spec) {
    const auto torch = base.version_of("torch");
    if (!torch || !sees_base(spec)) return false;
    const std::string& wanted = spec.settings.torch;
    return wanted == "auto" || wanted == "keep" || torch->ends_with("+" + wanted);
}

std::string torch_tag_of(const python::Interpreter& base) {
    const std::string version = base.version_of("torch").value_or("");
    if (const auto plus = version.find('+'); plus != version.npos) return version.substr(plus + 1);
    for (const auto& folder : base.site_packages) {
        const fs::path file = fs::path{folder} / "torch/version.py";
        const auto stamp = file_stamp(file);
        if (!stamp || stamp->size > (64u << 10)) continue;
        const auto text = read_file_if_exists(file).value_or("");
        const auto cuda = assigned(text, "cuda"), hip = assigned(text, "hip");
        if (cuda.starts_with('\'')) {
            std::string digits;
            std::ranges::copy_if(cuda, std::back_inserter(digits), is_digit);
            return "cu" + digits;
        }
        if (cuda == "None" && !hip.starts_with('\'')) return "cpu";
    }
    return {};
}

std::vector<std::string> held(const EnvironmentSpec& spec, const python::Interpreter& base) {
    std::vector<std::string> names;
    if (!spec.hold_torch || !takes_torch_of(base, spec)) return names;
    for (const char* name : torch_packages) {
        if (base.version_of(name)) names.emplace_back(name);
    }
    return names;
}

std::vector<std::string> held_pins(const EnvironmentSpec& spec, const Task& task) {
    const auto base = base_of(spec, task);
    std::vector<std::string> pins;
    for (const auto& name : held(spec, base))
        pins.push_back(name + "==" + *base.version_of(name));
    return pins;
}

std::vector<python::Package> inherited(const EnvironmentSpec& spec,
                                       const python::Interpreter& base) {
    std::vector<python::Package> packages;
    if (!sees_base(spec)) return packages;
    const bool with_torch = takes_torch_of(base, spec);
    for (const auto& package : base.packages) {
        const bool is_torch = std::find(torch_packages.begin(), torch_packages.end(),
                                        package.name) != torch_packages.end();
        if (with_torch || !is_torch) packages.push_back(package);
    }
    return packages;
}

python::Settings settings_of(const EnvironmentSpec& spec, const Context& context) {
    python::Settings settings;
    settings.environment = context.build_environment();
    settings.cache = context.places.cache;
    settings.caution = context.caution();
    settings.index_strategy = strategy_of(spec);
    const auto& mirrors = context.mirrors;
    if (!spec.settings.index_url.empty())
        settings.index_url = mirrors.apply(spec.settings.index_url);
    for (const auto& url : spec.settings.extra_index_urls) {
        settings.extra_index_urls.push_back(mirrors.apply(url));
    }
    for (const auto& link : spec.settings.find_links) {
        const bool is_url = link.find("://") != std::string::npos;
        settings.find_links.push_back(
            is_url ? mirrors.apply(link)
                   : plan::under_root(context.pod, context.places.root, link).string());
    }
    settings.mirrors = mirrors;
    settings.offline = context.options.offline;
    return settings;
}

python::Interpreter base_of(const EnvironmentSpec& spec, const Task& task) {
    auto base = task.context.pythons.interpreter(spec.settings.interpreter, task.stop);
    const Record record = base_record(base);
    if (task.context.journal_of_environments().find(base_id(spec)) != record) {
        task.context.journal_of_environments().put(base_id(spec), record);
        // Not seen in this container before, so nothing of it is in memory.
        if (takes_torch_of(base, spec)) task.context.read_ahead(libraries_of_torch(base));
    }
    return base;
}

Toolset toolset_of(const EnvironmentSpec& spec, const Task& task) {
    Toolset tools{.base = base_of(spec, task), .settings = settings_of(spec, task.context)};
    tools.installer = task.context.pythons.installer(
        choice_of(spec), tools.base, task.context.places.tools, tools.settings, task.stop);
    choose_torch(spec, tools, task);
    return tools;
}

fs::path python_of(const EnvironmentSpec& spec, const Task& task) {
    if (spec.settings.environment == tmpl::EnvironmentKind::venv) {
        return python::environment_python(spec.path);
    }
    const auto known = task.context.journal_of_environments().find(base_id(spec));
    const auto facts = facts_in<BaseFacts>(known);
    if (known && base_unchanged(facts)) return facts.path;
    return base_of(spec, task).path;
}

bool base_unchanged(const BaseFacts& base) {
    return file_stamp(base.path) == base.stamp &&
           distributions_digest(base.sites) == base.distributions;
}

std::string installed_distributions(const EnvironmentSpec& spec, const Task& task) {
    const auto base = task.context.journal_of_environments().find(base_id(spec));
    return base ? distributions_digest(from_facts<BaseFacts>(base->facts).sites) : std::string{};
}

std::string identity_of(const EnvironmentSpec& spec, const Record& base) {
    Sha256 digest;
    const auto facts = from_facts<BaseFacts>(base.facts);
    digest.update(base.fingerprint + "\n" + facts.path.string() + "\n");
    if (spec.settings.inherit) digest.update(text_of_folders(facts.sites));
    return digest.finish().substr(0, 16);
}

bool has_compiler() {
    return find_program("c++") || find_program("g++") || find_program("clang++");
}

}  // namespace podctl::run
