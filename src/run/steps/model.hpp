#pragma once

#include "model_record.hpp"

// One file of a model, of which all is known: FetchModel::resolved and target are set.
namespace podctl::run {

// What a user is told of one that was changed and is kept.
std::string kept_by_hand(const plan::FetchModel& model);

Look look_at_file(const plan::FetchModel& model, const std::optional<KnownFile>& known,
                  const Task& task);

struct BroughtFile {
    bool changed = true;
    FileFacts facts = {};
};
BroughtFile bring_file(const plan::FetchModel& model, const std::optional<KnownFile>& known,
                       const Task& task);

}  // namespace podctl::run
