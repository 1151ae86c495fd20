#include "stop_filter.hpp"

#include "contact.hpp"
#include "library.hpp"

#include <git2/sys/errors.h>
#include <git2/sys/filter.h>

namespace podctl::git {
namespace {

// It filters nothing.
int end_at_a_stop(git_filter*, void**, const git_filter_source*, const char**) {
    const Contact* contact = Contact::current();
    if (contact == nullptr || !contact->stop_requested()) return GIT_PASSTHROUGH;
    git_error_set_str(GIT_ERROR_CHECKOUT, "interrupted");
    return GIT_EUSER;
}

}  // namespace

void register_stop_filter() {
    static git_filter filter{};
    git_filter_init(&filter, GIT_FILTER_VERSION);
    filter.check = &end_at_a_stop;
    git::check(git_filter_register("podctl-stop", &filter, 0), "libgit2's filters");
}

}  // namespace podctl::git
