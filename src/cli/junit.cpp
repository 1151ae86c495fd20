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
    std::chrono::milliseconds took{0};
    std::vector<const event::WorkflowFault*> faults = {};
    std::string output = {};
    std::string skipped = {};  // why
};

bool is_of(const event::WorkflowFault& fault, const std::string& node) {
    return fault.node == node || std::ranges::find(fault.also, node) != fault.also.end();
}

Case case_of(const event::WorkflowNode& node, const event::WorkflowFinished& smoke) {
    Case one{.name = fmt::format("node {} ({})", node.id, node.class_type), .took = node.took};
    for (const auto& fault : smoke.faults)
        if (is_of(fault, node.id)) one.faults.push_back(&fault);
    for (const auto& output : smoke.outputs)
        if (output.node == node.id && !output.url.empty()) one.output += output.url + "\n";
    if (one.faults.empty() && node.state == event::WorkflowNode::State::not_run)
        one.skipped = smoke.faults.empty() ? "nothing needed it" : "the run failed before it";
    if (node.state == event::WorkflowNode::State::cached)
        one.output += "its result was one of an earlier prompt\n";
    return one;
}

std::vector<Case> cases_of(const event::WorkflowFinished& smoke, std::chrono::milliseconds took) {
    std::vector<Case> cases{{.name = "run", .took = took}};
    for (const auto& fault : smoke.faults)
        cases.front().faults.push_back(&fault);
    for (const auto& node : smoke.nodes)
        cases.push_back(case_of(node, smoke));
    return cases;
}

std::string failure_element(const std::vector<const event::WorkflowFault*>& faults) {
    std::string body;
    for (const auto* fault : faults) {
        body += text_of(*fault) + "\n";
        if (!fault->hint.empty()) body += "hint: " + fault->hint + "\n";
        body += fault->details;
    }
    return fmt::format("<failure message=\"{}\" type=\"smoke\">{}</failure>",
                       xml_escaped(faults.front()->message), xml_escaped(body));
}

double seconds_of(std::chrono::milliseconds time) {
    return static_cast<double>(time.count()) / 1000;
}

std::string element(const Case& one) {
    std::string body;
    if (!one.faults.empty()) body += failure_element(one.faults);
    if (!one.skipped.empty()) body += fmt::format("<skipped message=\"{}\"/>", one.skipped);
    if (!one.output.empty())
        body += fmt::format("<system-out>{}</system-out>", xml_escaped(one.output));
    return fmt::format(
        "    <testcase classname=\"podctl.smoke\" name=\"{}\" time=\"{:.3f}\">{}"
        "</testcase>\n",
        xml_escaped(one.name), seconds_of(one.took), body);
}

}  // namespace

std::string junit_xml(const event::WorkflowFinished& smoke, std::chrono::milliseconds took) {
    const auto cases = cases_of(smoke, took);
    const auto failures =
        std::ranges::count_if(cases, [](const Case& it) { return !it.faults.empty(); });
    const auto skipped =
        std::ranges::count_if(cases, [](const Case& it) { return !it.skipped.empty(); });
    const std::string counts =
        fmt::format("tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"{:.3f}\"",
                    cases.size(), failures, skipped, seconds_of(took));
    std::string xml = fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {}>\n"
        "  <testsuite name=\"podctl smoke: {}\" {} timestamp=\"{}\">\n",
        counts, xml_escaped(smoke.workflow), counts, utc_now().substr(0, 19));
    for (const auto& one : cases)
        xml += element(one);
    return xml + "  </testsuite>\n</testsuites>\n";
}

}  // namespace podctl::cli
