#include "wheel_record.hpp"

#include "podctl/base/digest.hpp"

#include <algorithm>
#include <utility>

namespace podctl::python {

std::string record_digest(const std::filesystem::path& file, std::stop_token stop) {
    const std::string hex = sha256_file(file, std::move(stop));
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    std::string text = base64(bytes);
    std::ranges::replace(text, '+', '-');
    std::ranges::replace(text, '/', '_');
    return text.substr(0, text.find('='));
}

}  // namespace podctl::python
