#pragma once

#include "podctl/python/python.hpp"

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

// What others have done to an environment: ComfyUI-Manager installs at ComfyUI's start, people by
// hand. What podctl's own steps leave there (install.py among them) is noted in the environment,
// and is no drift.
namespace podctl::python {

struct Drift {
    // Of the lock's packages, for people.
    std::vector<std::string> replaced = {};  // "numpy 1.26.4 in place of 2.4.6"
    std::vector<std::string> gone = {};      // "gguf is gone"
    std::vector<std::string> changed = {};   // "einops: einops/einops.py was changed"
    std::vector<std::string> more = {};      // packages beside the lock's: "piexif 1.1.3"
    std::vector<std::string> damaged = {};   // the names of those whose files were changed

    std::vector<std::string> broken() const;  // all of it but `more`
};

// `names` reads the list of site-packages alone; `contents` also holds every file of the lock's
// packages against the RECORD that its installer wrote (PEP 376), gigabytes where torch is one.
enum class DriftCheck { names, contents };

// Throws Error{interrupted}, Error{io}.
Drift find_drift(const std::filesystem::path& environment, const Lock& lock, DriftCheck check,
                 std::stop_token stop);

// Notes that what stands there now is as it should be: install.py patches packages, and two wheels
// may have a file in common. Throws as find_drift().
void accept_drift(const std::filesystem::path& environment, const Lock& lock, DriftCheck check,
                  std::stop_token stop);

// uv links an environment's files from its cache, so what was changed in place was changed there:
// it is to fetch these packages anew. pip copies. Throws Error{python}, Error{interrupted}.
void forget_cached(const std::vector<std::string>& packages, const Installer& installer,
                   const Settings& settings, std::stop_token stop);

}  // namespace podctl::python
