#include "model_store.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/trust.hpp"

#include "context.hpp"
#include "steps/model_record.hpp"

#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <array>
#include <utility>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;
using download::LinkKind;

std::string random_text() {
    std::array<unsigned char, 16> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
        throw system_error("cannot make a name for the root", errno);
    std::string text;
    for (const auto byte : bytes)
        text += fmt::format("{:02x}", byte);
    return text;
}

// The root's own, wherever and by whichever machine its volume is mounted.
download::StoreUser user_of(const Context& context) {
    const auto mark = context.places.state / "root-id";
    auto id = read_state_file(mark).text;
    if (!id && !context.is_look()) {
        id = random_text();
        write_state_file(mark, *id);
    }
    return {.mark = mark, .id = id.value_or("")};
}

bool are_on_one_disk(const fs::path& one, const fs::path& other) {
    struct stat first {
    }, second{};
    return ::stat(nearest_existing(one).c_str(), &first) == 0 &&
           ::stat(nearest_existing(other).c_str(), &second) == 0 && first.st_dev == second.st_dev;
}

struct KnownCopy {
    fs::path path;
    FileFacts facts;
};

// What stands there as podctl has seen it last.
std::vector<KnownCopy> known_copies(const plan::Step& step, const Context& context) {
    const auto record = context.journal.find(step.id);
    const auto* model = std::get_if<plan::FetchModel>(&step.action);
    const bool is_folder = std::holds_alternative<plan::FetchFolder>(step.action);
    if (!record || (!is_folder && !(model && !model->unpack))) return {};
    const auto facts = from_facts<ModelFacts>(record->facts);
    std::vector<KnownCopy> copies;
    if (!is_folder) copies.push_back({facts.path, facts.file});
    for (const auto& [name, file] : facts.files)
        copies.push_back({facts.path / name, file});
    std::erase_if(copies, [](const KnownCopy& copy) {
        const auto& it = copy.facts;
        return copy.path.empty() || !is_sha256(it.sha256) || !it.size || !it.mtime_ns || it.kept;
    });
    return copies;
}

}  // namespace

std::string told_of_unused_store(const Error& error) {
    const auto& hint = error.hint();
    return fmt::format("the store is not used: {}{}", error.message(),
                       hint.empty() ? "" : " (" + hint + ")");
}

std::unique_ptr<ModelStore> open_model_store(Context& context) {
    const auto& folder = context.options.store;
    try {
        const auto missing = context.is_look() ? Missing::fail : Missing::make;
        auto store = download::Store{folder, missing};
        return std::make_unique<ModelStore>(
            ModelStore{.store = std::move(store),
                       .user = user_of(context),
                       .is_on_another_disk = !are_on_one_disk(folder, context.places.root)});
    } catch (const Error& error) {
        const bool is_new = error.kind() == ErrorKind::not_found && context.is_look();
        if (!is_new) context.notice("", told_of_unused_store(error));
        return nullptr;
    }
}

std::string digest_for_store(const plan::FetchModel& model, const Task& task) {
    if (task.context.options.store.empty() || model.unpack) return {};
    if (!model.sha256.empty()) return model.sha256;
    return model.resolved && is_sha256(model.resolved->sha256) ? model.resolved->sha256 : "";
}

bool takes_stores_disk(const plan::FetchModel& model, const Task& task) {
    if (digest_for_store(model, task).empty()) return false;
    const auto* own = task.context.store();
    return own != nullptr && own->is_on_another_disk && own->store.is_writable();
}

bool link_from_store(const download::StoredFile& file, const fs::path& target, const Task& task) {
    auto* own = task.context.store();
    const auto linked = own->store.link(file, target, own->user, task.stop);
    if (linked && linked->kind == LinkKind::copy && task.context.told.is_new(own->store.path()))
        task.notice(fmt::format(
            "copied from {}, since its file system and the root's know no links between them: each "
            "root has its own bytes",
            own->store.path().string()));
    return linked.has_value();
}

bool place_through_store(const download::Store::Verified& file, const fs::path& target,
                         const Task& task) {
    auto* own = task.context.store();
    if (own == nullptr || !own->store.is_writable()) return false;
    download::StoredFile stored;
    try {
        stored = own->store.take(file, task.stop);
    } catch (const Error& error) {
        // A store that is full keeps nobody from his model.
        if (error.kind() != ErrorKind::io) throw;
        task.notice(fmt::format("not in the store: {}", error.message()));
        return false;
    }
    if (link_from_store(stored, target, task)) return true;
    throw Error{ErrorKind::io,
                fmt::format("{} has gone from the store before it was linked",
                            own->store.path_of(stored.sha256).string()),
                "run it again; is `podctl store prune` at work there?"};
}

void adopt_models(const plan::Plan& plan, Context& context) {
    auto* own = context.store();
    if (own == nullptr || own->is_on_another_disk || !own->store.is_writable()) return;
    for (const auto& step : plan.steps) {
        try {
            for (const auto& [path, facts] : known_copies(step, context))
                own->store.adopt(path, facts.sha256, {*facts.size, *facts.mtime_ns}, own->user);
        } catch (const Error& error) {
            context.notice(step.id, fmt::format("not in the store: {}", error.message()));
        }
    }
}

}  // namespace podctl::run
