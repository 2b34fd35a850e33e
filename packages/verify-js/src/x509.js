// SPDX-License-Identifier: Apache-2.0
// The certificate path of an attestation document (RFC 5280 6, with the profile of AWS's Nitro
// certificates): P-384 and ecdsa-with-SHA384 only, each certificate issued by the one before it in the
// document, the first one pinned. Revocation lists are not asked: AWS says not to, leaves live hours.
import { equal, fromHex, toHex } from './bytes.js';
import { es384, p384Key, sha256 } from './crypto.js';
import { DerReader, TAG } from './der.js';
import { ensure, VerifyError } from './errors.js';

// AlgorithmIdentifier of ecdsa-with-SHA384 (RFC 5758 3.2: without parameters).
const ECDSA_SHA384 = '300a06082a8648ce3d040303';
// SubjectPublicKeyInfo of an uncompressed point of the named curve secp384r1 (RFC 5480), up to it.
const P384_KEY = fromHex('3076301006072a8648ce3d020106052b8104002203620004', '');
const POINT_BYTES = 97;
const SCALAR_BYTES = 48;
const OID = { // contents, as hex
  subjectKeyIdentifier: '551d0e', keyUsage: '551d0f', basicConstraints: '551d13',
  nameConstraints: '551d1e', authorityKeyIdentifier: '551d23',
};
const CRITICAL_KNOWN = [OID.keyUsage, OID.basicConstraints];
// BIT STRING, UTF8String, NumericString, PrintableString, TeletexString, IA5String, UniversalString,
// BMPString, SEQUENCE
const STRINGS = [0x03, TAG.utf8String, 0x12, 0x13, 0x14, 0x16, 0x1c, 0x1e, TAG.sequence];
const USAGE = { digitalSignature: 0x80, keyCertSign: 0x04 }; // of the first byte of the bit string
const IMPLICIT = { keyIdentifier: 0x80, authorityCertIssuer: 0xa1, authorityCertSerial: 0x82 };
const EXPLICIT = { version: 0xa0, issuerUniqueId: 0x81, subjectUniqueId: 0x82, extensions: 0xa3 };
const DIRECTORY_NAME = 0xa4;

/**
 * @typedef {object} Certificate
 * @property {string} field
 * @property {Uint8Array} tbs the signed part, as received
 * @property {Uint8Array} serial
 * @property {Uint8Array} issuer Name, as received
 * @property {Uint8Array} subject
 * @property {number} notBefore Unix milliseconds
 * @property {number} notAfter
 * @property {CryptoKey} key
 * @property {Uint8Array} signature r || s
 * @property {boolean} isCa
 * @property {number} pathLength Infinity: no limit
 * @property {number} usage first byte of keyUsage
 * @property {string|null} keyId as hex
 * @property {{keyId: string|null, issuer: Uint8Array|null, serial: string|null}|null} authority
 */

/**
 * The DER of an ECDSA signature (RFC 3279 2.2.3) as r || s.
 * @param {Uint8Array} der
 * @param {string} field
 * @returns {Uint8Array}
 */
function rawSignature(der, field) {
  const outer = new DerReader(der, `${field}.signature`);
  const numbers = outer.inside(TAG.sequence);
  const raw = new Uint8Array(2 * SCALAR_BYTES);

  for (const end of [SCALAR_BYTES, 2 * SCALAR_BYTES]) {
    const number = numbers.unsigned();
    ensure(number.length <= SCALAR_BYTES, 'untrusted', `${field}.signature`, 'is too large');
    raw.set(number, end - number.length);
  }
  numbers.end();
  outer.end();
  return raw;
}

/**
 * UTCTime or GeneralizedTime in the forms of RFC 5280 4.1.2.5: to the second, in UTC.
 * @param {DerReader} reader
 * @returns {number} Unix milliseconds
 */
function readTime(reader) {
  const { tag, content } = reader.next();
  const text = String.fromCharCode(...content);
  const digits = tag === TAG.utcTime ? 2 : 4;

  ensure(tag === TAG.utcTime || tag === TAG.generalizedTime, 'untrusted', reader.field,
    'validity: expected UTCTime or GeneralizedTime');
  const match = new RegExp(`^(\\d{${digits}})(\\d\\d)(\\d\\d)(\\d\\d)(\\d\\d)(\\d\\d)Z$`).exec(text);
  ensure(match, 'untrusted', reader.field, 'validity: expected a time to the second, in UTC');
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number);
  const full = digits === 4 ? year : year + (year < 50 ? 2000 : 1900);
  const ms = new Date(0).setUTCFullYear(full, month - 1, day) + ((hour * 60 + minute) * 60 + second) * 1000;
  const iso = new Date(ms).toISOString().replace(/\D/g, '');
  ensure(iso.startsWith(String(full).padStart(4, '0') + text.slice(digits, -1)), 'untrusted',
    reader.field, 'validity: there is no such time');
  return ms;
}

/**
 * The value of a name's attribute: one of the string types of X.520, UTF-8 where it says so.
 * @param {DerReader} reader
 */
function readAttribute(reader) {
  const { tag, content } = reader.next();

  ensure(STRINGS.includes(tag), 'untrusted', reader.field, 'name: expected strings');
  if (tag !== TAG.utf8String) return;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    throw new VerifyError('untrusted', reader.field, 'name: is not UTF-8');
  }
}

/**
 * A Name: compared as received, but it must be one.
 * @param {DerReader} reader
 * @returns {Uint8Array}
 */
function readName(reader) {
  const { raw, content } = reader.next(TAG.sequence);
  const name = new DerReader(content, reader.field);

  while (name.more) {
    const set = name.inside(TAG.set);
    do {
      const pair = set.inside(TAG.sequence);
      pair.next(TAG.oid);
      readAttribute(pair);
      pair.end();
    } while (set.more);
  }
  return raw;
}

/**
 * The point of a SubjectPublicKeyInfo. Curves spelled out in numbers are refused, even when the
 * numbers are P-384's (CVE-2020-0601).
 * @param {DerReader} reader
 * @returns {Promise<CryptoKey>}
 */
async function readKey(reader) {
  const { raw } = reader.next(TAG.sequence);

  ensure(raw.length === P384_KEY.length + POINT_BYTES - 1
    && equal(raw.subarray(0, P384_KEY.length), P384_KEY), 'untrusted', reader.field,
  'expected an uncompressed key of P-384');
  const key = await p384Key(raw.slice(P384_KEY.length - 1));
  ensure(key, 'untrusted', reader.field, 'its key is no point of P-384');
  return key;
}

/**
 * The content of a BIT STRING of whole bytes.
 * @param {DerReader} reader
 * @returns {Uint8Array}
 */
function wholeBits(reader) {
  const { content } = reader.next(TAG.bitString);

  ensure(content.length > 0 && content[0] === 0, 'untrusted', reader.field,
    'expected a bit string of whole bytes');
  return content.subarray(1);
}

/**
 * OID as hex -> content of the OCTET STRING.
 * @param {DerReader} reader of Extensions
 * @returns {Map<string, Uint8Array>}
 */
function readExtensions(reader) {
  const found = new Map();

  ensure(reader.more, 'untrusted', reader.field, 'has no extensions');
  while (reader.more) {
    const extension = reader.inside(TAG.sequence);
    const oid = toHex(extension.next(TAG.oid).content);
    const critical = extension.tag === TAG.boolean;

    // DER leaves out a default (X.690 11.5): what stands there can only be TRUE.
    ensure(!critical || extension.boolean(), 'untrusted', reader.field, 'critical: expected TRUE');
    ensure(!critical || CRITICAL_KNOWN.includes(oid), 'untrusted', reader.field,
      `has a critical extension that is not known (${oid})`);
    ensure(!found.has(oid), 'untrusted', reader.field, `has an extension twice (${oid})`);
    found.set(oid, extension.next(TAG.octetString).content);
    extension.end();
  }
  ensure(!found.has(OID.nameConstraints), 'untrusted', reader.field,
    'has name constraints, which are not part of the profile');
  return found;
}

/**
 * @param {Uint8Array|undefined} der
 * @param {string} field
 * @returns {{isCa: boolean, pathLength: number}}
 */
function readConstraints(der, field) {
  ensure(der, 'untrusted', field, 'has no basicConstraints');
  const outer = new DerReader(der, `${field}.basicConstraints`);
  const inner = outer.inside(TAG.sequence);
  // Inside extensions some authorities write BER, where any byte but 0 is TRUE; libcrypto takes it.
  const isCa = inner.tag === TAG.boolean && inner.next().content[0] > 0;
  let pathLength = Infinity;

  if (inner.more) {
    const number = inner.unsigned();
    ensure(number.length <= 3, 'untrusted', field, 'path length is too large');
    pathLength = number.reduce((all, byte) => all * 256 + byte, 0);
  }
  inner.end();
  outer.end();
  return { isCa, pathLength };
}

/**
 * The first byte of keyUsage: all bits that matter here.
 * @param {Uint8Array|undefined} der
 * @param {string} field
 * @returns {number}
 */
function readUsage(der, field) {
  ensure(der, 'untrusted', field, 'has no keyUsage');
  const outer = new DerReader(der, `${field}.keyUsage`);
  const { content } = outer.next(TAG.bitString);
  const unused = content[0];

  outer.end();
  ensure(content.length >= 2 && content.length <= 3 && unused < 8, 'untrusted', field,
    'keyUsage: expected a bit string of one or two bytes');
  return content.length === 2 ? content[1] & (0xff << unused) : content[1];
}

/**
 * @param {Uint8Array|undefined} der
 * @param {string} field
 * @returns {string|null}
 */
function readKeyId(der, field) {
  if (!der) return null;
  const reader = new DerReader(der, `${field}.subjectKeyIdentifier`);
  const { content } = reader.next(TAG.octetString);

  reader.end();
  return toHex(content);
}

/**
 * AuthorityKeyIdentifier (RFC 5280 4.2.1.1).
 * @param {Uint8Array|undefined} der
 * @param {string} field
 */
function readAuthority(der, field) {
  if (!der) return null;
  const outer = new DerReader(der, `${field}.authorityKeyIdentifier`);
  const inner = outer.inside(TAG.sequence);
  const part = (tag) => (inner.tag === tag ? inner.next(tag).content : null);
  const keyId = part(IMPLICIT.keyIdentifier);
  const names = part(IMPLICIT.authorityCertIssuer);
  const serial = part(IMPLICIT.authorityCertSerial);
  let issuer = null;

  inner.end();
  outer.end();
  if (names) {
    const general = new DerReader(names, outer.field);
    while (general.more && !issuer) {
      const { tag, content } = general.next();
      if (tag === DIRECTORY_NAME) issuer = content;
    }
  }
  return { keyId: keyId && toHex(keyId), issuer, serial: serial && toHex(serial) };
}

/**
 * Reads one certificate and checks everything that does not depend on its neighbours.
 * @param {Uint8Array} der
 * @param {string} field
 * @param {boolean} shouldBeCa
 * @returns {Promise<Certificate>}
 */
async function readCertificate(der, field, shouldBeCa) {
  const outer = new DerReader(der, field);
  const certificate = outer.inside(TAG.sequence);
  const { raw: tbs, content } = certificate.next(TAG.sequence);
  const algorithm = toHex(certificate.next(TAG.sequence).raw);
  const signature = rawSignature(wholeBits(certificate), field);
  const fields = new DerReader(content, field);

  certificate.end();
  outer.end();
  ensure(fields.tag === EXPLICIT.version
    && toHex(fields.next(EXPLICIT.version).content) === '020102', 'untrusted', field,
  'expected X.509 version 3');
  const serial = fields.integer();
  const inner = toHex(fields.next(TAG.sequence).raw);
  ensure(algorithm === ECDSA_SHA384 && inner === ECDSA_SHA384, 'untrusted', field,
    'expected a signature by ecdsa-with-SHA384');
  const issuer = readName(fields);
  const validity = fields.inside(TAG.sequence);
  const notBefore = readTime(validity);
  const notAfter = readTime(validity);
  validity.end();
  const subject = readName(fields);
  const key = await readKey(fields);
  for (const tag of [EXPLICIT.issuerUniqueId, EXPLICIT.subjectUniqueId]) {
    if (fields.tag === tag) fields.next(tag);
  }
  const wrapped = fields.inside(EXPLICIT.extensions);
  const extensions = readExtensions(wrapped.inside(TAG.sequence));
  wrapped.end();
  fields.end();
  const { isCa, pathLength } = readConstraints(extensions.get(OID.basicConstraints), field);
  const usage = readUsage(extensions.get(OID.keyUsage), field);
  ensure(isCa === shouldBeCa, 'untrusted', field,
    'its basicConstraints do not fit its place in the path');
  ensure(usage & (isCa ? USAGE.keyCertSign : USAGE.digitalSignature), 'untrusted', field,
    'its keyUsage does not fit its place in the path');
  return {
    field, tbs, serial, issuer, subject, notBefore, notAfter, key, signature, isCa, pathLength, usage,
    keyId: readKeyId(extensions.get(OID.subjectKeyIdentifier), field),
    authority: readAuthority(extensions.get(OID.authorityKeyIdentifier), field),
  };
}

/**
 * Key identifiers need not be there, but they must not point elsewhere.
 * @param {Certificate} certificate
 * @param {Certificate} issuer
 */
function fitsAuthority({ authority }, issuer) {
  if (!authority) return true;
  if (authority.keyId !== null && issuer.keyId !== null && authority.keyId !== issuer.keyId) return false;
  if (authority.serial !== null && authority.serial !== toHex(issuer.serial)) return false;
  return authority.issuer === null || equal(authority.issuer, issuer.issuer);
}

/**
 * @param {Certificate} certificate
 * @param {Certificate} issuer
 */
async function checkIssued(certificate, issuer) {
  ensure(equal(certificate.issuer, issuer.subject), 'untrusted', certificate.field,
    'its issuer is not the certificate before it');
  ensure(fitsAuthority(certificate, issuer), 'untrusted', certificate.field,
    'its authorityKeyIdentifier names another issuer');
  ensure(await es384(issuer.key, certificate.signature, certificate.tbs), 'untrusted',
    certificate.field, 'its signature does not verify');
}

/**
 * Path length (RFC 5280 6.1.4 l, m): how many authorities may stand between this one and the leaf.
 * @param {Certificate[]} chain root first
 */
function checkLengths(chain) {
  let below = 0;

  for (const certificate of chain.slice(0, -1).reverse()) {
    ensure(below <= certificate.pathLength, 'untrusted', certificate.field,
      'its path length constraint is exceeded');
    if (!equal(certificate.issuer, certificate.subject)) below += 1;
  }
}

/**
 * Verifies the path of a document.
 *
 * The last second of notAfter counts as expired: stricter than RFC 5280 by that second, and what
 * libcrypto does.
 *
 * @param {Uint8Array[]} bundle root first, as in the document
 * @param {Uint8Array} leaf
 * @param {Uint8Array} root its SHA-256 fingerprint (32 bytes) or its whole DER
 * @param {number} at Unix milliseconds
 * @returns {Promise<CryptoKey>} the leaf's key
 */
export async function verifyPath(bundle, leaf, root, at) {
  const pinned = root.length === 32 ? equal(await sha256(bundle[0]), root) : equal(bundle[0], root);
  const chain = [];

  ensure(pinned, 'untrusted', 'cabundle[0]', 'is not the pinned root');
  for (const [i, der] of [...bundle, leaf].entries()) {
    const isLeaf = i === bundle.length;
    chain.push(await readCertificate(der, isLeaf ? 'certificate' : `cabundle[${i}]`, !isLeaf));
  }
  ensure(new Set(bundle.map(toHex)).size === bundle.length, 'untrusted', 'cabundle',
    'holds a certificate twice');
  for (const [i, certificate] of chain.entries()) await checkIssued(certificate, chain[Math.max(i - 1, 0)]);
  checkLengths(chain);
  for (const { field, notBefore, notAfter } of chain) {
    ensure(notBefore <= at && at < notAfter, 'expired', field, 'is not valid at that time');
  }
  return chain[bundle.length].key;
}
