#include "machine_checks.hpp"

namespace podctl::run {

const char* word_of(Finding::Grade grade) {
    switch (grade) {
        case Finding::Grade::ok:
            return "ok";
        case Finding::Grade::warn:
            return "warn";
        case Finding::Grade::fail:
            return "fail";
    }
    return "";
}

void Examination::throw_failures() const {
    std::string messages, remedies;
    for (const Finding& finding : findings_) {
        if (finding.grade != Finding::Grade::fail) continue;
        messages += (messages.empty() ? "" : "\n") + finding.message;
        remedies += (remedies.empty() ? "" : "\n") + finding.remedy;
    }
    if (!messages.empty()) throw Error{ErrorKind::preflight, messages, remedies};
}

}  // namespace podctl::run
