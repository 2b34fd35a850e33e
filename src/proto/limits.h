// SPDX-License-Identifier: Apache-2.0
// Every size limit of the formats, each with its reason. Limits that only shed load (connections,
// queues) stand with the component that sheds.
#pragma once

#define FRAME_BYTES_MAX  (1U << 20) // one control-plane frame: a 128 KiB transaction as hex, twice
#define MSG_BODY_MAX     (192U << 10) // vault message: largest transaction, record and attachments
#define CONFIG_BYTES_MAX 16384U       // 16 keysets of 5 ARNs each fit
#define CONFIG_KEYSETS   16U
#define CONFIG_CMKS      5U // wrappings of one keyset: k of n with n <= 5
#define CONFIG_NETWORKS  32U
#define CONFIG_ADMINS    16U
#define CONFIG_HOSTS     16U
#define NAME_BYTES_MAX   32U // names of keysets and networks: a-z 0-9 - _
#define ARN_BYTES_MAX    256U
#define HOST_BYTES_MAX   128U
#define KMS_BLOB_MAX     6144U  // CiphertextBlob (KMS API reference)
#define KEYSET_BYTES_MAX 40960U // 5 wrappings with blobs of 6144 bytes and their ARNs
#define POLICY_BYTES_MAX 16384U
#define RECORD_BYTES_MAX 40960U  // sealed record with policy and authorisers attached
#define NONCE_BYTES_MAX  64U     // a client's attestation nonce
#define DOCUMENT_MAX     16384U  // attestation document
#define WHAT_BYTES_MAX   200U    // an error's text
#define TX_PAYLOAD_MAX   131072U // unsigned transaction: go-ethereum's pool takes no larger one

// Who may use the data plane (proto/clients.h). Both go to the front in one vault message.
#define CLIENTS_BYTES_MAX       49152U // 500 clients with a label and a pattern of 32 digits
#define CLIENTS_PATTERNS        64U
#define CLIENTS_PATTERN_MAX     96U
#define CLIENTS_LABEL_MAX       64U // a common name (X.520's upper bound)
#define CLIENTS_CERTIFICATE_MAX 4096U
#define WEB_BYTES_MAX           8192U
#define DENIAL_SOURCE_MAX       64U // an IPv6 address with its zone and port, as text

// A vsock port (PROTOCOL.md section 4). Fixed, since it is part of the measured code: the parent's
// relay listens on EGRESS_PORT_BASE + i for the i-th host of the configuration, which leaves
// CONFIG_HOSTS ports from there on to it alone. The enclave's own ports stand in enclave/env.h.
#define EGRESS_PORT_BASE 8000U
