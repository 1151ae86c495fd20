#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/machine/machine.hpp"

#include <algorithm>
#include <vector>

namespace podctl::machine {

namespace fs = std::filesystem;

// version has the driver's; gpus/<bus address>/information has a line "Model: 	NVIDIA …". The other
// lines (IRQ, bus address) differ from host to host.
std::string gpu_stamp(const fs::path& driver) {
    std::vector<std::string> models;
    std::error_code failed;
    for (fs::directory_iterator at{driver / "gpus", failed}, end; !failed && at != end;
         at.increment(failed)) {
        for (const std::string& line :
             split(read_file_if_exists(at->path() / "information").value_or(""), '\n')) {
            if (line.starts_with("Model:")) models.emplace_back(trim(line.substr(6)));
        }
    }
    std::ranges::sort(models);
    std::string stamp = read_file_if_exists(driver / "version").value_or("");
    for (const std::string& model : models)
        stamp += model + "\n";
    return stamp;
}

}  // namespace podctl::machine
