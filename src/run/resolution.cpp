#include "resolution.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <future>
#include <semaphore>
#include <variant>

namespace podctl::run {
namespace {

std::string id_of(const fetch::Source& source) {
    return "resolution:" + source.text;
}

long long number(const std::string& text) {
    return text.empty() ? 0 : std::stoll(text);
}

const fetch::UrlSource* plain_url(const fetch::Source& source) {
    return std::get_if<fetch::UrlSource>(&source.location);
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
bool says_a_name(const fetch::UrlSource& url) {
    return std::filesystem::path{fetch::describe(url).name}.has_extension();
}

bool is_worth_asking(const tmpl::Model& model, const fetch::Source& source) {
    const auto* url = plain_url(source);
    return !url || (model.name.empty() && !model.unpack && !says_a_name(*url));
}

fetch::ResolvedFile ask(const fetch::Source& source, Context& context, std::stop_token stop) {
    const auto* url = plain_url(source);
    if (!url) return fetch::resolve(source, context.http(), context.mirrors, {.attempts = 1}, stop);
    auto file = fetch::describe(*url);
    const auto offer = fetch::probe(url->url, context.http(), context.mirrors, stop);
    if (!offer.server_name.empty()) file.name = offer.server_name;
    file.approximate_size = offer.size;
    return file;
}

}  // namespace

std::optional<fetch::ResolvedFile> known_resolution(const fetch::Source& source,
                                                    const Journal& journal) {
    const auto record = journal.find(id_of(source));
    if (!record || record->fact("url").empty()) return std::nullopt;
    fetch::ResolvedFile file;
    file.url = record->fact("url");
    file.name = record->fact("name");
    if (!record->fact("size").empty()) file.size = std::stoull(record->fact("size"));
    if (!record->fact("approximate_size").empty())
        file.approximate_size = std::stoull(record->fact("approximate_size"));
    file.sha256 = record->fact("sha256");
    file.type = record->fact("type");
    file.revision = record->fact("revision");
    file.verdict = record->fact("verdict");
    file.model_name = record->fact("model_name");
    file.model_id = number(record->fact("model_id"));
    file.version_id = number(record->fact("version_id"));
    return file;
}

void keep_resolution(const fetch::Source& source, const fetch::ResolvedFile& file,
                     Journal& journal) {
    // What a plain URL says by itself need not be kept.
    const auto* url = plain_url(source);
    if (url && file.name == fetch::describe(*url).name) return;
    Record record{.fingerprint = source.text, .facts = {}};
    record.facts = {
        {"url", file.url},
        {"name", file.name},
        {"size", file.size ? std::to_string(*file.size) : ""},
        {"approximate_size", file.approximate_size ? std::to_string(*file.approximate_size) : ""},
        {"sha256", file.sha256},
        {"type", file.type},
        {"revision", file.revision},
        {"verdict", file.verdict},
        {"model_name", file.model_name},
        {"model_id", std::to_string(file.model_id)},
        {"version_id", std::to_string(file.version_id)}};
    if (journal.find(id_of(source)) != record) journal.put(id_of(source), record);
}

plan::Resolutions resolve_models(Context& context, std::stop_token stop) {
    plan::Resolutions known;
    Turn::Turns turns{most_at_once};
    std::map<std::string, std::future<std::optional<fetch::ResolvedFile>>> asked;
    for (const auto& model : context.pod.models) {
        const auto source = fetch::parse_source(model.source);
        if (!is_worth_asking(model, source) || known.contains(source.text) ||
            asked.contains(source.text))
            continue;
        if (!context.options.update || context.options.offline) {
            if (auto file = known_resolution(source, context.journal)) {
                known.emplace(source.text, std::move(*file));
                continue;
            }
        }
        if (context.options.offline) continue;
        if (!context.may_ask(model.source, first_url_of(source))) {
            context.notice("",
                           fmt::format("{}: not asked, since a variable's value stands in it or "
                                       "in its mirror; `up` will",
                                       model.key + ".source"));
            continue;
        }
        asked.emplace(source.text, std::async(std::launch::async, [&context, &turns, source, stop] {
                          const Turn turn{turns};
                          try {
                              return std::optional{ask(source, context, stop)};
                          } catch (const std::exception&) {
                              // Told by the step, which tries with patience.
                              return std::optional<fetch::ResolvedFile>{};
                          }
                      }));
    }
    for (auto& [text, answer] : asked) {
        if (auto file = answer.get()) known.emplace(text, std::move(*file));
    }
    return known;
}

}  // namespace podctl::run
