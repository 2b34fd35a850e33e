// SPDX-License-Identifier: Apache-2.0
// The Recipient of a KMS request: an attestation document that must verify, and the key in it that
// alone can open the answer (AWS KMS API Reference, "RecipientInfo").
#pragma once

#include "emu/kms_call.h"

// Reads and verifies the request's Recipient into call->attest; nothing when there is none.
// ValidationException when it is not genuine, expired, too old, or without an RSA-2048 key.
FALLIBLE kms_recipient_verify(struct kms_call *call);
// Writes CiphertextForRecipient (CMS, as bytes) for the verified recipient.
FALLIBLE kms_recipient_seal(const struct kms_call *call, struct wr *out, struct bytes plaintext);
