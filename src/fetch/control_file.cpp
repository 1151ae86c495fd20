#include "control_file.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include <cerrno>

namespace podctl::fetch {

using nlohmann::json;

std::filesystem::path control_path(const std::filesystem::path& partial) {
    auto path = partial;
    path += ".json";
    return path;
}

std::optional<ControlFile> load_control(const std::filesystem::path& partial) {
    const auto text = read_file_if_exists(control_path(partial));
    if (!text) return std::nullopt;
    const auto object = json::parse(*text, nullptr, false);
    if (!object.is_object()) return std::nullopt;
    const auto text_at = [&](const char* key) {
        const auto found = object.find(key);
        return found != object.end() && found->is_string() ? found->get<std::string>()
                                                           : std::string{};
    };
    ControlFile control{.source = text_at("source"),
                        .expected_sha256 = text_at("expected_sha256"),
                        .etag = text_at("etag"),
                        .last_modified = text_at("last_modified"),
                        .server_name = text_at("server_name")};
    const auto size = object.find("size");
    if (size != object.end() && size->is_number_unsigned())
        control.size = size->get<std::uint64_t>();
    return control;
}

void save_control(const std::filesystem::path& partial, const ControlFile& control) {
    json object{{"source", control.source},
                {"expected_sha256", control.expected_sha256},
                {"etag", control.etag},
                {"last_modified", control.last_modified},
                {"server_name", control.server_name}};
    if (control.size) object["size"] = *control.size;
    // A server's header need not be UTF-8.
    write_file_atomically(control_path(partial),
                          object.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
}

void remove_control(const std::filesystem::path& partial) {
    const auto path = control_path(partial);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
        throw system_error("removing " + path.string(), errno);
}

}  // namespace podctl::fetch
