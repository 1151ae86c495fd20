#include "catalog_data.hpp"
#include "document.hpp"
#include "support.hpp"
#include "support/temp_dir.hpp"
#include "table.hpp"
#include "validate.hpp"

#include <fstream>
#include <set>

namespace podctl::tmpl::test {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

std::string with_catalog(const std::string& items) {
    return "comfyui: {}\nmodels: [" + items + "]\n";
}

std::vector<std::string> sources(const Template& pod) {
    std::vector<std::string> all;
    for (const auto& model : pod.models)
        all.push_back(model.source);
    return all;
}

TEST(CatalogData, HasTheKeysOfItsTableAndNoOther) {
    Diagnostics diagnostics;
    auto root = parse_document(catalog_text(), std::make_shared<const std::string>("models.yaml"),
                               Lines::keep, diagnostics);
    ASSERT_TRUE(root);
    validate(*root, {}, diagnostics, catalog_shape());
    EXPECT_NO_THROW(diagnostics.throw_if_any());
}

TEST(CatalogData, NamesOnlyWhatIsThere) {
    std::set<std::string> tasks, names;
    for (const auto& task : catalog().tasks)
        EXPECT_TRUE(tasks.insert(task.name).second) << task.name;
    for (const auto& entry : catalog().entries)
        EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    for (const auto& entry : catalog().entries) {
        EXPECT_THAT(entry.uses, Not(IsEmpty())) << entry.name;
        for (const auto& use : entry.uses)
            EXPECT_TRUE(tasks.contains(use.task)) << entry.name << ": " << use.task;
        for (const auto& other : entry.needs)
            EXPECT_TRUE(names.contains(other)) << entry.name << ": " << other;
    }
    for (const auto& task : tasks)
        EXPECT_THAT(catalog().entries, Contains(::testing::Truly([&](const CatalogEntry& entry) {
                        return entry.use_for(task) != nullptr;
                    })))
            << task;
}

TEST(CatalogData, KnowsWhatItsFilesCost) {
    for (const auto& entry : catalog().entries) {
        // A paid service and a way to sample.
        const bool has_none = entry.name == "dall-e-3" || entry.name == "repaint";
        EXPECT_EQ(entry.files.empty(), has_none) << entry.name;
        if (has_none) {
            EXPECT_FALSE(entry.note.empty()) << entry.name;
            continue;
        }
        ASSERT_TRUE(entry.least_vram && entry.comfortable_vram) << entry.name;
        EXPECT_LE(*entry.least_vram, *entry.comfortable_vram) << entry.name;
        for (const auto& file : entry.files) {
            EXPECT_TRUE(!file.size || file.size->count > 1'000'000) << file.source;
        }
    }
    const CatalogEntry* instantid = catalog().find("instantid-sdxl");
    ASSERT_NE(instantid, nullptr);
    EXPECT_EQ(instantid->size(), Bytes{1691134141ull + 2502139136u + 360662982u});
    EXPECT_TRUE(instantid->files[0].size_is_exact);
    EXPECT_FALSE(catalog().find("instruct-pix2pix")->files[0].size_is_exact);
}

TEST(CatalogLines, OfEveryEntryAreValidAndMeanTheSame) {
    for (const auto& entry : catalog().entries) {
        const std::string pasted = "comfyui: {}\n" + template_lines(entry);
        EXPECT_THAT(faults(pasted), IsEmpty()) << pasted;
        if (entry.files.empty()) {
            EXPECT_THAT(parse(pasted).models, IsEmpty()) << pasted;
            continue;
        }
        const Template by_lines = parse(pasted);
        const Template by_name = parse(with_catalog("{catalog: " + entry.name + "}"));
        EXPECT_EQ(by_lines.custom_nodes.size(), entry.custom_nodes.size());
        ASSERT_EQ(by_lines.models.size(), entry.files.size());
        ASSERT_EQ(by_name.models.size(), entry.files.size());
        for (std::size_t i = 0; i < entry.files.size(); ++i) {
            const Model &a = by_lines.models[i], &b = by_name.models[i];
            EXPECT_EQ(std::tie(a.source, a.to, a.name, a.sha256, a.layout, a.unpack, a.allow_pickle,
                               a.optional),
                      std::tie(b.source, b.to, b.name, b.sha256, b.layout, b.unpack, b.allow_pickle,
                               b.optional));
            EXPECT_EQ(a.sha256, entry.files[i].sha256);
        }
    }
}

TEST(CatalogLines, SayWhatAnEntryWithoutFilesIs) {
    EXPECT_THAT(template_lines(*catalog().find("dall-e-3")),
                AllOf(HasSubstr("# API only"), Not(HasSubstr("models:"))));
}

TEST(CatalogEntryOfATemplate, StandsForAllItsFiles) {
    const Template pod = parse(with_catalog("hf:a/b/c.safetensors, {catalog: instantid-sdxl}"));
    EXPECT_THAT(pod.models, SizeIs(4));
    const Model& adapter = pod.models[1];
    EXPECT_EQ(adapter.source,
              "hf:InstantX/InstantID@57b32dfee076092ad2930c71fd6d439c2c3b1820/ip-adapter.bin");
    EXPECT_EQ(adapter.to, "instantid");
    EXPECT_TRUE(adapter.allow_pickle);
    EXPECT_EQ(adapter.sha256, "02b3618e36d803784166660520098089a81388e61a93ef8002aa79a5b1c546e1");
    EXPECT_TRUE(pod.models[3].unpack);
    EXPECT_EQ(adapter.key, "models[1]");
    EXPECT_EQ(adapter.catalog, "instantid-sdxl");
    EXPECT_EQ(std::pair(adapter.line, adapter.column), std::pair(4, 42));
    EXPECT_EQ(pod.models[0].key, "models[0]");
    EXPECT_EQ(pod.models[0].catalog, "");
}

TEST(CatalogEntryOfATemplate, IsCountedAsOneByWhatFollows) {
    const Template pod = parse(with_catalog("{catalog: instantid-sdxl}, hf:a/b/c.safetensors"));
    EXPECT_EQ(pod.models.back().key, "models[1]");
    EXPECT_THAT(faults(with_catalog("{catalog: instantid-sdxl}, hf:a/b/c.bin")),
                ElementsAre(HasSubstr("models[1]: found 'hf:a/b/c.bin', a pickle")));
}

TEST(CatalogEntryOfATemplate, HandsOptionalOn) {
    const auto all_optional = [](const char* items) {
        const Template pod = parse(with_catalog(items));
        return std::ranges::all_of(pod.models, &Model::optional);
    };
    EXPECT_TRUE(all_optional("{catalog: pixart-sigma, optional: true}"));
    EXPECT_FALSE(all_optional("{catalog: pixart-sigma, optional: false}"));
    EXPECT_FALSE(all_optional("{catalog: pixart-sigma, optional: }"));
}

TEST(CatalogEntryOfATemplate, SharesAFileWithAnother) {
    const Template pod =
        parse(with_catalog("{catalog: pixart-sigma, optional: true}, {catalog: pixart-alpha}"));
    EXPECT_THAT(sources(pod), SizeIs(5));
    for (const auto& model : pod.models) {
        const bool sigma_alone = model.key == "models[0]" && model.to != "text_encoders";
        EXPECT_EQ(model.optional, sigma_alone) << model.source;
    }
}

TEST(CatalogEntryOfATemplate, MayComeFromAVariable) {
    const Template pod =
        parse(with_catalog("{catalog: '${MODEL}'}"), options({{"MODEL", "sam-vit-b"}}));
    EXPECT_THAT(
        sources(pod),
        ElementsAre("https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth"));
}

TEST(CatalogEntryOfATemplate, ThatIsNotKnownIsToldWithItsPlace) {
    EXPECT_THAT(faults(with_catalog("{catalog: instantid-sdlx}")),
                ElementsAre(AllOf(HasSubstr("pod.yaml:4:20: models[0].catalog: found "
                                            "'instantid-sdlx'; allowed: sd15, sdxl, "),
                                  HasSubstr("did you mean 'instantid-sdxl'?"),
                                  Not(HasSubstr("dall-e-3")))));
}

TEST(CatalogEntryOfATemplate, StandsAlone) {
    EXPECT_THAT(
        faults(with_catalog("{catalog: sdxl, to: loras, name: x, sha256: '', layout: flat, unpack: "
                            "false, pickle: allow}")),
        AllOf(SizeIs(6), Each(HasSubstr("it cannot stand beside `catalog`"))));
    EXPECT_THAT(faults(with_catalog("{catalog: sdxl, source: 'civitai:1'}")),
                ElementsAre(HasSubstr("found 2 of source, catalog; exactly one must be there")));
    EXPECT_THAT(faults(with_catalog("{to: loras}")),
                ElementsAre(HasSubstr("found 0 of source, catalog")));
    EXPECT_THAT(faults(with_catalog("{source: 'civitai:1', catalog: }")), IsEmpty());
}

TEST(CatalogEntryOfATemplate, NeedsComfyUi) {
    EXPECT_THAT(faults("models: [{catalog: instantid-sdxl}]\n"),
                ElementsAre(AllOf(HasSubstr("models[0].catalog: found 'instantid-sdxl'"),
                                  HasSubstr("add `comfyui: {}`"))));
}

TEST(CatalogEntryOfATemplate, CollidesWithALineForTheSameFile) {
    EXPECT_THAT(
        faults(with_catalog("{source: 'https://h.example/x', to: sams, name: a.safetensors}, "
                            "{source: 'hf:stabilityai/sdxl-vae/sdxl_vae.safetensors', to: vae}, "
                            "{catalog: pixart-sigma}")),
        ElementsAre(HasSubstr("models[2]: goes to the same file as models[1]")));
}

TEST(CatalogEntryOfATemplate, IsExpandedInTheEffectiveTemplate) {
    const podctl::test::TempDir dir;
    std::ofstream(dir / "pod.yaml")
        << with_head(with_catalog("{catalog: sam-vit-b, optional: true}"));
    EXPECT_EQ(effective_yaml(dir / "pod.yaml", options()),
              "apiVersion: podctl/v1\n"
              "name: pod\n"
              "comfyui: {}\n"
              "models:\n"
              "  - source: https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth\n"
              "    to: sams\n"
              "    sha256: ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912\n"
              "    pickle: allow\n"
              "    optional: true\n");
}

std::vector<std::string> hints(const std::string& yaml) {
    std::vector<std::string> lines;
    for (const auto& hint : missing_packs(parse(yaml)))
        lines.push_back(hint.to_string());
    return lines;
}

TEST(MissingPacks, AreToldOncePerEntry) {
    const std::string yaml = with_catalog("{catalog: sdxl}, {catalog: instantid-sdxl}");
    EXPECT_THAT(hints(yaml),
                ElementsAre(AllOf(HasSubstr("pod.yaml:4:37: models[1]: instantid-sdxl"),
                                  HasSubstr("https://github.com/cubiq/ComfyUI_InstantID.git"))));
    for (const char* node :
         {"https://github.com/cubiq/ComfyUI_InstantID", "{registry: comfyui_instantid}",
          "{path: packs/ComfyUI_InstantID}", "{git: https://h.example/x, name: ComfyUI_InstantID}",
          "{git: https://h.example/ComfyUI_InstantID.git, name: mine}"}) {
        EXPECT_THAT(hints(yaml + "custom_nodes: [" + std::string{node} + "]\n"), IsEmpty()) << node;
    }
}

}  // namespace
}  // namespace podctl::tmpl::test
