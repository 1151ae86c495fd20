#include "fingerprint.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/overloaded.hpp"

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

Description base_of(const EnvironmentSpec& spec) {
    Description text;
    text.add(spec.path).add(spec.settings.interpreter).add(spec.settings.inherit);
    text.add(std::to_string(static_cast<int>(spec.settings.environment)));
    return text;
}

Description contents_of(const EnvironmentSpec& spec) {
    Description text = base_of(spec);
    text.add(spec.settings.torch).add(spec.settings.index_url).add(spec.settings.extra_index_urls);
    text.add(spec.settings.find_links).add(spec.settings.overrides).add(spec.requirement_files);
    text.add(spec.requirement_lines).add(spec.constraint_files).add(spec.constraint_lines);
    text.add(spec.comfyui).add(spec.custom_nodes).add(spec.hold_torch);
    for (const auto& [pack, names] : spec.packs->ignored_requirements)
        text.add(pack).add(names);
    for (const auto& pack : spec.packs->optional)
        text.add("optional").add(pack);
    if (spec.settings.index_strategy != tmpl::IndexStrategy::automatic)
        text.add(std::to_string(static_cast<int>(spec.settings.index_strategy)));
    return text;
}

}  // namespace

std::string fingerprint_of(const Action& action) {
    return std::visit(
        overloaded{
            [](const Preflight& it) {
                Description text;
                text.add(it.system_packages);
                if (it.gpu) {
                    text.add(std::to_string(it.gpu->count));
                    text.add(std::to_string(it.gpu->min_vram.value_or(Bytes{}).count));
                }
                return text.digest();
            },
            [](const SystemPackages& it) { return Description{}.add(it.names).digest(); },
            [](const Clone& it) {
                return Description{}
                    .add(it.url)
                    .add(it.ref)
                    .add(it.path)
                    .add(it.submodules == git::Submodules::yes)
                    .digest();
            },
            [](const RegistryNode& it) {
                return Description{}.add(it.id).add(it.version).add(it.path).digest();
            },
            [](const CopyNode& it) { return Description{}.add(it.from).add(it.path).digest(); },
            [](const FetchModel& it) {
                Description text;
                text.add(it.source.text).add(it.target).add(it.sha256).add(it.unpack);
                if (it.resolved) text.add(it.resolved->url).add(it.resolved->sha256);
                return text.digest();
            },
            [](const FetchFolder& it) {
                Description text;
                text.add(it.source.text).add(it.target);
                text.add(it.globs.include).add(it.globs.exclude);
                if (it.listing) text.add(it.listing->revision);
                return text.digest();
            },
            [](const CreateEnvironment& it) { return base_of(it.spec).digest(); },
            [](const ResolveEnvironment& it) { return contents_of(it.spec).digest(); },
            [](const InstallEnvironment& it) { return base_of(it.spec).digest(); },
            [](const BuildEnvironment& it) { return contents_of(it.spec).digest(); },
            [](const InstallScript& it) {
                return Description{}.add(it.pack).add(it.spec.path).digest();
            },
        },
        action);
}

}  // namespace podctl::plan
