#include "document.hpp"

#include "text_fault.hpp"
#include "yaml_fault.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <istream>
#include <streambuf>
#include <unordered_map>
#include <utility>

namespace podctl::tmpl {
namespace {

// Ends the reading of a document; becomes a diagnostic.
struct YamlFault {
    Place place;
    std::string message;
};

// What a value costs when an alias repeats it.
struct Weight {
    std::size_t nodes = 1;
    std::size_t text = 0;
    std::size_t height = 1;
};

struct Anchored {
    Value value;
    Weight weight;
};

struct Frame {
    Value value;
    Weight weight;
    YAML::anchor_t anchor = YAML::NullAnchor;
    // A mapping between a key and its value:
    bool has_key = false;
    bool merges = false;  // the key is <<
    std::string key = {};
    Place key_place = {};
    std::unordered_map<std::string, int> lines = {};  // of the keys so far
    std::vector<Value> merged = {};
};

// Builds the tree from yaml-cpp's events rather than from its nodes: every budget holds while the
// text is read, and duplicate keys, quotes and places are all there to be seen.
class TreeBuilder : public YAML::EventHandler {
public:
    TreeBuilder(std::shared_ptr<const std::string> file, Lines lines, Diagnostics& diagnostics)
        : file_(std::move(file)), lines_(lines), diagnostics_(diagnostics) {}

    Place place(const YAML::Mark& mark) const {
        if (lines_ == Lines::none || mark.is_null()) return {file_, 0, 0};
        return {file_, mark.line + 1, mark.column + 1};
    }

    Value take() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (++documents_ > 1)
            fail(mark, "a second document begins here; a template is one document");
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        spend(place(mark), {});
        put({Value::Type::null, place(mark)}, {}, anchor, Plain::no);
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        const auto found = anchors_.find(anchor);
        if (found == anchors_.end()) fail(mark, "this alias refers to a value that contains it");
        const Anchored& anchored = found->second;
        if (frames_.size() + anchored.weight.height > Limits::depth) fail_depth(mark);
        spend(place(mark), anchored.weight);
        put(anchored.value, anchored.weight, YAML::NullAnchor, Plain::no);
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& text) override {
        check_tag(mark, tag);
        const Weight weight{.text = text.size()};
        spend(place(mark), weight);
        const bool plain = tag == "?";
        Value value{Value::Type::scalar, place(mark), text};
        value.quoted = tag == "!" || tag == string_tag;
        if (text.find('\0') != std::string::npos) {
            diagnostics_.fault(value, path(), "contains a NUL character");
        }
        put(std::move(value), weight, anchor, plain ? Plain::yes : Plain::no);
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        open(Value::Type::sequence, mark, tag, anchor);
    }
    void OnSequenceEnd() override { close(); }

    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        open(Value::Type::mapping, mark, tag, anchor);
    }
    void OnMapEnd() override { close(); }

private:
    enum class Plain { no, yes };
    static constexpr std::string_view string_tag = "tag:yaml.org,2002:str";

    [[noreturn]] void fail(const YAML::Mark& mark, std::string message) const {
        throw YamlFault{place(mark), std::move(message)};
    }
    [[noreturn]] void fail_depth(const YAML::Mark& mark) const {
        fail(mark, fmt::format("is nested deeper than {} levels", Limits::depth));
    }

    void spend(const Place& place, const Weight& weight) {
        nodes_ += weight.nodes;
        text_ += weight.text;
        if (nodes_ <= Limits::nodes && text_ <= Limits::text) return;
        throw YamlFault{place,
                        fmt::format("the template is larger than {} values, or {} MiB of text, "
                                    "with its aliases expanded",
                                    Limits::nodes, Limits::text >> 20)};
    }

    void check_tag(const YAML::Mark& mark, std::string_view tag) const {
        constexpr std::string_view core = "tag:yaml.org,2002:";
        static constexpr std::array<std::string_view, 7> known = {"str",  "int", "float", "bool",
                                                                  "null", "seq", "map"};
        if (tag.empty() || tag == "?" || tag == "!") return;
        const bool fine =
            tag.starts_with(core) &&
            std::find(known.begin(), known.end(), tag.substr(core.size())) != known.end();
        if (!fine) fail(mark, fmt::format("the tag {} means nothing here", quote(tag)));
    }

    void open(Value::Type type, const YAML::Mark& mark, const std::string& tag,
              YAML::anchor_t anchor) {
        check_tag(mark, tag);
        if (frames_.size() >= Limits::depth) fail_depth(mark);
        spend(place(mark), {});
        frames_.push_back({.value = {type, place(mark)}, .weight = {}, .anchor = anchor});
    }

    void close() {
        Frame frame = std::move(frames_.back());
        frames_.pop_back();
        add_merged(frame);
        put(std::move(frame.value), frame.weight, frame.anchor, Plain::no);
    }

    void put(Value value, const Weight& weight, YAML::anchor_t anchor, Plain plain) {
        if (anchor != YAML::NullAnchor) {
            // The copy that aliases read costs as much as one of them.
            spend(value.place, weight);
            anchors_.insert_or_assign(anchor, Anchored{value, weight});
        }
        if (frames_.empty()) {
            root_ = std::move(value);
            return;
        }
        Frame& frame = frames_.back();
        frame.weight.nodes += weight.nodes;
        frame.weight.text += weight.text;
        frame.weight.height = std::max(frame.weight.height, weight.height + 1);
        if (frame.value.is_sequence()) {
            frame.value.items.push_back(std::move(value));
        } else if (!frame.has_key) {
            take_key(frame, std::move(value), plain);
        } else {
            take_value(frame, std::move(value));
        }
    }

    void take_key(Frame& frame, Value value, Plain plain) {
        if (!value.is_scalar()) {
            diagnostics_.add(value.place, path(), "a key must be text, found " + shown(value));
        }
        frame.has_key = true;
        frame.merges = plain == Plain::yes && value.text == "<<";
        frame.key = std::move(value.text);
        frame.key_place = value.place;
    }

    void take_value(Frame& frame, Value value) {
        const auto [first, fresh] = frame.lines.try_emplace(frame.key, frame.key_place.line);
        if (!fresh) {
            const std::string where =
                lines_ == Lines::keep ? fmt::format(" (it is on line {}, too)", first->second) : "";
            diagnostics_.add(frame.key_place, path(), "this key is there twice" + where);
        } else if (frame.merges) {
            frame.merged.push_back(std::move(value));
        } else {
            frame.value.entries.push_back(
                {std::move(frame.key), std::move(frame.key_place), std::move(value)});
        }
        frame.has_key = false;
    }

    // `<<: *base`: what the mapping does not set itself, it takes from there; of several, the first
    // wins.
    void add_merged(Frame& frame) {
        for (Value& source : frame.merged) {
            if (source.is_mapping()) {
                add_merged(frame, source);
                continue;
            }
            const bool mappings = source.is_sequence() &&
                                  std::all_of(source.items.begin(), source.items.end(),
                                              [](const Value& item) { return item.is_mapping(); });
            if (!mappings) {
                diagnostics_.add(source.place, path(), "<< takes a mapping or a list of mappings");
                continue;
            }
            for (Value& item : source.items)
                add_merged(frame, item);
        }
    }

    static void add_merged(Frame& frame, Value& source) {
        for (Entry& entry : source.entries) {
            if (frame.lines.try_emplace(entry.key, entry.place.line).second) {
                frame.value.entries.push_back(std::move(entry));
            }
        }
    }

    // Where the reading stands.
    std::string path() const {
        std::string path;
        for (const Frame& frame : frames_) {
            if (frame.value.is_sequence()) {
                path = key_path(path, frame.value.items.size());
            } else if (frame.has_key) {
                path = key_path(path, frame.key);
            }
        }
        return path;
    }

    std::shared_ptr<const std::string> file_;
    Lines lines_;
    Diagnostics& diagnostics_;
    Value root_;
    std::vector<Frame> frames_;
    std::unordered_map<YAML::anchor_t, Anchored> anchors_;
    std::size_t nodes_ = 0;
    std::size_t text_ = 0;
    int documents_ = 0;
};

// The text as a stream, without a copy.
class TextBuffer : public std::streambuf {
public:
    explicit TextBuffer(std::string_view text) {
        char* begin = const_cast<char*>(text.data());  // read only
        setg(begin, begin, begin + text.size());
    }
};

std::string_view without_bom(std::string_view text) {
    constexpr std::string_view bom = "\xEF\xBB\xBF";
    return text.starts_with(bom) ? text.substr(bom.size()) : text;
}

}  // namespace

std::optional<Value> parse_document(std::string_view text,
                                    const std::shared_ptr<const std::string>& file, Lines lines,
                                    Diagnostics& diagnostics) {
    if (text.size() > Limits::bytes) {
        diagnostics.add({file}, {}, fmt::format("is larger than {} MiB", Limits::bytes >> 20));
        return std::nullopt;
    }
    text = without_bom(text);
    if (const auto fault = find_text_fault(text)) {
        const bool keep = lines == Lines::keep;
        diagnostics.add({file, keep ? fault->line : 0, keep ? fault->column : 0}, {},
                        fault->message);
        return std::nullopt;
    }
    TreeBuilder builder{file, lines, diagnostics};
    TextBuffer buffer{text};
    std::istream stream{&buffer};
    try {
        YAML::Parser parser{stream};
        while (parser.HandleNextDocument(builder)) {
        }
    } catch (const YamlFault& fault) {
        diagnostics.add(fault.place, {}, fault.message);
        return std::nullopt;
    } catch (const YAML::Exception& error) {
        const auto at = error.mark.is_null()
                            ? TextPlace{}
                            : TextPlace{error.mark.line + 1, error.mark.column + 1};
        diagnostics.add(builder.place(error.mark), {},
                        "not valid YAML: " + error.msg + likely_cause(error.msg, text, at),
                        lines == Lines::keep ? excerpt(text, at) : "");
        return std::nullopt;
    }
    return builder.take();
}

}  // namespace podctl::tmpl
