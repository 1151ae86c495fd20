#pragma once

#include "podctl/download/download.hpp"
#include "podctl/http/http.hpp"

#include "control_file.hpp"
#include "range_response.hpp"
#include "range_set.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace podctl::download {

// What is known of a file at its source: by what it is recognized, how long it is, whether its
// server sends parts of it, and where its bytes are asked for. Pure: it learns from the answers
// that it is shown, and says what to ask next.
class Known {
public:
    // `url`: the request's, after mirrors. The request has to outlive it.
    Known(const DownloadRequest& request, std::string url);

    // What the control file keeps.
    const Validators& validators() const { return validators_; }
    // A rest can be told to be of the same file.
    bool is_identified() const { return identifies(validators_); }
    // An answer has said something of the file, or an earlier call's record has.
    bool is_described() const { return !validators_.source.empty(); }
    // What an earlier call left is surely of the file that is asked for.
    bool covers(const ControlFile::Content& earlier) const;
    void recall(const Validators& earlier) { validators_ = earlier; }
    void set_size(std::uint64_t size) { validators_.size = size; }
    // The bytes that are there are of another file. Where it is asked for stays.
    void forget() { validators_ = {}; }

    // From an answer of kind `take`: what the first one says of the file, and each later one adds.
    void learn(const http::Response& response, Asked::Range range);

    enum class Ranges { unknown, yes, no };
    Ranges ranges() const { return ranges_; }
    void give_up_ranges() { ranges_ = Ranges::no; }
    // Behind one name there may be servers that send parts and servers that do not. True, once: a
    // wrong part may be such a server's, so another one is to be asked.
    bool excuse_wrong_part();

    // How the bytes of `span` are asked for: where the first answer came from, since a hub counts
    // every question towards its rate limit; by their range, unless they are the whole file; and of
    // no other file than the one that is known (If-Range).
    http::Request request_for(ByteSpan span) const;
    Asked asked_for(ByteSpan span) const;

    const std::string& url() const { return url_; }
    // It came from another origin than the one that was asked.
    bool is_elsewhere(const http::Response& response) const;
    // Where the bytes come from is known: asking for more of them puts no question to a hub.
    bool has_address() const { return address_.has_value(); }
    void forget_address() { address_.reset(); }
    // Whether `status` says that the signed address `url` is over. Then `url()` is asked for
    // another one, once, however many answers say it.
    bool has_expired(const std::string& url, int status);
    // True, a few times: a file that the hub does not find may be there after all.
    bool excuse_missing(int status);

private:
    bool identifies(const Validators& validators) const;
    bool is_to_the_end(ByteSpan span) const;

    // Where the bytes come from. A signed one is valid for a while.
    struct Address {
        std::string url;
        http::Request::Reach reach = http::Request::Reach::anywhere;
    };

    const DownloadRequest& request_;
    const std::string url_;
    Validators validators_;
    Ranges ranges_ = Ranges::unknown;
    int wrong_parts_ = 0;
    int missing_answers_ = 0;
    std::optional<Address> address_;
};

}  // namespace podctl::download
