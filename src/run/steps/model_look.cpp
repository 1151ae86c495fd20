#include "podctl/base/file.hpp"
#include "podctl/download/download.hpp"

#include "../resolution.hpp"
#include "model.hpp"
#include "owner.hpp"
#include "steps.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

// What a model's step finds before it does anything.
namespace podctl::run {
namespace {

using plan::Change;
using plan::FetchModel;

// Bytes that a partial file has, and those that its file system holds for it: a download may
// reserve its size, or leave holes.
struct Partial {
    std::uint64_t present = 0, reserved = 0;
};
Partial partial_now(const FetchModel& model, const Task& task) {
    const auto digest = digest_for_store(model, task);
    const auto* own = digest.empty() ? nullptr : task.context.store();
    const auto partial = own != nullptr ? own->store.partial_of(digest)
                                        : task.context.places.partial / partial_name(model);
    const auto present = download::bytes_present(partial);
    struct stat status {};
    if (::stat(partial.c_str(), &status) != 0) return {};
    // stat(2) counts blocks of 512 bytes.
    return {present, std::max(present, static_cast<std::uint64_t>(status.st_blocks) * 512)};
}

void bill(const FetchModel& model, const Task& task, Look& look) {
    if (!model.resolved) return;
    const auto size =
        model.resolved->size ? model.resolved->size : model.resolved->approximate_size;
    if (!size) return;
    const auto partial = partial_now(model, task);
    look.download = Bytes{*size - std::min(*size, partial.present)};
    look.disk = Bytes{*size - std::min(*size, partial.reserved)};
    // An archive and what comes out of it lie there together for a while.
    if (model.unpack) look.disk = look.disk + Bytes{*size};
    if (takes_stores_disk(model, task)) look.store = std::exchange(look.disk, Bytes{});
}

// Where it is in the store, nothing is asked for.
bool bill_by_store(const FetchModel& model, const Task& task, Look& look) {
    const auto digest = digest_for_store(model, task);
    const auto* own = digest.empty() ? nullptr : task.context.store();
    if (own == nullptr || !own->store.look_at(digest)) return false;
    look.reason = fmt::format("{}: from the store", model.source.text);
    look.download = Bytes{};
    return true;
}

bool has_lost_its_word(const FetchModel& model, const std::optional<KnownFile>& known) {
    return !model.allow_pickle && known && known->facts.pickle_allowed;
}

bool is_kept_users_file(const FetchModel& model, const std::optional<KnownFile>& known,
                        const Task& task) {
    const auto stamp = file_stamp(model.target);
    return known && known->is_asked_for && stamp && !task.context.options.force &&
           known->facts.kept == stamp;
}

Look look_at_nothing(const FetchModel& model, const Task& task) {
    Look missing{
        .change = Change::create,
        .reason = model.resolved ? model.source.text : told_of_unknown(model.source, task.context)};
    if (!bill_by_store(model, task, missing)) bill(model, task, missing);
    return missing;
}

bool may_stand(const FetchModel& model, const Task& task) {
    return !model.target.empty() && is_way_followed(model.target, task);
}

Look without_its_word(Look look) {
    look.change = Change::change;
    look.reason = "to be looked at without the word that it was brought with";
    return look;
}

}  // namespace

std::string kept_by_hand(const FetchModel& model) {
    return fmt::format("{} was changed by hand: kept; --force fetches it again",
                       model.target.string());
}

Look look_at_file(const FetchModel& model, const std::optional<KnownFile>& known,
                  const Task& task) {
    Look missing = look_at_nothing(model, task);
    if (!may_stand(model, task)) return missing;
    if (has_lost_its_word(model, known)) return without_its_word(std::move(missing));
    if (!file_stamp(model.target)) return missing;
    if (is_kept_users_file(model, known, task)) {
        return {.change = Change::keep, .reason = "changed by hand", .notice = kept_by_hand(model)};
    }
    if (task.context.options.verify) {
        return {.change = Change::change, .reason = "to be verified", .download = Bytes{}};
    }
    if (known && known->is_asked_for && stamp_agrees(model.target, *known)) {
        return {.change = Change::keep, .reason = "sha256 " + known->facts.sha256.substr(0, 12)};
    }
    return {.change = Change::change,
            .reason = "a file stands there that is not verified yet",
            .download = Bytes{}};
}

Look look(const FetchModel& model, const Task& task) {
    const auto known = known_file(task);
    if (!model.unpack) return look_at_file(model, known, task);
    Look missing = look_at_nothing(model, task);
    if (!may_stand(model, task)) return missing;
    if (has_lost_its_word(model, known)) return without_its_word(std::move(missing));
    const bool there =
        task.same_fingerprint() && members_agree(model, facts_in<ModelFacts>(task.record));
    return there ? Look{.change = Change::keep, .reason = "unpacked"} : missing;
}

}  // namespace podctl::run
