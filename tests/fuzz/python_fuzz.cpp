// Requirement files of packs, in any encoding, their lines, and what installers say of them.
#include "podctl/base/error.hpp"
#include "podctl/base/utf8.hpp"

#include "conflict_chain.hpp"
#include "decode.hpp"
#include "environment_mark.hpp"
#include "marker.hpp"
#include "requirement.hpp"
#include "specifier.hpp"
#include "support.hpp"

namespace {

using namespace podctl;
using namespace podctl::python;
using fuzz::expect;

void read_a_file(std::string_view input) {
    const auto file = fuzz::scratch().file("requirements.txt", input);
    for (const auto& line : read_source({.file = file, .lines = {}, .label = "pack"}))
        expect(line.line > 0 && line.text.find('\n') == std::string::npos);
}

void read_a_line(std::string_view input) {
    for (const auto& line :
         read_lines({std::string(input)}, "template", Requirement::Kind::requirement)) {
        marker_of(line.text);
        expect(line.file.empty());
    }
}

void read_a_specifier(std::string_view input) {
    const auto specifier = parse_specifier(input);
    if (specifier.form == Specifier::Form::named) expect(!specifier.name.empty());
    marker_may_hold(input);
}

void decode(std::string_view input) {
    if (const auto text = decode_text(input)) expect(utf8::is_valid(*text));
}

void read_what_an_installer_says(std::string_view said) {
    ResolutionInput input;
    input.requirements =
        read_lines({"numpy<2", "torch==2.4", "pillow"}, "pack", Requirement::Kind::requirement);
    const auto reasons = read_reasons(said, input);
    for (const auto& name : reasons.depended_on)
        expect(std::find(reasons.packages.begin(), reasons.packages.end(), name) !=
               reasons.packages.end());
}

void read_an_environments_mark(std::string_view input) {
    fuzz::scratch().file(".podctl-environment", input);
    read_mark(fuzz::scratch().folder());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static constexpr void (*readers[])(std::string_view) = {read_a_file,
                                                            read_a_line,
                                                            read_a_specifier,
                                                            decode,
                                                            read_what_an_installer_says,
                                                            read_an_environments_mark};
    try {
        fuzz::dispatch(readers, data, size);
    } catch (const Error& error) {
        expect(error.kind() != ErrorKind::internal);
    }
    return 0;
}
