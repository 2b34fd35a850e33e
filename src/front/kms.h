// SPDX-License-Identifier: Apache-2.0
// The KMS client, and that of the anchor: a thread that makes one call after the other, over TLS
// with pinned roots. Who may include it: front.
#pragma once

#include "front/core.h"
#include "front/kmsjson.h"
#include "net/crew.h"

struct kms;
struct kmscall;

// One call. Made by kms_job_new; the views of `request` point into its own space.
struct kms_job {
    struct crew_job crew;
    struct kmscall *call;
    // Called once, in the loop's thread, by kms_collect or kms_free. The job then belongs to it.
    void (*done)(void *context, struct kms_job *job);
    void *context;
    uint64_t operation; // the caller's
    struct kmsjson_request request;
    unsigned host; // index in the configuration
    char host_name[HOST_BYTES_MAX + 1];
    struct core_clock clock;
    struct counters *counters; // the loop's: touched in kms_collect only
    // The outcome. When AWS refused (ERR_KMS, ERR_EXPIRED), `text` holds its words.
    struct err err;
    unsigned attempts;
    size_t text_len;
    uint8_t text[WHAT_BYTES_MAX + 100];
    struct kmsjson_answer answer;
    struct id keyset;                  // steps of the anchor: whose item
    struct msg_anchor_answer anchored; // and what came of them; FAILED with any error
    uint8_t space[ARN_BYTES_MAX + NAME_BYTES_MAX + KMS_BLOB_MAX + DOCUMENT_MAX];
};

// Makes the TLS context and starts the thread; returns when it runs. The loop is woken through
// loop_wake; its wake function calls kms_collect.
FALLIBLE kms_new(struct kms **out, struct core *core, const struct front_env *env);
// Ends the thread (after its current call) and the calls that are queued, with ERR_CLOSED.
void kms_free(struct kms **kms);
// A job for what the vault wants: copies the step, finds host and key. ERR_MISMATCH when the key's
// host is not in the configuration.
FALLIBLE kms_job_new(struct kms_job **out, struct core *core, const struct msg_step *step);
void kms_job_free(struct kms_job **job);
// Queues it, which takes it over. ERR_BUSY when too many are queued: then it stays the caller's.
FALLIBLE kms_submit(struct kms *kms, struct kms_job *job);
// Hands finished jobs to their `done`.
void kms_collect(struct kms *kms);
