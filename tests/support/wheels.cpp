#include "support/wheels.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/url.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

namespace podctl::test {

namespace {

enum class Format { zip, tar_gz };

void write_archive(Format format, const std::filesystem::path& path,
                   const std::vector<std::pair<std::string, std::string>>& files) {
    const std::unique_ptr<archive, decltype(&archive_write_free)> zip{archive_write_new(),
                                                                      &archive_write_free};
    switch (format) {
        case Format::zip:
            archive_write_set_format_zip(zip.get());
            break;
        case Format::tar_gz:
            archive_write_set_format_pax_restricted(zip.get());
            archive_write_add_filter_gzip(zip.get());
            break;
    }
    if (archive_write_open_filename(zip.get(), path.c_str()) != ARCHIVE_OK) {
        throw std::runtime_error(archive_error_string(zip.get()));
    }
    for (const auto& [name, content] : files) {
        const std::unique_ptr<archive_entry, decltype(&archive_entry_free)> entry{
            archive_entry_new(), &archive_entry_free};
        archive_entry_set_pathname(entry.get(), name.c_str());
        archive_entry_set_size(entry.get(), static_cast<la_int64_t>(content.size()));
        archive_entry_set_filetype(entry.get(), AE_IFREG);
        const bool is_program = name.find(".data/scripts/") != std::string::npos;
        archive_entry_set_perm(entry.get(), is_program ? 0755 : 0644);
        archive_write_header(zip.get(), entry.get());
        archive_write_data(zip.get(), content.data(), content.size());
    }
    if (archive_write_close(zip.get()) != ARCHIVE_OK) {
        throw std::runtime_error(archive_error_string(zip.get()));
    }
}

std::string escaped(std::string name) {
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
}

// As RECORD has it (PEP 376): base64 for URLs, without padding.
std::string url_digest(const std::string& content) {
    std::string text = sha256_base64(content);
    std::ranges::replace(text, '+', '-');
    std::ranges::replace(text, '/', '_');
    return text.substr(0, text.find('='));
}

}  // namespace

std::filesystem::path write_wheel(const std::filesystem::path& folder, const Wheel& wheel) {
    const std::string stem = fmt::format("{}-{}", escaped(wheel.name), wheel.version);
    const std::string info = stem + ".dist-info/";
    std::string metadata =
        fmt::format("Metadata-Version: 2.1\nName: {}\nVersion: {}\n", wheel.name, wheel.version);
    for (const std::string& dependency : wheel.dependencies) {
        metadata += fmt::format("Requires-Dist: {}\n", dependency);
    }
    if (!wheel.requires_python.empty())
        metadata += fmt::format("Requires-Python: {}\n", wheel.requires_python);
    std::vector<std::pair<std::string, std::string>> files = {
        {escaped(wheel.name) + ".py", fmt::format("__version__ = '{}'\n", wheel.version)},
        {info + "METADATA", metadata},
        {info + "WHEEL",
         "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}};
    files.insert(files.end(), wheel.files.begin(), wheel.files.end());
    std::string record = info + "RECORD,,\n";
    for (const auto& [name, content] : files)
        record += fmt::format("{},sha256={},{}\n", name, url_digest(content), content.size());
    files.emplace_back(info + "RECORD", record);

    create_folders(folder);
    const auto path = folder / (stem + "-py3-none-any.whl");
    write_archive(Format::zip, path, files);
    return path;
}

namespace {

using Attributes = std::map<std::string, std::string>;  // of a link, by file

// The page of a project: a link to each of its files, with its digest as indexes give it.
void write_page(const std::filesystem::path& project, const Attributes& attributes = {}) {
    std::string page = "<!DOCTYPE html><html><body>\n";
    for (const auto& entry : std::filesystem::directory_iterator(project)) {
        const auto file = entry.path().filename().string();
        if (!file.ends_with(".whl") && !file.ends_with(".tar.gz")) continue;
        const auto more = attributes.find(file);
        page += fmt::format("<a href=\"{}#sha256={}\"{}>{}</a>\n", percent_encode(file),
                            sha256_file(entry.path()), more == attributes.end() ? "" : more->second,
                            file);
    }
    write_file_atomically(project / "index.html", page + "</body></html>\n");
}

}  // namespace

void write_index(const std::filesystem::path& folder, const std::vector<Wheel>& wheels) {
    Attributes attributes;
    for (const Wheel& wheel : wheels) {
        const auto written = write_wheel(folder / wheel.name, wheel);
        if (!wheel.requires_python.empty()) {
            std::string text = wheel.requires_python;
            if (text.starts_with('>')) text.replace(0, 1, "&gt;");
            attributes[written.filename().string()] =
                fmt::format(" data-requires-python=\"{}\"", text);
        }
        write_page(folder / wheel.name, attributes);
    }
}

void write_source(const std::filesystem::path& index, const std::string& name,
                  const std::string& version) {
    const std::string stem = fmt::format("{}-{}", escaped(name), version);
    const std::string metadata =
        fmt::format("Metadata-Version: 2.2\nName: {}\nVersion: {}\n", name, version);
    create_folders(index / name);
    write_archive(Format::tar_gz, index / name / (stem + ".tar.gz"),
                  {{stem + "/PKG-INFO", metadata},
                   {stem + "/pyproject.toml",
                    fmt::format("[build-system]\nrequires = []\nbuild-backend = \"none\"\n"
                                "[project]\nname = \"{}\"\nversion = \"{}\"\n",
                                name, version)}});
    write_page(index / name);
}

HttpServer::Handler serve_index(const std::filesystem::path& folder) {
    return [files = serve_folder(folder.string())](const Request& request) {
        Response response = files(request);
        // pip takes a page as an index by its type only.
        if (request.path.ends_with('/')) response.headers.emplace_back("Content-Type", "text/html");
        return response;
    };
}

}  // namespace podctl::test
