// SPDX-License-Identifier: Apache-2.0
// A PKI and a security module of the test's own: certificates and documents with whatever is wrong in
// them, really signed. DER after X.690 and RFC 5280, CBOR after RFC 8949, COSE after RFC 9052; shares no
// code with either of the two verifiers.
import { createECDH, createHash, generateKeyPairSync, sign } from 'node:crypto';

export const HOUR = 3600000;

// -- DER -------------------------------------------------------------------------------------------

const length = (n) => (n < 0x80 ? Buffer.of(n) : n < 0x100 ? Buffer.of(0x81, n) : Buffer.of(0x82, n >> 8, n & 255));

export function tlv(tag, ...contents) {
  const content = Buffer.concat(contents.map((c) => (typeof c === 'number' ? Buffer.of(c) : Buffer.from(c))));
  return Buffer.concat([Buffer.of(tag), length(content.length), content]);
}

export const hex = (digits) => Buffer.from(digits, 'hex');
export const seq = (...items) => tlv(0x30, ...items);
export const oid = (digits) => tlv(0x06, hex(digits));
export const int = (...bytes) => tlv(0x02, ...bytes);
export const octets = (...content) => tlv(0x04, ...content);
export const bits = (...content) => tlv(0x03, 0, ...content);
export const TRUE = tlv(0x01, 0xff);

const two = (n) => String(n).padStart(2, '0');
const text = (ms) => {
  const d = new Date(ms);
  return [d.getUTCMonth() + 1, d.getUTCDate(), d.getUTCHours(), d.getUTCMinutes(), d.getUTCSeconds()].map(two).join('');
};
export const utcTime = (ms) => tlv(0x17, `${two(new Date(ms).getUTCFullYear() % 100)}${text(ms)}Z`);
export const longTime = (ms, end = 'Z') => tlv(0x18, `${new Date(ms).getUTCFullYear()}${text(ms)}${end}`);

export const name = (cn, tag = 0x0c) => seq(tlv(0x31, seq(oid('550406'), tlv(0x13, 'US'))), tlv(0x31, seq(oid('550403'), tlv(tag, cn))));
export const EC_KEY = oid('2a8648ce3d0201');
export const P384 = oid('2b81040022');
export const ECDSA_SHA384 = seq(oid('2a8648ce3d040303'));
export const spki = (point, curve = P384) => seq(seq(EC_KEY, curve), bits(point));
export const extension = (id, content, critical = false) => seq(oid(id), ...(critical ? [TRUE] : []), octets(content));
export const constraints = (ca, pathLength) => seq(...(ca ? [TRUE] : []), ...(pathLength === undefined ? [] : [int(pathLength)]));
export const usage = (byte, unused = 0) => tlv(0x03, unused, byte);
export const ID = {
  ski: '551d0e', usage: '551d0f', san: '551d11', constraints: '551d13', names: '551d1e',
  policies: '551d20', aki: '551d23', eku: '551d25', unknown: '2b06010401869f01',
};

// -- keys and certificates -------------------------------------------------------------------------

export function newKey(curve = 'P-384') {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: curve });
  const { x, y } = privateKey.export({ format: 'jwk' });
  return { privateKey, point: Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]) };
}

export const compressed = (point) => Buffer.concat([Buffer.of(2 + (point[point.length - 1] & 1)), point.subarray(1, 49)]);

/** A certificate from its parts; each may be overridden as DER. */
export function certificate(spec) {
  const { ca, pathLength, from, until, subject, issuer, key, issuerKey } = spec;
  const extensions = spec.extensions ?? [
    extension(ID.constraints, spec.constraints ?? constraints(ca, pathLength), true),
    extension(ID.usage, spec.usage ?? (ca ? usage(0x86, 1) : usage(0xc0, 6)), ca),
    ...(spec.more ?? []),
  ];
  const algorithm = spec.algorithm ?? ECDSA_SHA384;
  const tbs = spec.tbs?.(spec) ?? seq(
    ...(spec.version ?? [tlv(0xa0, int(2))]),
    spec.serial ?? int(1, 2, 3),
    spec.inner ?? algorithm,
    issuer,
    seq(spec.notBefore ?? utcTime(from), spec.notAfter ?? utcTime(until)),
    subject,
    spec.spki ?? spki(key.point),
    ...(spec.unique ?? []),
    ...(extensions.length ? [tlv(0xa3, seq(...extensions))] : []),
  );
  const changed = spec.change?.(tbs) ?? tbs;
  const signature = sign(spec.hash ?? 'sha384', changed, { key: issuerKey.privateKey, dsaEncoding: 'der' });
  return spec.wrap?.(changed, algorithm, signature) ?? seq(changed, algorithm, bits(spec.signature?.(signature) ?? signature));
}

/** Root, three authorities and a leaf with AWS's profile; `tweak(i, spec)` changes one of them. */
export class Pki {
  constructor(at) {
    this.at = at;
    this.keys = Array.from({ length: 5 }, () => newKey());
    this.names = ['root', 'regional', 'zonal', 'instance', 'leaf'].map((n) => name(`${n}.test`));
  }

  chain(tweak = () => ({})) {
    return this.keys.map((key, i) => {
      const spec = {
        ca: i < 4, pathLength: [undefined, 2, 1, 0][i], from: this.at - HOUR, until: this.at + 2 * HOUR,
        subject: this.names[i], issuer: this.names[Math.max(i - 1, 0)], key, issuerKey: this.keys[Math.max(i - 1, 0)],
      };
      // ECDSA never signs the same bytes alike, and the root is pinned: it is made once.
      if (i === 0) return (this.root ??= certificate(spec));
      return certificate({ ...spec, ...tweak(i, spec) });
    });
  }
}

// -- CBOR and documents ----------------------------------------------------------------------------

export function head(major, n) {
  if (n < 24) return Buffer.of(major << 5 | n);
  if (n < 0x100) return Buffer.of(major << 5 | 24, n);
  if (n < 0x10000) return Buffer.of(major << 5 | 25, n >> 8, n & 255);
  const long = Buffer.alloc(9);
  long[0] = major << 5 | (n < 2 ** 32 ? 26 : 27);
  if (n < 2 ** 32) return long.fill(0, 1).subarray(0, 5).fill(Buffer.of(n >>> 24, n >>> 16 & 255, n >>> 8 & 255, n & 255), 1);
  long.writeBigUInt64BE(BigInt(n), 1);
  return long;
}

export const cUint = (n) => head(0, n);
export const cBytes = (b) => Buffer.concat([head(2, b.length), b]);
export const cText = (t) => Buffer.concat([head(3, Buffer.byteLength(t)), Buffer.from(t)]);
export const cArray = (items) => Buffer.concat([head(4, items.length), ...items]);
export const cMap = (pairs) => Buffer.concat([head(5, pairs.length), ...pairs.flat()]);
export const cLongMap = (pairs) => Buffer.concat([Buffer.of(0xbf), ...pairs.flat(), Buffer.of(0xff)]);
export const NULL = Buffer.of(0xf6);
export const HEADER = cBytes(hex('a1013822'));

export const pcrPairs = (values) => [...values].map(([index, value]) => [cUint(index), cBytes(value)]);

/** The payload's pairs; `fields` replaces single ones (undefined: left out), `extra` comes after. */
export function payloadPairs(chain, at, values, fields = {}, extra = []) {
  const all = {
    module_id: cText('i-0-enc0'), digest: cText('SHA384'), timestamp: cUint(at), pcrs: cMap(pcrPairs(values)),
    certificate: cBytes(chain[chain.length - 1]), cabundle: cArray(chain.slice(0, -1).map(cBytes)),
    public_key: NULL, user_data: NULL, nonce: NULL, ...fields,
  };
  return [...Object.entries(all).filter(([, v]) => v !== undefined).map(([k, v]) => [cText(k), v]), ...extra];
}

export const ORDER = BigInt('0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973');

export function signPayload(payload, key, change = {}) {
  const signed = Buffer.concat([head(4, 4), cText('Signature1'), HEADER, cBytes(Buffer.alloc(0)), cBytes(payload)]);
  const signature = sign('sha384', signed, { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  const parts = {
    before: Buffer.of(0x84), header: HEADER, unprotected: Buffer.of(0xa0), payload: cBytes(payload),
    signature: cBytes(change.raw?.(signature) ?? signature), after: Buffer.alloc(0), ...change.parts,
  };
  return Buffer.concat(Object.values(parts));
}

export const sha256 = (b) => createHash('sha256').update(b).digest();

export function tagHash(tag, field) {
  const n = Buffer.alloc(4);
  n.writeUInt32BE(field.length);
  return sha256(Buffer.concat([Buffer.from(`${tag}\0`), n, field]));
}

export const tagged = (tag, field) => Buffer.concat([Buffer.from(`${tag}\0`), tagHash(tag, field)]);

/** The compressed secp256k1 key of a private one, by Node. */
export function secp256k1(privateKey) {
  const ecdh = createECDH('secp256k1');
  ecdh.setPrivateKey(privateKey);
  return ecdh.getPublicKey(null, 'compressed');
}
