// SPDX-License-Identifier: Apache-2.0
// What a Cloister enclave attests (PROTOCOL.md section 7): receipts for accounts and keysets, judged at
// their own time, and status documents, judged now, also those that name the key of a TLS connection. The parent carries all of them and is not believed:
// every value comes from a document that verified, or from a record that such a document names by hash.
import { concat, equal, fromHex, pinned, Reader, toHex, utf8 } from './bytes.js';
import { timeOf, verifyDocument } from './document.js';
import { ensure } from './errors.js';
import { addressOf } from './ethereum.js';
import { parseKeyset, parseRecord } from './records.js';
import { bodyOf, kindOf, TAG, tagHash } from './tags.js';

/** Status documents are live: within five minutes of the time in question. */
const FRESH_MS = 300000;
/** Bytes of a nonce that nobody has in store. */
const NONCE_LEAST = 16;
const PHASES = { 1: 'UNCONFIGURED', 2: 'CONFIGURED', 4: 'READY', 8: 'SEALED' };
const ANCHORS = ['none', 'file', 'dynamodb'];

/** @typedef {import('./document.js').Trust} Trust */
/** @typedef {import('./document.js').Attestation} Attestation */

/**
 * A Cloister document: verified, under the trusted configuration, and without a public key, since those
 * with one are for KMS alone.
 * @param {Uint8Array|string} document
 * @param {Trust} trust
 */
async function verifyCloister(document, trust) {
  ensure(!trust.anyImage, 'usage', 'anyImage', 'is for documents of other programs');
  ensure(trust.pcr16 !== undefined || trust.configuration !== undefined || trust.anyConfiguration,
    'usage', 'configuration', 'give configuration or pcr16, or say anyConfiguration');
  const found = await verifyDocument(document, trust);

  ensure(found.publicKey === null, 'untrusted', 'public_key', 'expected none in this document');
  return found;
}

/**
 * @param {Attestation} attestation
 * @param {keyof typeof TAG} kind
 * @param {Uint8Array} covered
 */
async function checkReceipt({ userData }, kind, covered) {
  const wanted = concat(utf8(`${TAG[kind]}\0`), await tagHash(TAG[kind], covered));

  ensure(userData && equal(userData, wanted), 'untrusted', 'user_data',
    kindOf(userData) === kind ? 'the receipt belongs to another record' : `expected the receipt of an ${kind}`);
}

/**
 * Verifies the receipt of an Ethereum account and computes its address from the record.
 *
 * Whose account it is (a user's name) is nobody's word but the parent's. Compare `deployment` and
 * `keyset` with the ones that you know, and give the nonce when the account is new.
 *
 * @param {{record: Uint8Array|string, document: Uint8Array|string}} account `record_b64` and
 *   `receipt_b64` of the service
 * @param {Trust} trust
 * @returns {Promise<import('./records.js').SealedRecord & {address: string, attestation: Attestation}>}
 */
export async function verifyAccount({ record, document }, trust) {
  const read = await parseRecord(record);
  const attestation = await verifyCloister(document, trust);

  await checkReceipt(attestation, 'account', read.publicBytes);
  ensure(read.keyType === 'secp256k1' && read.purpose === 'account', 'unsupported', 'record',
    'is not an Ethereum account\'s');
  return { ...read, address: addressOf(read.publicKey), attestation };
}

/**
 * Verifies the receipt of a keyset.
 * @param {{record: Uint8Array|string, document: Uint8Array|string}} keyset
 * @param {Trust} trust
 * @returns {Promise<import('./records.js').KeysetRecord & {attestation: Attestation}>}
 */
export async function verifyKeyset({ record, document }, trust) {
  const read = parseKeyset(record);
  const attestation = await verifyCloister(document, trust);

  await checkReceipt(attestation, 'keyset', read.publicFields);
  return { ...read, attestation };
}

/**
 * @typedef {object} Status
 * @property {string} phase 'UNCONFIGURED', 'CONFIGURED', 'READY' or 'SEALED'
 * @property {string} boot id, 32 hex digits
 * @property {bigint} auditSequence
 * @property {Uint8Array} auditHead
 * @property {bigint} manifestSerial 0: none
 * @property {Uint8Array} manifestDigest SHA-256 of its canonical bytes; zero without one
 * @property {number} seals of this boot
 * @property {string} anchor 'none', 'file' or 'dynamodb'
 * @property {boolean} anchored what is in force stands in the anchor (PROTOCOL.md section 11)
 * @property {Attestation} attestation
 */

/**
 * The fields of a status, to the end.
 * @param {Reader} reader
 * @param {boolean} unconfigured what the tag says
 * @returns {Omit<Status, 'attestation'>}
 */
function readStatus(reader, unconfigured) {
  const phase = PHASES[reader.uint(1, 'phase')];
  const status = {
    phase,
    boot: toHex(reader.take(16, 'boot')),
    auditSequence: reader.u64('sequence'),
    auditHead: reader.take(32, 'audit head'),
    manifestSerial: reader.u64('manifest serial'),
    manifestDigest: reader.take(32, 'manifest digest'),
    seals: reader.uint(4, 'seals'),
    anchor: ANCHORS[reader.uint(1, 'anchor')],
  };
  const anchored = reader.uint(1, 'anchored');

  ensure(anchored <= 1, 'malformed', 'user_data.anchored', 'expected 0 or 1');
  reader.end();
  ensure(phase && (phase === 'UNCONFIGURED') === unconfigured, 'untrusted',
    'user_data.phase', 'does not fit its tag');
  ensure(status.anchor, 'unsupported', 'user_data.anchor', 'expected 0 to 2');
  return { ...status, anchored: anchored === 1 };
}

/**
 * A Cloister document of now, under one of these tags.
 * @param {Uint8Array|string} document
 * @param {Trust} trust
 * @param {(keyof typeof TAG)[]} kinds
 * @param {string} what a document of these kinds is called
 */
async function verifyLive(document, trust, kinds, what) {
  const at = timeOf(trust) ?? Date.now();
  const attestation = await verifyCloister(document, { ...trust, at });
  const kind = kindOf(attestation.userData);

  ensure(Math.abs(attestation.timestamp - at) <= FRESH_MS, 'expired', 'timestamp',
    'expected a document of the last five minutes');
  ensure(attestation.userData && kind && kinds.includes(kind), 'untrusted', 'user_data',
    `expected ${what}`);
  return { attestation, kind, reader: new Reader(bodyOf(attestation.userData, kind), 'user_data') };
}

/**
 * Verifies a live status document (`GET /v1/attestation?nonce=...`). Give a fresh random nonce.
 * @param {Uint8Array|string} document
 * @param {Trust} trust `at` defaults to now
 * @returns {Promise<Status>}
 */
export async function verifyStatus(document, trust) {
  const { attestation, kind, reader } = await verifyLive(document, trust, ['status', 'unconfigured'],
    'a status document');

  return { ...readStatus(reader, kind === 'unconfigured'), attestation };
}

/**
 * Verifies the document that an enclave gives out over a TLS connection (`GET /attestation?nonce=...`):
 * the connection ends inside, since the key that it has proved was generated in an enclave of the
 * deployment, never left one in clear, and is in use in this one. What the connection's certificate
 * says, its names and its chain, is not judged: this takes their place.
 *
 * A browser does not show its pages the key of their connection; `verifyEndpoint` of
 * `@cloister/verify/node` does all of it in Node.
 *
 * @param {{document: Uint8Array|string, spkiSha256: Uint8Array|string}} connection the document, and
 *   SHA-256 of the SubjectPublicKeyInfo (DER) of the very connection over which it came
 * @param {Trust} trust `at` defaults to now; `nonce` must be there, of at least 16 bytes
 * @returns {Promise<Status & {spkiSha256: string, keyset: string}>} the id of the keyset in which the key
 *   was generated. Where no administrators are configured, compare it with one that you know: whoever can
 *   make a keyset of his own knows the keys in it
 */
export async function verifyTls({ document, spkiSha256 }, trust) {
  const wanted = pinned(spkiSha256, 32, 'spkiSha256');
  const { nonce = '' } = trust;

  ensure((typeof nonce === 'string' ? fromHex(nonce, 'nonce') : nonce).length >= NONCE_LEAST, 'usage',
    'nonce', 'expected at least 16 bytes that you chose');
  const { attestation, reader } = await verifyLive(document, trust, ['tls'], 'the document of a TLS key');
  const found = reader.take(32, 'key');
  const keyset = toHex(reader.take(16, 'keyset'));
  const status = readStatus(reader, false);

  ensure(equal(found, wanted), 'untrusted', 'user_data.key', 'is not the key of this connection');
  return { ...status, spkiSha256: toHex(found), keyset, attestation };
}
