#include "context.hpp"

#include "podctl/base/file.hpp"
#include "podctl/base/process_stat.hpp"
#include "podctl/base/secret_names.hpp"
#include "podctl/git/git.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace podctl::run {

namespace fs = std::filesystem;

namespace {

// What packs fetch when they run lies on the volume, so that the next pod has it, too: by default
// it would be in the home folder. The variables are huggingface_hub's and torch.hub's.
constexpr std::array<std::pair<const char*, const char*>, 2> caches_of_packs{
    {{"HF_HOME", "huggingface"}, {"TORCH_HOME", "torch"}}};

// Where podctl's own tokens belong, and the registry of nodes.
bool is_hub(const Url& url) {
    static constexpr std::array<std::string_view, 5> origins{
        "https://civitai.com:443", "https://civitai.red:443", "https://huggingface.co:443",
        "https://api.comfy.org:443", "https://github.com:443"};
    return std::ranges::find(origins, url.origin()) != origins.end();
}

// What a model's source is called once it is parsed: without the token of its query.
std::string source_text_of(const std::string& value) {
    try {
        return hub::parse_source(value).text;
    } catch (const Error&) {
        return value;
    }
}

}  // namespace

python::Interpreter Pythons::interpreter(const std::string& wanted, std::stop_token stop,
                                         const std::optional<python::Caution>& caution) {
    const std::scoped_lock lock{mutex_};
    const auto it = interpreters_.find(wanted);
    if (it != interpreters_.end()) return it->second;
    return interpreters_.emplace(wanted, python::find_interpreter(wanted, stop, caution))
        .first->second;
}

python::Installer Pythons::installer(python::InstallerChoice choice,
                                     const python::Interpreter& interpreter, const fs::path& tools,
                                     const python::Settings& settings, std::stop_token stop) {
    const std::scoped_lock lock{mutex_};
    const auto it = installers_.find(choice);
    if (it != installers_.end()) return it->second;
    auto installer = python::find_installer(choice, interpreter, tools, settings, stop);
    return installers_.emplace(choice, std::move(installer)).first->second;
}

void Pythons::put_fresh(const fs::path& environment) {
    const std::scoped_lock lock{mutex_};
    fresh_.insert(environment);
}

bool Pythons::take_fresh(const fs::path& environment) {
    const std::scoped_lock lock{mutex_};
    return fresh_.erase(environment) > 0;
}

bool Told::was_told(const fs::path& about) const {
    const std::scoped_lock lock{mutex_};
    return about_.contains(about);
}

bool Told::is_new(const fs::path& about) {
    const std::scoped_lock lock{mutex_};
    return about_.insert(about).second;
}

http::Client& Context::http() {
    std::call_once(http_once_, [this] {
        http::Options http;
        // A template's own mirror is asked without a token until `up` is said (spec §6).
        http.credentials =
            credentials_of(secrets, is_look() ? Mirrors{pod.users_mirrors} : mirrors);
        for (const auto& [from, to] : mirrors.prefixes())
            http.own_places.push_back(to);
        http.insecure_http = options.insecure_http;
        http.connections = options.connections;
        http.limit_rate = options.limit_rate;
        http_ = std::make_unique<http::Client>(std::move(http));
    });
    return *http_;
}

download::Downloader& Context::downloader() {
    std::call_once(downloader_once_, [this] {
        downloader_ = std::make_unique<download::Downloader>(http(), mirrors, cache_room_);
    });
    return *downloader_;
}

void Context::read_ahead(std::span<const fs::path> files) {
    if (files.empty() || !options.will_launch || is_look()) return;
    std::call_once(ahead_once_, [this] { ahead_ = std::make_unique<ReadAhead>(cache_room_); });
    ahead_->add(files);
}

ModelStore* Context::store() {
    std::call_once(store_once_, [this] {
        if (!options.store.empty()) store_ = open_model_store(*this);
    });
    return store_.get();
}

const machine::Gpus& Context::gpus() {
    std::call_once(gpus_once_, [this] { gpus_ = machine::inspect_gpus(); });
    return gpus_;
}

std::map<std::string, std::string> Context::child_environment() const {
    auto environment = git::child_environment(mirrors);
    // Their own default is below it.
    constexpr const char* all_caches = "XDG_CACHE_HOME";
    const bool has_place = std::getenv(all_caches) || pod.pod.env.contains(all_caches);
    for (const auto& [name, folder] : caches_of_packs)
        if (!has_place && std::getenv(name) == nullptr)
            environment[name] = (places.root / ".cache" / folder).string();
    for (const auto& [name, value] : pod.pod.env)
        environment[name] = value;
    for (const auto& [name, value] : child_mark(places.own))
        environment[name] = value;
    return environment;
}

std::map<std::string, std::string> Context::build_environment() const {
    auto environment = child_environment();
    for (const auto& name : pod.pod.secret_env) {
        const bool setting = name.starts_with("PIP_") || name.starts_with("UV_");
        if (!setting || names_a_secret(name)) environment.erase(name);
    }
    for (const auto& name : pod.python.build_secrets) {
        const auto found = secrets.values.find(name);
        if (found != secrets.values.end()) environment[name] = found->second.reveal();
    }
    return environment;
}

std::optional<python::Caution> Context::caution() const {
    if (!is_look()) return std::nullopt;
    return python::Caution{.foreign = {places.root, pod.pod.volume.mount}};
}

bool Context::may_ask(const std::string& text, const std::string& url) const {
    if (!is_look()) return true;
    const std::string target = mirrors.apply(url);
    const bool tainted = std::ranges::any_of(pod.from_environment, [&](const std::string& value) {
        const bool of_mirror = value.find("://") != std::string::npos && target.starts_with(value);
        return value == text || source_text_of(value) == text || of_mirror;
    });
    if (!tainted) return true;
    const auto parsed = parse_url(target);
    if (target == url && parsed && is_hub(*parsed)) return true;
    return std::ranges::any_of(pod.users_mirrors, [&](const auto& mirror) {
        return url.starts_with(mirror.first) && target.starts_with(mirror.second);
    });
}

void Task::progress(std::uint64_t done, std::optional<std::uint64_t> total,
                    const char* unit) const {
    if (on_part) return on_part(done);
    context.events.emit(event::StepProgress{step.id, done, total, unit});
}

http::RetryPolicy told_retries(const std::string& step, EventSink& events) {
    http::RetryPolicy policy;
    policy.on_retry = [&events, step](int attempt, std::chrono::milliseconds wait,
                                      const std::string& reason) {
        events.emit(event::StepRetrying{step, attempt, wait, reason});
    };
    return policy;
}

http::RetryPolicy Task::retry() const {
    return told_retries(step.id, context.events);
}

fs::path new_folder_of_replaced(const fs::path& path, const Context& context) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto stamp = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
    return context.places.replaced_of(path) / std::to_string(stamp);
}

fs::path move_aside(const fs::path& path, const std::string& step, Context& context) {
    const fs::path target = new_folder_of_replaced(path, context) / path.filename();
    create_folders(target.parent_path());
    rename_durably(path, target);
    context.notice(step, fmt::format("{} is now in {}", path.string(), target.string()));
    return target;
}

}  // namespace podctl::run
