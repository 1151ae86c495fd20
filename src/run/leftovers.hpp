#pragma once

#include "podctl/plan/plan.hpp"

#include "context.hpp"

#include <filesystem>
#include <string>
#include <vector>

// What podctl brought for a template that names it no more: packs, files of models, and files of a
// folder that are not chosen of it any more.
namespace podctl::run {

struct Leftover {
    std::string step = {};                          // the journal's id
    std::vector<std::filesystem::path> paths = {};  // what stands of it as podctl left it
    std::vector<std::string> names = {};            // of a model's files, within its folder
    Bytes size = {};                                // of them
    // files: of a step that the template still has.
    enum class Kind { pack, model, files } kind = Kind::model;
};

// Nothing of a plan that is a part of a template's. Models are left out while the place of one of
// the template's is not known, which may be the one where the old one stands.
std::vector<Leftover> find_leftovers(const plan::Plan& plan, const Context& context);

// Which one it is: its step, or "model:diffusers/x/*" beside the step model:diffusers/x.
std::string label_of(const Leftover& leftover);
// Why it is one: "no longer in the template".
std::string reason_of(const Leftover& leftover);
// For people who have not asked for --prune.
std::string about(const Leftover& leftover);
// A notice for each pack, and one for all models.
void tell_of_leftovers(const std::vector<Leftover>& leftovers, Context& context);

// Moves them to .podctl/replaced, and forgets them.
void prune(const std::vector<Leftover>& leftovers, Context& context);

}  // namespace podctl::run
