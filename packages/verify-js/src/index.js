// SPDX-License-Identifier: Apache-2.0
// Verifies AWS Nitro attestation documents and what a Cloister enclave attests with them. Written from
// PROTOCOL.md, RFC 8949, RFC 9052 and RFC 5280, and sharing no code with the C library, so that each
// is a check of the other.
export { AWS_NITRO_ROOT, measureConfiguration, parseDocument, pcrsAsHex, verifyDocument } from './document.js';
export { VerifyError } from './errors.js';
export { addressOf, keccak256 } from './ethereum.js';
export { verifyAccount, verifyKeyset, verifyStatus, verifyTls } from './receipts.js';
export { parseKeyset, parseRecord } from './records.js';
export { kindOf } from './tags.js';
