#pragma once

#include "podctl/template/load.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace podctl::tmpl::test {

inline Environment environment(std::map<std::string, std::string> variables = {}) {
    return
        [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
            const auto found = variables.find(name);
            return found == variables.end() ? std::nullopt : std::optional(found->second);
        };
}

// Two lines that every template needs; what a test adds begins on line 3.
inline std::string with_head(const std::string& yaml) {
    return "apiVersion: podctl/v1\nname: pod\n" + yaml;
}

inline LoadOptions options(std::map<std::string, std::string> variables = {},
                           std::vector<std::string> set = {}) {
    return {.set = std::move(set), .environment = environment(std::move(variables))};
}

inline Template parse(const std::string& yaml, const LoadOptions& given = options()) {
    return parse_template(with_head(yaml), "pod.yaml", given);
}

// Every diagnostic of a text, a line each; empty: there is nothing wrong with it.
inline std::vector<std::string> faults_of_text(const std::string& text,
                                               const LoadOptions& given = options()) {
    std::vector<std::string> lines;
    try {
        parse_template(text, "pod.yaml", given);
    } catch (const TemplateError& error) {
        for (const auto& diagnostic : error.diagnostics())
            lines.push_back(diagnostic.to_string());
    }
    return lines;
}

inline std::vector<std::string> faults(const std::string& yaml,
                                       const LoadOptions& given = options()) {
    return faults_of_text(with_head(yaml), given);
}

}  // namespace podctl::tmpl::test
