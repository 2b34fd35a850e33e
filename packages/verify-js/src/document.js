// SPDX-License-Identifier: Apache-2.0
// Attestation documents: COSE_Sign1 (RFC 9052 4.2) around the payload that AWS describes in "Verifying
// the root of trust" (aws-nitro-enclaves-nsm-api). What is signed is taken as received, never encoded
// again.
import { concat, equal, fromHex, pinned, received, toHex, utf8 } from './bytes.js';
import { CborReader, cborHead } from './cbor.js';
import { es384, sha384 } from './crypto.js';
import { ensure } from './errors.js';
import { verifyPath } from './x509.js';

/** SHA-256 of AWS's root certificate, AWS_NitroEnclaves_Root-G1, as AWS publishes it. */
export const AWS_NITRO_ROOT = '641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b';

const DOCUMENT_MAX = 16384;
const CONFIGURATION_MAX = 16384;
const ES384_HEADER = Uint8Array.of(0xa1, 0x01, 0x38, 0x22); // {1: -35}
const TAG_SIGN1 = 18;
const SIGNATURE_BYTES = 96;
const PCR_BYTES = 48;
const PCRS = 32;
const AUTHORITIES_MAX = 8;
const REQUIRED = ['module_id', 'digest', 'timestamp', 'pcrs', 'certificate', 'cabundle'];

/**
 * What you know beforehand. Only `pcr0` must be there.
 *
 * @typedef {object} Trust
 * @property {Uint8Array|string} [root] SHA-256 fingerprint of the root certificate (32 bytes or hex),
 *   or its DER; default: AWS's
 * @property {(Uint8Array|string)[]} [pcr0] images: the document must show one of these
 * @property {boolean} [anyImage] in place of pcr0: compare it yourself (documents only)
 * @property {Uint8Array|string} [pcr16] the measured configuration
 * @property {Uint8Array} [configuration] in place of pcr16: the canonical configuration, measured here
 * @property {boolean} [anyConfiguration] in place of both: the deployment is then not verified
 * @property {Uint8Array|string} [nonce] that you chose for this document
 * @property {number|Date} [at] when its certificates must be valid (Unix milliseconds); default: the
 *   document's own time for documents and receipts, now for status documents
 * @property {boolean} [allowDebug] take documents of debug-mode enclaves, whose PCR0 is zero
 */

/**
 * What a document says. Believe it only when it comes from a function that verifies.
 *
 * @typedef {object} Attestation
 * @property {string} moduleId
 * @property {number} timestamp Unix milliseconds, from the hypervisor
 * @property {Map<number, Uint8Array>} pcrs 48 bytes each
 * @property {Uint8Array|null} publicKey
 * @property {Uint8Array|null} userData
 * @property {Uint8Array|null} nonce
 * @property {Uint8Array} certificate DER
 * @property {Uint8Array[]} cabundle root first
 */

/**
 * Field readers of the payload; each returns [property, value].
 * @type {Record<string, (cbor: CborReader) => [string, unknown]>}
 */
const FIELDS = {
  module_id: (cbor) => {
    const text = cbor.text('module_id');
    ensure(/^[\x21-\x7e]{1,256}$/.test(text), 'malformed', 'module_id',
      'expected 1 to 256 printable ASCII characters');
    return ['moduleId', text];
  },
  digest: (cbor) => {
    ensure(cbor.text('digest') === 'SHA384', 'malformed', 'digest', 'expected SHA384');
    return ['digest', 'SHA384'];
  },
  timestamp: (cbor) => {
    const ms = cbor.uint('timestamp');
    ensure(ms > 0, 'malformed', 'timestamp', 'expected Unix milliseconds');
    return ['timestamp', ms];
  },
  pcrs: (cbor) => ['pcrs', readPcrs(cbor)],
  certificate: (cbor) => ['certificate', sized(cbor.byteString('certificate'), 1, 1024, 'certificate')],
  cabundle: (cbor) => ['cabundle', readBundle(cbor)],
  public_key: (cbor) => ['publicKey', sized(cbor.byteStringOrNull('public_key'), 1, 1024, 'public_key')],
  user_data: (cbor) => ['userData', sized(cbor.byteStringOrNull('user_data'), 0, 512, 'user_data')],
  nonce: (cbor) => ['nonce', sized(cbor.byteStringOrNull('nonce'), 0, 512, 'nonce')],
};

/**
 * @param {Uint8Array|null} value
 * @param {number} least
 * @param {number} most
 * @param {string} field
 */
function sized(value, least, most, field) {
  ensure(value === null || (value.length >= least && value.length <= most), 'malformed', field,
    `expected ${least} to ${most} bytes`);
  return value;
}

/** @param {CborReader} cbor */
function readPcrs(cbor) {
  const pcrs = new Map();

  cbor.map('pcrs', () => {
    const index = cbor.uint('pcrs');
    const field = `pcrs[${index}]`;

    ensure(index < PCRS, 'malformed', field, 'expected an index of 0 to 31');
    ensure(!pcrs.has(index), 'malformed', field, 'stands there twice');
    pcrs.set(index, sized(cbor.byteString(field), PCR_BYTES, PCR_BYTES, field));
  });
  ensure(pcrs.size > 0, 'malformed', 'pcrs', 'expected 1 to 32 values');
  return pcrs;
}

/** @param {CborReader} cbor */
function readBundle(cbor) {
  const n = cbor.array('cabundle');

  ensure(n >= 1 && n <= AUTHORITIES_MAX, 'malformed', 'cabundle',
    `expected 1 to ${AUTHORITIES_MAX} certificates`);
  return Array.from({ length: n }, (_, i) => {
    const field = `cabundle[${i}]`;
    return sized(cbor.byteString(field), 1, 1024, field);
  });
}

/**
 * @param {Uint8Array} payload
 * @returns {Attestation}
 */
function readPayload(payload) {
  const cbor = new CborReader(payload);
  const seen = new Set();
  const found = { publicKey: null, userData: null, nonce: null };

  cbor.map('payload', () => {
    const name = cbor.text('payload');

    ensure(Object.hasOwn(FIELDS, name), 'malformed', 'payload', 'has a field that is not known');
    ensure(!seen.has(name), 'malformed', name, 'stands there twice');
    seen.add(name);
    const [property, value] = FIELDS[name](cbor);
    found[property] = value;
  });
  cbor.end('payload');
  for (const name of REQUIRED) ensure(seen.has(name), 'malformed', name, 'is missing');
  return /** @type {Attestation} */ (/** @type {unknown} */ (found));
}

/** @param {Uint8Array} document */
function readSign1(document) {
  const cbor = new CborReader(document);

  cbor.skipTag(TAG_SIGN1);
  ensure(cbor.array('COSE') === 4, 'malformed', 'COSE', 'expected a COSE_Sign1 of four items');
  const header = cbor.byteString('protected header');
  ensure(equal(header, ES384_HEADER), 'malformed', 'protected header', 'expected {1: -35} (ES384)');
  cbor.emptyMap('unprotected header');
  const payload = cbor.byteString('payload');
  const signature = cbor.byteString('signature');
  ensure(signature.length === SIGNATURE_BYTES, 'malformed', 'signature', 'expected 96 bytes');
  cbor.end('COSE');
  return { payload, signature };
}

/**
 * Reads a document without verifying it: to show what it claims, never to believe it.
 * @param {Uint8Array|string} document bytes or base64
 * @returns {Attestation}
 */
export function parseDocument(document) {
  return readPayload(readSign1(received(document, DOCUMENT_MAX, 'document')).payload);
}

/**
 * The PCR16 of a canonical configuration (PROTOCOL.md section 4).
 * @param {Uint8Array} configuration
 * @returns {Promise<Uint8Array>} 48 bytes
 */
export async function measureConfiguration(configuration) {
  ensure(configuration instanceof Uint8Array && configuration.length <= CONFIGURATION_MAX, 'usage',
    'configuration', 'expected a Uint8Array of at most 16384 bytes');
  const digest = await sha384(concat(utf8('cloister-config-1\0'), configuration));

  return sha384(concat(new Uint8Array(PCR_BYTES), digest));
}

/**
 * @param {Trust} trust
 * @returns {Uint8Array}
 */
function rootOf(trust) {
  const { root = AWS_NITRO_ROOT } = trust;

  if (typeof root === 'string') return pinned(root, 32, 'root');
  ensure(root instanceof Uint8Array && root.length >= 32, 'usage', 'root',
    'expected a SHA-256 fingerprint or DER');
  return root;
}

/**
 * @param {Trust} trust
 * @param {Attestation} attestation
 */
function checkImage(trust, { pcrs }) {
  const { pcr0 = [], anyImage = false, allowDebug = false } = trust;
  const value = pcrs.get(0);

  ensure(Array.isArray(pcr0), 'usage', 'pcr0', 'expected an array');
  const images = pcr0.map((pin) => pinned(pin, PCR_BYTES, 'pcr0'));
  ensure(allowDebug || value?.some((byte) => byte !== 0), 'untrusted', 'pcrs[0]',
    'the enclave runs in debug mode (PCR0 is zero)');
  if (anyImage && images.length === 0) return;
  ensure(images.length > 0, 'usage', 'pcr0', 'say which image you trust');
  ensure(value && images.some((image) => equal(image, value)), 'untrusted', 'pcrs[0]',
    'another image than the trusted ones');
}

/**
 * @param {Trust} trust
 * @param {Attestation} attestation
 */
async function checkConfiguration(trust, { pcrs }) {
  const { pcr16, configuration } = trust;

  ensure(pcr16 === undefined || configuration === undefined, 'usage', 'pcr16',
    'give pcr16 or configuration, not both');
  if (pcr16 === undefined && configuration === undefined) return;
  const wanted = configuration ? await measureConfiguration(configuration)
    : pinned(/** @type {Uint8Array|string} */ (pcr16), PCR_BYTES, 'pcr16');
  const value = pcrs.get(16);
  ensure(value && equal(value, wanted), 'untrusted', 'pcrs[16]',
    'another configuration than the trusted one');
}

/**
 * @param {Trust} trust
 * @param {Attestation} attestation
 */
function checkNonce({ nonce }, attestation) {
  if (nonce === undefined) return;
  const wanted = typeof nonce === 'string' ? fromHex(nonce, 'nonce') : nonce;

  ensure(wanted instanceof Uint8Array && wanted.length > 0 && wanted.length <= 512, 'usage', 'nonce',
    'expected 1 to 512 bytes, as Uint8Array or hex');
  ensure(attestation.nonce && equal(attestation.nonce, wanted), 'untrusted', 'nonce',
    'another one than was asked for');
}

/**
 * Unix milliseconds of `at`, or undefined.
 * @param {Trust} trust
 * @returns {number|undefined}
 */
export function timeOf({ at }) {
  if (at === undefined) return undefined;
  const ms = at instanceof Date ? at.getTime() : at;

  ensure(Number.isSafeInteger(ms) && ms > 0, 'usage', 'at', 'expected Unix milliseconds or a Date');
  return ms;
}

/**
 * Verifies a document of any Nitro enclave: signature, certificate path to the root, image (PCR0),
 * and configuration (PCR16) and nonce when they are given.
 * @param {Uint8Array|string} document bytes or base64
 * @param {Trust} trust
 * @returns {Promise<Attestation>}
 */
export async function verifyDocument(document, trust) {
  const root = rootOf(trust);
  const at = timeOf(trust);
  const { payload, signature } = readSign1(received(document, DOCUMENT_MAX, 'document'));
  const found = readPayload(payload);
  const key = await verifyPath(found.cabundle, found.certificate, root, at ?? found.timestamp);
  const signed = concat(cborHead('array', 4), cborHead('text', 10), utf8('Signature1'),
    cborHead('bytes', ES384_HEADER.length), ES384_HEADER, cborHead('bytes', 0),
    cborHead('bytes', payload.length), payload);

  ensure(await es384(key, signature, signed), 'untrusted', 'signature',
    'is not the leaf certificate\'s over this document');
  checkImage(trust, found);
  await checkConfiguration(trust, found);
  checkNonce(trust, found);
  return found;
}

/**
 * PCRs as an object of hex, without those that are zero: for logs and screens.
 * @param {Attestation} attestation
 * @returns {Record<string, string>}
 */
export function pcrsAsHex({ pcrs }) {
  return Object.fromEntries([...pcrs].filter(([, value]) => value.some((byte) => byte !== 0))
    .map(([index, value]) => [`pcr${index}`, toHex(value)]));
}
