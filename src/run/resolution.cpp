#include "resolution.hpp"

#include <future>
#include <variant>

namespace podctl::run {
namespace {

std::string id_of(const fetch::Source& source) {
    return "resolution:" + source.text;
}

long long number(const std::string& text) {
    return text.empty() ? 0 : std::stoll(text);
}

bool is_plain_url(const fetch::Source& source) {
    return std::holds_alternative<fetch::UrlSource>(source.location);
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
    file.model_name = record->fact("model_name");
    file.model_id = number(record->fact("model_id"));
    file.version_id = number(record->fact("version_id"));
    return file;
}

void keep_resolution(const fetch::Source& source, const fetch::ResolvedFile& file,
                     Journal& journal) {
    // A plain URL says nothing that would have to be asked for.
    if (is_plain_url(source)) return;
    Record record{.fingerprint = source.text, .facts = {}};
    record.facts = {
        {"url", file.url},
        {"name", file.name},
        {"size", file.size ? std::to_string(*file.size) : ""},
        {"approximate_size", file.approximate_size ? std::to_string(*file.approximate_size) : ""},
        {"sha256", file.sha256},
        {"type", file.type},
        {"revision", file.revision},
        {"model_name", file.model_name},
        {"model_id", std::to_string(file.model_id)},
        {"version_id", std::to_string(file.version_id)}};
    if (journal.find(id_of(source)) != record) journal.put(id_of(source), record);
}

plan::Resolutions resolve_models(Context& context, std::stop_token stop) {
    plan::Resolutions known;
    std::map<std::string, std::future<std::optional<fetch::ResolvedFile>>> asked;
    for (const auto& model : context.pod.models) {
        const auto source = fetch::parse_source(model.source);
        // What a plain URL says needs no request.
        if (is_plain_url(source) || known.contains(source.text) || asked.contains(source.text))
            continue;
        if (!context.options.update || context.options.offline) {
            if (auto file = known_resolution(source, context.journal)) {
                known.emplace(source.text, std::move(*file));
                continue;
            }
        }
        if (context.options.offline) continue;
        asked.emplace(source.text, std::async(std::launch::async, [&context, source, stop] {
                          try {
                              return std::optional{fetch::resolve(
                                  source, context.http(), context.mirrors, {.attempts = 1}, stop)};
                          } catch (const Error&) {
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
