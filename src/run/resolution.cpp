#include "resolution.hpp"

#include "podctl/base/error.hpp"

#include "facts.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <semaphore>
#include <variant>

namespace podctl::run {
namespace {

std::string id_of(const hub::Source& source) {
    return "resolution:" + source.text;
}

const hub::UrlSource* plain_url(const hub::Source& source) {
    return std::get_if<hub::UrlSource>(&source.location);
}

// Each answer may take as much memory as its limits allow (podctl/base/json.hpp).
constexpr std::ptrdiff_t most_at_once = 16;

class Turn {
public:
    using Turns = std::counting_semaphore<most_at_once>;
    explicit Turn(Turns& turns) : turns_{turns} { turns_.acquire(); }
    ~Turn() { turns_.release(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

private:
    Turns& turns_;
};

// A URL such as …/download?id=7 says nothing of the file's name; its server may.
bool says_a_name(const hub::UrlSource& url) {
    return std::filesystem::path{hub::describe(url).name}.has_extension();
}

bool is_worth_asking(const tmpl::Model& model, const hub::Source& source) {
    const auto* url = plain_url(source);
    return !url || (model.name.empty() && !model.unpack && !says_a_name(*url));
}

hub::ResolvedFile ask(const hub::Source& source, Context& context, std::stop_token stop) {
    const auto* url = plain_url(source);
    if (!url) return hub::resolve(source, context.http(), context.mirrors, {.attempts = 1}, stop);
    auto file = hub::describe(*url);
    const auto offer = hub::probe(url->url, context.http(), context.mirrors, stop);
    if (!offer.server_name.empty()) file.name = offer.server_name;
    file.approximate_size = offer.size;
    return file;
}

}  // namespace

std::optional<hub::ResolvedFile> known_resolution(const hub::Source& source,
                                                  const Journal& journal) {
    const auto known = whole_facts_in<ResolutionFacts>(journal.find(id_of(source)));
    if (!known || known->file.url.empty()) return std::nullopt;
    return known->file;
}

void keep_resolution(const hub::Source& source, const hub::ResolvedFile& file, Journal& journal) {
    // What a plain URL says by itself need not be kept.
    const auto* url = plain_url(source);
    if (url && file.name == hub::describe(*url).name) return;
    const Record record{.fingerprint = source.text, .facts = to_facts(ResolutionFacts{file})};
    if (journal.find(id_of(source)) != record) journal.put(id_of(source), record);
}

std::optional<hub::Folder> known_listing(const hub::Source& source, const Journal& journal) {
    const auto known = whole_facts_in<ListingFacts>(journal.find(id_of(source)));
    if (!known || !known->files) return std::nullopt;
    const auto& hub = std::get<hub::HuggingFaceSource>(source.location);
    hub::Folder folder{.revision = known->revision, .impossible = known->impossible};
    for (const auto& [path, size, sha256, git_blob] : *known->files)
        folder.files.push_back(
            hub::folder_file(hub, folder.revision, path, size, sha256, git_blob));
    return folder;
}

void keep_listing(const hub::Source& source, const hub::Folder& folder, Journal& journal) {
    std::vector<ListedFile> files;
    for (const auto& [path, file] : folder.files)
        files.push_back({path, *file.size, file.sha256, file.git_blob});
    const Record record{.fingerprint = source.text,
                        .facts = to_facts(ListingFacts{.revision = folder.revision,
                                                       .files = std::move(files),
                                                       .impossible = folder.impossible})};
    if (journal.find(id_of(source)) != record) journal.put(id_of(source), record);
}

namespace {

// What a hub says of each source, asked beside each other. What cannot be had now is told by the
// step, which tries with patience.
template <class Answer>
class Answers {
public:
    explicit Answers(Turn::Turns& turns) : turns_(turns) {}

    bool contains(const std::string& text) const {
        return known_.contains(text) || asked_.contains(text);
    }
    void know(const std::string& text, Answer answer) { known_.emplace(text, std::move(answer)); }
    void ask(const std::string& text, std::function<Answer()> question) {
        asked_.emplace(text, std::async(std::launch::async, [this, question = std::move(question)] {
                           const Turn turn{turns_};
                           try {
                               return Said{.answer = question()};
                           } catch (const std::exception& caught) {
                               return Said{.refusal = as_error(caught).message()};
                           }
                       }));
    }
    std::map<std::string, Answer> take(std::map<std::string, std::string>& refusals) {
        for (auto& [text, answer] : asked_) {
            auto said = answer.get();
            if (said.answer)
                known_.emplace(text, std::move(*said.answer));
            else
                refusals[text] = std::move(said.refusal);
        }
        return std::move(known_);
    }

private:
    struct Said {
        std::optional<Answer> answer = {};
        std::string refusal = {};
    };

    Turn::Turns& turns_;
    std::map<std::string, Answer> known_;
    std::map<std::string, std::future<Said>> asked_;
};

// Whether the hub is to be asked for a source that is not known.
bool may_resolve(const tmpl::Model& model, const hub::Source& source, Context& context) {
    if (context.options.offline) return false;
    if (context.may_ask(model.source, first_url_of(source))) return true;
    context.notice("", fmt::format("{}: not asked, since a variable's value stands in it or in its "
                                   "mirror; `up` will",
                                   model.key + ".source"));
    return false;
}

}  // namespace

Known resolve_models(Context& context, std::stop_token stop) {
    Turn::Turns turns{most_at_once};
    Answers<hub::ResolvedFile> files{turns};
    Answers<hub::Folder> folders{turns};
    const bool is_journal_enough = !context.options.update || context.options.offline;
    for (const auto& model : context.pod.models) {
        const auto source = hub::parse_source(model.source);
        if (!is_worth_asking(model, source) || files.contains(source.text) ||
            folders.contains(source.text))
            continue;
        const auto resolve = [&](auto& answers, auto known, auto question) {
            if (is_journal_enough && known) return answers.know(source.text, std::move(*known));
            if (may_resolve(model, source, context)) answers.ask(source.text, std::move(question));
        };
        if (hub::is_folder(source))
            resolve(folders, known_listing(source, context.journal), [&context, source, stop] {
                return hub::list_folder(source, context.http(), context.mirrors, {.attempts = 1},
                                        stop);
            });
        else
            resolve(files, known_resolution(source, context.journal),
                    [&context, source, stop] { return ask(source, context, stop); });
    }
    return {files.take(context.refusals), folders.take(context.refusals)};
}

std::string told_of_unknown(const hub::Source& source, const Context& context) {
    const auto refusal = context.refusals.find(source.text);
    if (refusal == context.refusals.end()) return source.text;
    const auto& why = refusal->second;
    return why.starts_with(source.text) ? why : source.text + ": " + why;
}

}  // namespace podctl::run
