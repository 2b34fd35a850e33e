// SPDX-License-Identifier: Apache-2.0
// Keyset records and sealed records (PROTOCOL.md sections 5 and 6): what an outsider can read of them.
// The sealed parts stay closed; their lengths are checked and nothing else can be.
import { concat, equal, Reader, received, toHex } from './bytes.js';
import { ensure } from './errors.js';
import { tagHash } from './tags.js';

const RECORD_MAX = 40960;
const ATTACHMENT_MAX = 16384;
const SEALED_BYTES = 60;
const ARN_MAX = 256;
const BLOB_MAX = 6144;
const WRAPS_MAX = 5;
const RECOVERY_MAX = 512;
const KEY_TYPES = ['secp256k1', 'bls12-381', 'p-256'];
const RECORD_PURPOSES = ['account', 'validator', 'tls'];
const KEYSET_PURPOSES = ['accounts', 'validators', 'tls'];
const PROVENANCES = ['generated', 'imported', 'exposed'];
const ARN = new RegExp('^arn:(aws|aws-us-gov|aws-cn):kms:((?:[a-z]{2,}-){2,}[1-9][0-9]?):[0-9]{12}:key/'
  + '([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$');

/**
 * @param {Reader} reader
 * @param {string} name
 * @returns {string} 32 hex digits
 */
function readId(reader, name) {
  const text = toHex(reader.take(16, name));

  ensure(/[^0]/.test(text), 'malformed', `${reader.field}.${name}`, 'is zero');
  return text;
}

/**
 * @param {Reader} reader
 * @param {string} name
 * @param {string[]} names of 1, 2, 3...
 */
function readChoice(reader, name, names) {
  const value = reader.uint(1, name);

  ensure(value >= 1 && value <= names.length, 'unsupported', `${reader.field}.${name}`,
    `expected 1 to ${names.length}`);
  return names[value - 1];
}

/** @param {Reader} reader */
function readVersion(reader) {
  ensure(reader.uint(2, 'version') === 1, 'unsupported', `${reader.field}.version`, 'expected 1');
}

/**
 * @typedef {object} SealedRecord
 * @property {Uint8Array} publicBytes what the receipt covers
 * @property {string} deployment ids are 32 hex digits
 * @property {string} keyset
 * @property {string} account
 * @property {string} keyType 'secp256k1', 'bls12-381' or 'p-256'
 * @property {string} purpose 'account', 'validator' or 'tls'
 * @property {Uint8Array} publicKey
 * @property {Uint8Array} policyHash
 * @property {Uint8Array} authoriserHash
 * @property {string} provenance 'generated', 'imported' or 'exposed'
 * @property {number} generation
 * @property {number} created Unix milliseconds
 * @property {Uint8Array} policy canonical; its hash is policyHash
 * @property {Uint8Array} authorisers canonical; their hash is authoriserHash
 */

/**
 * Reads a sealed record and checks that its attachments have the hashes in its public bytes. This says
 * nothing about who made it: that is the receipt's part.
 * @param {Uint8Array|string} record bytes or base64
 * @returns {Promise<SealedRecord>}
 */
export async function parseRecord(record) {
  const bytes = received(record, RECORD_MAX, 'record');
  const reader = new Reader(bytes, 'record');

  readVersion(reader);
  const head = {
    deployment: readId(reader, 'deployment'),
    keyset: readId(reader, 'keyset'),
    account: readId(reader, 'account'),
    keyType: readChoice(reader, 'key type', KEY_TYPES),
    purpose: readChoice(reader, 'purpose', RECORD_PURPOSES),
    publicKey: reader.variable(1, 48, 'public key'),
    policyHash: reader.take(32, 'policy hash'),
    authoriserHash: reader.take(32, 'authoriser hash'),
    provenance: readChoice(reader, 'provenance', PROVENANCES),
    generation: reader.uint(4, 'generation'),
    created: reader.safe('created'),
  };
  const publicBytes = bytes.subarray(0, reader.at);
  const policy = reader.variable(2, ATTACHMENT_MAX, 'policy');
  const authorisers = reader.variable(2, ATTACHMENT_MAX, 'authorisers');
  const sealed = reader.variable(2, SEALED_BYTES, 'sealed');
  reader.end();
  ensure(sealed.length === SEALED_BYTES, 'malformed', 'record.sealed', 'expected 60 bytes');
  ensure(head.publicKey.length === (head.keyType === 'bls12-381' ? 48 : 33), 'malformed',
    'record.public key', 'expected the length of its key type');
  ensure(head.generation >= 1, 'malformed', 'record.generation', 'expected at least 1');
  for (const [name, hash, tag, attached] of [
    ['policy', head.policyHash, 'cloister-policy-1', policy],
    ['authorisers', head.authoriserHash, 'cloister-authorisers-1', authorisers],
  ]) {
    ensure(equal(await tagHash(tag, attached), hash), 'untrusted', `record.${name}`,
      'does not have the hash in the public bytes');
  }
  return { ...head, publicBytes, policy, authorisers };
}

/**
 * @typedef {object} KeysetRecord
 * @property {Uint8Array} publicFields what the receipt covers
 * @property {string} deployment
 * @property {string} keyset
 * @property {string} name
 * @property {string} purpose 'accounts', 'validators' or 'tls'
 * @property {number} created Unix milliseconds
 * @property {number} threshold how many CMKs it takes to open it
 * @property {string[]} cmks key ARNs
 */

/**
 * @param {string} arn
 * @param {string} field
 */
function checkArn(arn, field) {
  const [, partition, region] = ARN.exec(arn) ?? [];
  const wanted = ['cn-', 'us-gov-'].find((prefix) => region?.startsWith(prefix)) ?? '';

  ensure(partition === { 'cn-': 'aws-cn', 'us-gov-': 'aws-us-gov', '': 'aws' }[wanted]
    && region.length <= 32, 'malformed', field, 'expected the ARN of a KMS key');
}

/**
 * One wrapping; its public part is returned as received.
 * @param {Reader} reader
 * @param {number} n
 */
function readWrap(reader, n) {
  const from = reader.at;

  ensure(reader.uint(1, 'kind') === 1, 'unsupported', 'keyset.kind', 'expected 1');
  const x = reader.uint(1, 'share');
  ensure(x >= 1 && x <= n, 'malformed', 'keyset.share', 'expected a coordinate of 1 to n');
  const cmk = String.fromCharCode(...reader.variable(2, ARN_MAX, 'CMK'));
  checkArn(cmk, 'keyset.CMK');
  ensure(reader.variable(2, BLOB_MAX, 'blob').length > 0, 'malformed', 'keyset.blob', 'is empty');
  const publicPart = reader.bytes.subarray(from, reader.at);
  ensure(reader.variable(1, SEALED_BYTES, 'sealed').length === SEALED_BYTES, 'malformed',
    'keyset.sealed', 'expected 60 bytes');
  return { x, cmk, publicPart };
}

/**
 * Reads a keyset record. As with parseRecord, who made it is the receipt's part.
 * @param {Uint8Array|string} record bytes or base64
 * @returns {KeysetRecord}
 */
export function parseKeyset(record) {
  const bytes = received(record, RECORD_MAX, 'keyset');
  const reader = new Reader(bytes, 'keyset');

  readVersion(reader);
  const head = {
    deployment: readId(reader, 'deployment'),
    keyset: readId(reader, 'id'),
    name: String.fromCharCode(...reader.variable(1, 32, 'name')),
    purpose: readChoice(reader, 'purpose', KEYSET_PURPOSES),
    created: reader.safe('created'),
    threshold: reader.uint(1, 'threshold'),
  };
  const n = reader.uint(1, 'wrappings');
  ensure(/^[a-z0-9_-]{1,32}$/.test(head.name), 'malformed', 'keyset.name',
    'expected 1 to 32 of a-z 0-9 - _');
  ensure(n <= WRAPS_MAX, 'malformed', 'keyset.wrappings', 'expected at most 5');
  ensure(head.threshold >= 1 && head.threshold <= n, 'malformed', 'keyset.threshold',
    'expected 1 to the number of wrappings');
  const before = bytes.subarray(0, reader.at);
  const wraps = Array.from({ length: n }, () => readWrap(reader, n));
  const from = reader.at;
  const recovery = reader.variable(2, RECOVERY_MAX, 'recovery');
  const after = bytes.subarray(from, reader.at);
  reader.take(32, 'check');
  reader.end();
  ensure(recovery.length % 32 === 0, 'malformed', 'keyset.recovery', 'expected 32 bytes for each key');
  for (const [property, name] of [['x', 'share'], ['cmk', 'CMK']]) {
    ensure(new Set(wraps.map((wrap) => wrap[property])).size === n, 'malformed', `keyset.${name}`,
      'is repeated');
  }
  return {
    ...head,
    cmks: wraps.map((wrap) => wrap.cmk),
    publicFields: concat(before, ...wraps.map((wrap) => wrap.publicPart), after),
  };
}
