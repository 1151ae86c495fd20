#include "junit.hpp"

#include "podctl/base/printable.hpp"

#include "output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace podctl::cli {
namespace {

// printable() leaves nothing that XML 1.0 (§2.2) forbids, and nothing that the terminal obeys in
// which the file is looked at.
std::string xml_escaped(const std::string& text) {
    std::string out;
    for (const char c : printable(text)) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\n':
                out += "&#10;";
                break;
            case '\t':
                out += "&#9;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

struct Case {
    std::string name;
    std::vector<const event::SmokeFault*> faults = {};
    std::string output = {};
    bool skipped = false;
};

std::vector<Case> cases_of(const event::SmokeFinished& smoke,
                           const std::vector<comfy::SmokeNode>& nodes) {
    std::vector<Case> cases{{.name = "run"}};
    for (const auto& node : nodes) {
        Case one{.name = fmt::format("node {} ({})", node.id, node.class_type)};
        for (const auto& fault : smoke.faults)
            if (fault.node == node.id) one.faults.push_back(&fault);
        for (const auto& output : smoke.outputs)
            if (output.node == node.id && !output.url.empty()) one.output += output.url + "\n";
        one.skipped = one.faults.empty() && !smoke.faults.empty();
        cases.push_back(std::move(one));
    }
    // What belongs to no node of the workflow belongs to the run.
    for (const auto& fault : smoke.faults)
        if (std::ranges::find(nodes, fault.node, &comfy::SmokeNode::id) == nodes.end())
            cases.front().faults.push_back(&fault);
    return cases;
}

std::string failure_element(const std::vector<const event::SmokeFault*>& faults) {
    std::string body;
    for (const auto* fault : faults) {
        body += text_of(*fault) + "\n";
        if (!fault->hint.empty()) body += "hint: " + fault->hint + "\n";
        body += fault->details;
    }
    return fmt::format("<failure message=\"{}\" type=\"smoke\">{}</failure>",
                       xml_escaped(faults.front()->message), xml_escaped(body));
}

std::string element(const Case& one, double seconds) {
    std::string body;
    if (!one.faults.empty()) body += failure_element(one.faults);
    if (one.skipped) body += "<skipped message=\"the run failed\"/>";
    if (!one.output.empty())
        body += fmt::format("<system-out>{}</system-out>", xml_escaped(one.output));
    return fmt::format(
        "    <testcase classname=\"podctl.smoke\" name=\"{}\" time=\"{:.3f}\">{}"
        "</testcase>\n",
        xml_escaped(one.name), seconds, body);
}

}  // namespace

std::string junit_xml(const event::SmokeFinished& smoke, const std::vector<comfy::SmokeNode>& nodes,
                      std::chrono::milliseconds took) {
    const auto cases = cases_of(smoke, nodes);
    const double seconds = static_cast<double>(took.count()) / 1000;
    const auto failures =
        std::ranges::count_if(cases, [](const Case& it) { return !it.faults.empty(); });
    const auto skipped = std::ranges::count_if(cases, &Case::skipped);
    const std::string counts =
        fmt::format("tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"{:.3f}\"",
                    cases.size(), failures, skipped, seconds);
    std::string xml = fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {}>\n"
        "  <testsuite name=\"podctl smoke: {}\" {} timestamp=\"{}\">\n",
        counts, xml_escaped(smoke.workflow), counts, utc_now().substr(0, 19));
    for (const auto& one : cases)
        xml += element(one, &one == &cases.front() ? seconds : 0);
    return xml + "  </testsuite>\n</testsuites>\n";
}

}  // namespace podctl::cli
