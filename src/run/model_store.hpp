#pragma once

#include "podctl/base/error.hpp"
#include "podctl/download/store.hpp"
#include "podctl/plan/plan.hpp"

#include <filesystem>
#include <memory>
#include <string>

// The store of models (download/store.hpp), as one root uses it.
namespace podctl::run {

struct Context;
struct Task;

struct ModelStore {
    download::Store store;
    download::StoreUser user;
    // What is fetched takes nothing of the volume's disk.
    bool is_on_another_disk = false;
};

// What people are told where a store cannot be used.
std::string told_of_unused_store(const Error& error);

// nullptr: it cannot be used, which is told. A look makes nothing.
std::unique_ptr<ModelStore> open_model_store(Context& context);

// The digest by which the model may be had from the store, where there is one. Empty: it goes
// there once it is known, or it is an archive, of which the store keeps nothing.
std::string digest_for_store(const plan::FetchModel& model, const Task& task);

// Whether the model's bytes gather in a store that is on another disk than the volume.
bool takes_stores_disk(const plan::FetchModel& model, const Task& task);

// Links a file of the store to its place and says so where it had to be copied. False: it has gone
// meanwhile.
bool link_from_store(const download::StoredFile& file, const std::filesystem::path& target,
                     const Task& task);

// A file that came with no digest known goes into the store and is linked from there. False: there
// is no store, or it cannot take it, which is told, and the file is where it was.
bool place_through_store(const download::Store::Verified& file, const std::filesystem::path& target,
                         const Task& task);

// Files that the plan's models have had for longer than there is a store: the store gets a hard
// link to each, so that other roots find them there. Costs a look at each; nothing is read.
void adopt_models(const plan::Plan& plan, Context& context);

}  // namespace podctl::run
