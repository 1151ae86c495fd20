#include "fingerprint.hpp"

#include "podctl/base/digest.hpp"

namespace podctl::plan {
namespace {

// Values with their lengths, so that no two different sets of values give the same bytes.
class Description {
public:
    Description& add(std::string_view value) {
        text_ += std::to_string(value.size());
        text_ += ':';
        text_ += value;
        return *this;
    }
    Description& add(const std::string& value) { return add(std::string_view{value}); }
    Description& add(const std::filesystem::path& path) {
        return add(std::string_view{path.native()});
    }
    Description& add(bool flag) {
        return add(flag ? std::string_view{"1"} : std::string_view{"0"});
    }
    Description& add(const char* value) { return add(std::string_view{value}); }
    template <class Value>
    Description& add(const std::vector<Value>& values) {
        add(std::to_string(values.size()));
        for (const auto& value : values)
            add(value);
        return *this;
    }
    std::string digest() const { return sha256_hex(text_); }

private:
    std::string text_;
};

// Every struct is taken apart whole, so that a field that it gets does not compile before somebody
// has decided here whether it counts. One that does is added behind the others, and only where it
// has not its default: a fingerprint that changes by itself does all steps of all pods again.

void add_packs(Description& text, const Packs& packs) {
    // What is in their files is looked at by the step.
    const auto& [names, optional, ignored_requirements] = packs;
    for (const auto& [pack, packages] : ignored_requirements)
        text.add(pack).add(packages);
    for (const auto& pack : optional)
        text.add("optional").add(pack);
}

enum class Depth { interpreter, packages };

Description description_of(const EnvironmentSpec& spec, Depth depth) {
    // The name is the step's; what is left out is an attempt's.
    const auto& [name, settings, path, named, requirement_files, requirement_lines,
                 constraint_files, constraint_lines, comfyui, custom_nodes, packs, left_out,
                 hold_torch] = spec;
    // Place, constraints and requirements stand in the spec. Either installer installs the same;
    // drift and build secrets are no part of what is wanted, nor is where the environment is: one
    // that is not there is missed anyway.
    const auto& [interpreter, environment, place, disk, inherit, installer, torch, index_url,
                 extra_index_urls, index_strategy, find_links, constraints, requirements, overrides,
                 drift, build_secrets] = settings;
    Description text;
    text.add(named).add(interpreter).add(inherit);
    text.add(std::to_string(static_cast<int>(environment)));
    if (depth == Depth::interpreter) return text;
    text.add(torch).add(index_url).add(extra_index_urls);
    text.add(find_links).add(overrides).add(requirement_files);
    text.add(requirement_lines).add(constraint_files).add(constraint_lines);
    text.add(comfyui).add(custom_nodes).add(hold_torch);
    add_packs(text, *packs);
    if (index_strategy != tmpl::IndexStrategy::automatic)
        text.add(std::to_string(static_cast<int>(index_strategy)));
    return text;
}

Description description_of(const Preflight& action) {
    const auto& [system_packages, gpu] = action;
    Description text;
    text.add(system_packages);
    if (!gpu) return text;
    const auto& [count, min_vram] = *gpu;
    text.add(std::to_string(count)).add(std::to_string(min_vram.value_or(Bytes{}).count));
    return text;
}

Description description_of(const SystemPackages& action) {
    const auto& [names] = action;
    return Description{}.add(names);
}

Description description_of(const Clone& action) {
    // The kind goes with the step's id.
    const auto& [kind, url, ref, path, submodules] = action;
    return Description{}.add(url).add(ref).add(path).add(submodules == git::Submodules::yes);
}

Description description_of(const RegistryNode& action) {
    // Trust decides whether it may be brought, and not what.
    const auto& [id, version, path, trust] = action;
    return Description{}.add(id).add(version).add(path);
}

Description description_of(const CopyNode& action) {
    const auto& [from, path] = action;
    return Description{}.add(from).add(path);
}

Description description_of(const LinkBase& action) {
    const auto& [checkout, base] = action;
    return Description{}.add(checkout).add(base);
}

Description description_of(const CopyCode& action) {
    const auto& [checkout, base, copy] = action.code;
    return Description{}.add(checkout).add(base).add(copy);
}

Description description_of(const FetchModel& action) {
    // Folder, name and layout make the target. Trust decides whether it may be brought; whether it
    // may be a pickle, the step compares with its record.
    const auto& [source, resolved, folder, name, sha256, layout, unpack, allow_pickle, trusted,
                 target] = action;
    Description text;
    text.add(source.text).add(target).add(sha256).add(unpack);
    if (resolved) text.add(resolved->url).add(resolved->sha256);
    return text;
}

Description description_of(const FetchFolder& action) {
    const auto& [source, globs, listing, allow_pickle, target] = action;
    const auto& [include, exclude] = globs;
    Description text;
    text.add(source.text).add(target).add(include).add(exclude);
    if (listing) text.add(listing->revision);
    return text;
}

Description description_of(const CreateEnvironment& action) {
    const auto& [spec] = action;
    return description_of(spec, Depth::interpreter);
}

Description description_of(const ResolveEnvironment& action) {
    const auto& [spec] = action;
    return description_of(spec, Depth::packages);
}

// Which packages, the lock says.
Description description_of(const InstallEnvironment& action) {
    const auto& [spec] = action;
    return description_of(spec, Depth::interpreter);
}

Description description_of(const BuildEnvironment& action) {
    const auto& [spec] = action;
    return description_of(spec, Depth::packages);
}

Description description_of(const InstallScript& action) {
    const auto& [pack, spec] = action;
    return Description{}.add(pack).add(spec.named);
}

}  // namespace

std::string fingerprint_of(const Action& action) {
    return std::visit([](const auto& it) { return description_of(it).digest(); }, action);
}

}  // namespace podctl::plan
