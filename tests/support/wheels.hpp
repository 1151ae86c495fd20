#pragma once

#include "support/http_server.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace podctl::test {

// A wheel of a pure Python package with one module, which knows its version.
struct Wheel {
    std::string name;
    std::string version;
    std::vector<std::string> dependencies = {};     // Requires-Dist
    std::map<std::string, std::string> files = {};  // further files, by path in the wheel
    std::string requires_python = {};               // ">=3.13"; empty: any
};

// Writes it into `folder` under the name that installers expect; returns its path.
std::filesystem::path write_wheel(const std::filesystem::path& folder, const Wheel& wheel);

// A package index (PEP 503) in a folder: a folder per project with its wheels and an index.html.
// Served by file:// or, with serve_index, by HTTP.
void write_index(const std::filesystem::path& folder, const std::vector<Wheel>& wheels);
// Adds a project of which the index has the source alone (a tar.gz with its metadata, PEP 643).
void write_source(const std::filesystem::path& index, const std::string& name,
                  const std::string& version);
HttpServer::Handler serve_index(const std::filesystem::path& folder);

}  // namespace podctl::test
