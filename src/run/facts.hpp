#pragma once

#include "podctl/base/file.hpp"
#include "podctl/hub/resolve.hpp"
#include "podctl/run/journal.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What the records of the journal hold, a type for each kind: which step writes what, and under
// which name. name_facts() has the names, for writing and for reading; a root that an earlier
// podctl has written knows them, so none of them changes its meaning.
namespace podctl::run {

using Facts = std::map<std::string, std::string>;

enum class Written { always, where_given };  // where_given: not while it has its default

// Files by their paths in a folder; "" is what stands at the folder's own path.
using Manifest = std::map<std::string, FileStamp>;

// repo:*, comfyui.clone, node:* of git.
struct CloneFacts {
    std::string commit = {};
    std::string branch = {};               // empty: detached
    std::filesystem::path companion = {};  // the pack's second repository; empty: it has none

    static void name_facts(auto& it, auto&& fact) {
        fact("commit", it.commit);
        fact("branch", it.branch);
        fact("companion", it.companion, Written::where_given);
    }
};

// node:* of the registry.
struct RegistryFacts {
    std::string version = {};
    std::string tracking = {};  // the digest of the pack's .tracking
    std::string sha256 = {};    // of its archive

    static void name_facts(auto& it, auto&& fact) {
        fact("version", it.version);
        fact("tracking", it.tracking);
        fact("sha256", it.sha256);
    }
};

// archive:registry:ID@VERSION.
struct ArchiveFacts {
    std::string sha256 = {};

    static void name_facts(auto& it, auto&& fact) { fact("sha256", it.sha256); }
};

// node:* of a folder or a file.
struct CopyFacts {
    Manifest files = {};    // as they are in both places
    bool in_place = false;  // the template names the place itself: the pack is the user's

    static void name_facts(auto& it, auto&& fact) {
        fact("files", it.files);
        fact("in_place", it.in_place);
    }
};

// node:*.install.
struct ScriptFacts {
    std::string inputs = {};  // a digest of what install.py ran for

    static void name_facts(auto& it, auto&& fact) { fact("inputs", it.inputs); }
};

// One file that a model became, as it stood at the record's time.
struct FileFacts {
    std::optional<std::uint64_t> size = {};
    std::optional<std::int64_t> mtime_ns = {};  // absent: a member of an archive
    std::string sha256 = {};
    bool pickle_allowed = false;         // brought with the word: looked at again without it
    bool found = false;                  // it stood there before podctl knew of it
    std::optional<FileStamp> kept = {};  // how the user's own looks, which stays in its place
    std::string of = {};                 // of a folder's file: what tells it from another commit's

    bool is_member() const { return size && !mtime_ns; }
    friend bool operator==(const FileFacts&, const FileFacts&) = default;
    static void name_facts(auto& it, auto&& fact) {
        fact("size", it.size, Written::where_given);
        fact("mtime_ns", it.mtime_ns, Written::where_given);
        fact("sha256", it.sha256, Written::where_given);
        fact("pickle", it.pickle_allowed, "allowed");
        fact("found", it.found);
        fact("kept", it.kept, Written::where_given);
        fact("of", it.of, Written::where_given);
    }
};

// By their paths in the folder. In the journal a member of an archive is its size alone.
using FilesFacts = std::map<std::string, FileFacts>;

// model:*, of one file, of an archive (`file` is what was downloaded) or of a folder.
struct ModelFacts {
    std::filesystem::path path = {};  // the file, or the folder of `files`
    FileFacts file = {};
    std::string revision = {};  // of a folder: the commit
    FilesFacts files = {};

    static void name_facts(auto& it, auto&& fact) {
        fact("path", it.path);
        FileFacts::name_facts(it.file, fact);
        fact("revision", it.revision, Written::where_given);
        fact("files", it.files, Written::where_given);
    }
};

// python.resolve, and service:*.environment.
struct LockFacts {
    std::string lock = {};                // lock_digest()
    std::string inputs = {};              // inputs_digest(); empty: something could not be asked
    std::set<std::string> left_out = {};  // optional packs

    static void name_facts(auto& it, auto&& fact) {
        fact("lock", it.lock);
        fact("inputs", it.inputs);
        fact("left_out", it.left_out);
    }
};

// python.install, and service:*.environment.
struct InstallFacts {
    std::string lock = {};       // lock_digest() of what was installed
    std::string installed = {};  // `environment: system`: installed_distributions()
    std::string replaced = {};   // what the last mending found in other versions
    int mendings = 0;            // how often it found the very same

    static void name_facts(auto& it, auto&& fact) {
        fact("lock", it.lock);
        fact("installed", it.installed, Written::where_given);
        fact("replaced", it.replaced, Written::where_given);
        fact("mendings", it.mendings, Written::where_given);
    }
};

// base:*: the interpreter below an environment. The record's fingerprint is its version.
struct BaseFacts {
    std::filesystem::path path = {};
    std::optional<FileStamp> stamp = {};
    std::vector<std::filesystem::path> sites = {};  // its site-packages
    std::string distributions = {};                 // a digest of what is installed there

    static void name_facts(auto& it, auto&& fact) {
        fact("path", it.path);
        fact("stamp", it.stamp);
        fact("sites", it.sites);
        fact("distributions", it.distributions);
    }
};

// torchaudio:*.
struct TorchaudioFacts {
    std::string fails = {};  // why it does not load; empty: it does

    static void name_facts(auto& it, auto&& fact) { fact("fails", it.fails); }
};

// resolution:* of a file.
struct ResolutionFacts {
    hub::ResolvedFile file = {};

    static void name_facts(auto& it, auto&& fact) {
        fact("url", it.file.url);
        fact("name", it.file.name);
        fact("size", it.file.size);
        fact("approximate_size", it.file.approximate_size);
        fact("sha256", it.file.sha256);
        fact("git_blob", it.file.git_blob);
        fact("type", it.file.type);
        fact("revision", it.file.revision);
        fact("verdict", it.file.verdict);
        fact("model_name", it.file.model_name);
        fact("model_id", it.file.model_id);
        fact("version_id", it.file.version_id);
    }
};

// resolution:* of a folder.
struct ListedFile {
    std::string path = {};
    std::uint64_t size = 0;
    std::string sha256 = {}, git_blob = {};

    friend bool operator==(const ListedFile&, const ListedFile&) = default;
};
struct ListingFacts {
    std::string revision = {};
    std::optional<std::vector<ListedFile>> files = {};  // absent: the record is of a file
    std::vector<std::string> impossible = {};           // Folder::impossible

    static void name_facts(auto& it, auto&& fact) {
        fact("revision", it.revision);
        fact("files", it.files);
        fact("impossible", it.impossible, Written::where_given);
    }
};

// Names of packs as one text, which has no order but theirs.
std::string text_of_packs(const std::set<std::string>& packs);
std::set<std::string> packs_of_text(std::string_view text);

// Folders as one text, a line each.
std::string text_of_folders(const std::vector<std::filesystem::path>& folders);

// What name_facts() is called with, to write.
class FactWriter {
public:
    template <class Value>
    void operator()(const char* name, const Value& value, Written written = Written::always) {
        if (written == Written::always || !(value == Value{})) facts_[name] = text(value);
    }
    void operator()(const char* name, bool value, const char* word = "yes") {
        if (value) facts_[name] = word;
    }
    Facts take() { return std::move(facts_); }

private:
    static std::string text(const std::string& value) { return value; }
    static std::string text(const std::filesystem::path& value) { return value.string(); }
    static std::string text(int value) { return std::to_string(value); }
    static std::string text(long long value) { return std::to_string(value); }
    static std::string text(const std::optional<std::uint64_t>& value);
    static std::string text(const std::optional<std::int64_t>& value);
    static std::string text(const std::optional<FileStamp>& value);
    static std::string text(const std::set<std::string>& packs) { return text_of_packs(packs); }
    static std::string text(const std::vector<std::filesystem::path>& folders) {
        return text_of_folders(folders);
    }
    static std::string text(const std::vector<std::string>& values);
    static std::string text(const std::optional<std::vector<ListedFile>>& files);
    static std::string text(const Manifest& files);
    static std::string text(const FilesFacts& files);

    Facts facts_;
};

// The same to read. What is absent, empty or no such value keeps its default.
class FactReader {
public:
    explicit FactReader(const Facts& facts) : facts_(facts) {}

    template <class Value>
    void operator()(const char* name, Value& value, Written = Written::always) {
        const auto& text = of(name);
        if (!text.empty() && !read(text, value)) is_whole_ = false;
    }
    void operator()(const char* name, bool& value, const char* = "yes") {
        value = !of(name).empty();
    }
    // No fact was there that could not be read.
    bool is_whole() const { return is_whole_; }

private:
    const std::string& of(const char* name) const;

    // False: the text is no such value.
    static bool read(const std::string& text, std::string& value);
    static bool read(const std::string& text, std::filesystem::path& value);
    static bool read(const std::string& text, int& value);
    static bool read(const std::string& text, long long& value);
    static bool read(const std::string& text, std::optional<std::uint64_t>& value);
    static bool read(const std::string& text, std::optional<std::int64_t>& value);
    static bool read(const std::string& text, std::optional<FileStamp>& value);
    static bool read(const std::string& text, std::set<std::string>& packs);
    static bool read(const std::string& text, std::vector<std::filesystem::path>& folders);
    static bool read(const std::string& text, std::vector<std::string>& values);
    static bool read(const std::string& text, std::optional<std::vector<ListedFile>>& files);
    static bool read(const std::string& text, Manifest& files);
    static bool read(const std::string& text, FilesFacts& files);

    const Facts& facts_;
    bool is_whole_ = true;
};

template <class Kind>
Facts to_facts(const Kind& kind) {
    FactWriter writer;
    Kind::name_facts(kind, writer);
    return writer.take();
}

template <class Kind>
Kind from_facts(const Facts& facts) {
    FactReader reader{facts};
    Kind kind;
    Kind::name_facts(kind, reader);
    return kind;
}

// Of a record that there may be: without one, all defaults.
template <class Kind>
Kind facts_in(const std::optional<Record>& record) {
    return record ? from_facts<Kind>(record->facts) : Kind{};
}

// nullopt: there is no record, or something of it cannot be read.
template <class Kind>
std::optional<Kind> whole_facts_in(const std::optional<Record>& record) {
    if (!record) return std::nullopt;
    FactReader reader{record->facts};
    Kind kind;
    Kind::name_facts(kind, reader);
    return reader.is_whole() ? std::optional{std::move(kind)} : std::nullopt;
}

}  // namespace podctl::run
