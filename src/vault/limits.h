// SPDX-License-Identifier: Apache-2.0
// Sizes of the vault's fixed memory. All of it is mapped and locked at boot; the kernel's default
// for locked memory is 8 MiB, of which at most 6 MiB are used.
#pragma once

#define VAULT_POOL_BYTES   (2U << 20)   // libcrypto's heap: 0.6 MiB are ever handed out
#define VAULT_STACK_BYTES  (256U << 10) // the worker's stack: 28 KiB are used at most
#define VAULT_NSM_STACK    (64U << 10)  // of the thread that waits for the NSM: 5 KiB are used
#define VAULT_NSM_MS       5000         // for one request of the NSM, which takes a few ms
#define VAULT_SECRET_BYTES (1U << 20)   // account slots, keyset keys, pending operations
#define VAULT_ACCOUNTS     4096U        // open accounts; more evict the one not used for longest
#define VAULT_TLS_KEYS     8U           // open TLS keys; more evict the one not used for longest
#define VAULT_PENDING      4U           // keyset operations that wait for KMS
#define VAULT_PENDING_MS   60000        // for one KMS call; with its retries it takes at most 15 s
#define VAULT_SEAL_WRITES  3U           // of one item, when others write as well
#define VAULT_IMPORTS      8U           // imports that wait for the owner; more replace the oldest
#define VAULT_IMPORT_MS    600000       // an owner types a password and a key derivation runs
#define VAULT_ANSWER_MAX   (64U << 10)  // largest answer: a keyset record and its receipt
#define VAULT_INPUT_BYTES  (256U << 10) // one read: many small messages, or one of the largest
#define VAULT_OUTPUT_BYTES (256U << 10)
#define VAULT_WRITE_MS     30000 // a front that does not read for so long is given up
// Documents that others ask for, on average and at once. The NSM takes a few ms for each, one after
// the other, for the whole machine; those for KMS are not counted and so always get through.
#define VAULT_DOCUMENT_MS    10
#define VAULT_DOCUMENT_BURST 200
