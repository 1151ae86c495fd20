#pragma once

#include <git2.h>

#include <memory>

// Owners of what libgit2 hands out.
namespace podctl::git {

template <auto Free>
struct Freed {
    template <class T>
    void operator()(T* handle) const {
        Free(handle);
    }
};

using RepositoryHandle = std::unique_ptr<git_repository, Freed<git_repository_free>>;
using RemoteHandle = std::unique_ptr<git_remote, Freed<git_remote_free>>;
using ReferenceHandle = std::unique_ptr<git_reference, Freed<git_reference_free>>;
using ReferenceIteratorHandle =
    std::unique_ptr<git_reference_iterator, Freed<git_reference_iterator_free>>;
using ObjectHandle = std::unique_ptr<git_object, Freed<git_object_free>>;
using BlobHandle = std::unique_ptr<git_blob, Freed<git_blob_free>>;
using CommitHandle = std::unique_ptr<git_commit, Freed<git_commit_free>>;
using TreeHandle = std::unique_ptr<git_tree, Freed<git_tree_free>>;
using TreeEntryHandle = std::unique_ptr<git_tree_entry, Freed<git_tree_entry_free>>;
using OdbHandle = std::unique_ptr<git_odb, Freed<git_odb_free>>;
using OdbObjectHandle = std::unique_ptr<git_odb_object, Freed<git_odb_object_free>>;
using DiffHandle = std::unique_ptr<git_diff, Freed<git_diff_free>>;
using IndexHandle = std::unique_ptr<git_index, Freed<git_index_free>>;
using ConfigHandle = std::unique_ptr<git_config, Freed<git_config_free>>;
using ConfigIteratorHandle = std::unique_ptr<git_config_iterator, Freed<git_config_iterator_free>>;
using StatusListHandle = std::unique_ptr<git_status_list, Freed<git_status_list_free>>;

}  // namespace podctl::git
