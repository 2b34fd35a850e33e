// SPDX-License-Identifier: Apache-2.0
// The table of named cases: what is asked, of which bytes, under which trust, and what must come out.
// `expect` is 'ok' or the code of the refusal.
import fs from 'node:fs';
import path from 'node:path';
import * as k from './pki.mjs';

const { cArray, cBytes, cLongMap, cMap, cText, cUint, HOUR, hex, ID, NULL } = k;
const PCR0 = Buffer.alloc(48, 0xa0);
const PCR16 = Buffer.alloc(48, 0xc0);
const NONCE = Buffer.from('a nonce of the test');

/** Documents of the test's own PKI. */
export class Maker {
  constructor(at) {
    this.at = at;
    this.pki = new k.Pki(at);
    this.plain = this.pki.chain();
    this.root = k.sha256(this.plain[0]);
    this.pcrs = new Map(Array.from({ length: 16 }, (_, i) => [i, i ? Buffer.alloc(48) : PCR0]));
    this.pcrs.set(16, PCR16);
    this.trust = { root: this.root, pcr0: [PCR0], pcr16: PCR16 };
  }

  payload({ chain = this.plain, fields = {}, extra = [], pcrs = this.pcrs, at = this.at } = {}) {
    return k.payloadPairs(chain, at, pcrs, fields, extra);
  }

  document(what = {}) {
    const pairs = this.payload(what);
    const payload = what.encode?.(pairs) ?? cMap(pairs);
    return k.signPayload(payload, what.key ?? this.pki.keys[4], what);
  }

  withCertificate(index, tweak) {
    return this.document({ chain: this.pki.chain((i, spec) => (i === index ? tweak(spec) : {})) });
  }
}

// -- what a COSE_Sign1 can be ----------------------------------------------------------------------

function cose(m) {
  const parts = (p) => m.document({ parts: p });
  const raw = (change) => m.document({ raw: change });
  const big = (n) => hex(n.toString(16).padStart(96, '0'));
  const plain = m.document();
  const zeros = Buffer.alloc(48);

  return [
    ['as AWS writes it', 'ok', plain],
    ['tag 18', 'ok', Buffer.concat([hex('d2'), plain])],
    ['tag 18 twice', 'malformed', Buffer.concat([hex('d2d2'), plain])],
    ['tag 18 in two bytes', 'malformed', Buffer.concat([hex('d812'), plain])],
    ['tag 17', 'malformed', Buffer.concat([hex('d1'), plain])],
    ['tag 98', 'malformed', Buffer.concat([hex('d862'), plain])],
    ['nothing', 'malformed', Buffer.alloc(0)],
    ['more than 16384 bytes', 'malformed', Buffer.concat([plain, Buffer.alloc(16384)])],
    ['a trailing byte', 'malformed', parts({ after: hex('00') })],
    ['a trailing null', 'malformed', parts({ after: NULL })],
    ['an array of three', 'malformed', parts({ before: hex('83') })],
    ['an array of five', 'malformed', parts({ before: hex('85'), after: NULL })],
    ['an indefinite array', 'malformed', parts({ before: hex('9f'), after: hex('ff') })],
    ['an array of four, long form', 'malformed', parts({ before: hex('9804') })],
    ['a map', 'malformed', parts({ before: hex('a2') })],
    ['ES256', 'malformed', parts({ header: cBytes(hex('a10126')) })],
    ['no algorithm', 'malformed', parts({ header: cBytes(hex('a0')) })],
    ['an empty header', 'malformed', parts({ header: hex('40') })],
    ['ES384 in a long form', 'malformed', parts({ header: cBytes(hex('a101390022')) })],
    ['a header with more in it', 'malformed', parts({ header: cBytes(hex('a2013822040d')) })],
    ['a header as map', 'malformed', parts({ header: hex('a1013822') })],
    ['an unprotected header', 'malformed', parts({ unprotected: hex('a10400') })],
    ['an indefinite unprotected header', 'malformed', parts({ unprotected: hex('bfff') })],
    ['an unprotected null', 'malformed', parts({ unprotected: NULL })],
    ['a detached payload', 'malformed', parts({ payload: NULL })],
    ['an empty payload', 'malformed', parts({ payload: hex('40') })],
    ['an indefinite payload string', 'malformed', parts({ payload: hex('5f4101ff') })],
    ['a signature of 95 bytes', 'malformed', raw((s) => s.subarray(0, 95))],
    ['a signature of 97 bytes', 'malformed', raw((s) => Buffer.concat([s, hex('00')]))],
    ['a signature as text', 'malformed', parts({ signature: Buffer.concat([hex('7860'), Buffer.alloc(96, 0x41)]) })],
    ['s and n - s are the same signature', 'ok', raw((s) => Buffer.concat([s.subarray(0, 48), big(k.ORDER - BigInt(`0x${s.subarray(48).toString('hex')}`))]))],
    ['r is zero', 'untrusted', raw((s) => Buffer.concat([zeros, s.subarray(48)]))],
    ['s is zero', 'untrusted', raw((s) => Buffer.concat([s.subarray(0, 48), zeros]))],
    ['r is n', 'untrusted', raw((s) => Buffer.concat([big(k.ORDER), s.subarray(48)]))],
    ['s is n', 'untrusted', raw((s) => Buffer.concat([s.subarray(0, 48), big(k.ORDER)]))],
    ['r and s exchanged', 'untrusted', raw((s) => Buffer.concat([s.subarray(48), s.subarray(0, 48)]))],
    ['signed by another key', 'untrusted', m.document({ key: m.pki.keys[3] })],
  ];
}

// -- what a payload can be -------------------------------------------------------------------------

function payload(m) {
  const fields = (f) => m.document({ fields: f });
  const pcrs = (entries) => m.document({ pcrs: new Map(entries) });
  const numbered = (n) => Array.from({ length: n }, (_, i) => [i, i ? PCR16 : PCR0]);
  const long = (n) => Buffer.concat([hex('58'), Buffer.of(n), Buffer.alloc(n, 1)]);
  const names = ['module_id', 'digest', 'timestamp', 'pcrs', 'certificate', 'cabundle'];
  const optional = ['public_key', 'user_data', 'nonce'];
  const again = (name) => m.document({ extra: [m.payload().find(([key]) => key.equals(cText(name)))] });
  const bundle = (n) => Array.from({ length: n }, () => cBytes(m.plain[1]));
  const anyPcr16 = { anyConfiguration: true, pcr16: undefined };

  return [
    ['an indefinite map', 'ok', m.document({ encode: cLongMap })],
    ['an indefinite map without its end', 'malformed', m.document({ encode: (p) => cLongMap(p).subarray(0, -1) })],
    ['an indefinite map of PCRs', 'ok', fields({ pcrs: cLongMap(k.pcrPairs(m.pcrs)) })],
    ['keys in another order', 'ok', m.document({ encode: (p) => cMap([...p].reverse()) })],
    ['bytes after the map', 'malformed', m.document({ encode: (p) => Buffer.concat([cMap(p), hex('00')]) })],
    ['one pair fewer than said', 'malformed', m.document({ encode: (p) => Buffer.concat([k.head(5, p.length + 1), cMap(p).subarray(1)]) })],
    ['one pair more than said', 'malformed', m.document({ encode: (p) => Buffer.concat([k.head(5, p.length - 1), cMap(p).subarray(1)]) })],
    ['an array', 'malformed', m.document({ encode: (p) => cArray(p.flat()) })],
    ['a tagged map', 'malformed', m.document({ encode: (p) => Buffer.concat([hex('c1'), cMap(p)]) })],
    ...names.map((name) => [`without ${name}`, 'malformed', fields({ [name]: undefined })]),
    ...names.map((name) => [`${name} is null`, 'malformed', fields({ [name]: NULL })]),
    ...optional.map((name) => [`without ${name}`, 'ok', fields({ [name]: undefined })]),
    ...optional.map((name) => [`${name} is text`, 'malformed', fields({ [name]: cText('text') })]),
    ...optional.map((name) => [`${name} is undefined`, 'malformed', fields({ [name]: hex('f7') })]),
    ...optional.map((name) => [`${name} is in two pieces`, 'malformed', fields({ [name]: hex('5f41014102ff') })]),
    ...optional.map((name) => [`${name} has a length in a long form`, 'malformed', fields({ [name]: long(5) })]),
    ...[...names, ...optional].map((name) => [`${name} twice`, 'malformed', again(name)]),
    ['an unknown field', 'malformed', m.document({ extra: [[cText('more'), cUint(0)]] })],
    ['a field of Object', 'malformed', m.document({ extra: [[cText('constructor'), cUint(0)]] })],
    ['a field __proto__', 'malformed', m.document({ extra: [[cText('__proto__'), NULL]] })],
    ['a number as key', 'malformed', m.document({ extra: [[cUint(0), cUint(0)]] })],
    ['a key as bytes', 'malformed', m.document({ extra: [[cBytes(Buffer.from('nonce')), NULL]] })],
    ['a key in another case', 'malformed', m.document({ fields: { nonce: undefined }, extra: [[cText('Nonce'), NULL]] })],
    ['digest SHA256', 'malformed', fields({ digest: cText('SHA256') })],
    ['digest as bytes', 'malformed', fields({ digest: cBytes(Buffer.from('SHA384')) })],
    ['timestamp zero', 'malformed', fields({ timestamp: cUint(0) })],
    ['timestamp negative', 'malformed', fields({ timestamp: hex('3903e7') })],
    ['timestamp as float', 'malformed', fields({ timestamp: hex('fb4278bcfe56800000') })],
    ['timestamp as date', 'malformed', fields({ timestamp: hex('c11a5f5e1000') })],
    ['timestamp in a long form', 'malformed', fields({ timestamp: hex('1b0000000000000001') })],
    ['timestamp 2^63', 'malformed', fields({ timestamp: hex('1b8000000000000000') })],
    ['timestamp 2^64 - 1', 'malformed', fields({ timestamp: hex('1bffffffffffffffff') })],
    ['module_id empty', 'malformed', fields({ module_id: cText('') })],
    ['module_id of 256 characters', 'ok', fields({ module_id: cText('i'.repeat(256)) })],
    ['module_id of 257 characters', 'malformed', fields({ module_id: cText('i'.repeat(257)) })],
    ['module_id with a blank', 'malformed', fields({ module_id: cText('i 0') })],
    ['module_id with a line end', 'malformed', fields({ module_id: cText('i-0\n') })],
    ['module_id with umlauts', 'malformed', fields({ module_id: cText('\u00e4') })],
    ['module_id that is not UTF-8', 'malformed', fields({ module_id: hex('62c328') })],
    ['module_id with DEL', 'malformed', fields({ module_id: cText('i\x7f') })],
    ['16 PCRs', 'ok', pcrs(numbered(16)), anyPcr16],
    ['17 PCRs', 'ok', pcrs(numbered(17))],
    ['31 PCRs', 'ok', pcrs(numbered(31))],
    ['32 PCRs', 'ok', pcrs(numbered(32))],
    ['33 PCRs', 'malformed', pcrs(numbered(33))],
    ['PCR0 alone', 'ok', pcrs(numbered(1)), anyPcr16],
    ['PCRs from the last one', 'ok', pcrs(numbered(32).reverse())],
    ['no PCR', 'malformed', pcrs([])],
    ['without PCR0', 'untrusted', pcrs(numbered(17).slice(1))],
    ['without PCR16', 'untrusted', pcrs(numbered(16))],
    ['PCR0 twice', 'malformed', fields({ pcrs: cMap(k.pcrPairs([...numbered(17), [0, PCR0]])) })],
    ['PCR16 twice', 'malformed', fields({ pcrs: cMap(k.pcrPairs([...numbered(17), [16, PCR16]])) })],
    ['an index of -1', 'malformed', fields({ pcrs: cMap([...k.pcrPairs(numbered(17)), [hex('20'), cBytes(PCR0)]]) })],
    ['an index as text', 'malformed', fields({ pcrs: cMap([...k.pcrPairs(numbered(17)), [cText('17'), cBytes(PCR0)]]) })],
    ['an index of 0 in a long form', 'malformed', fields({ pcrs: cMap([...k.pcrPairs(numbered(17)), [hex('1800'), cBytes(PCR0)]]) })],
    ...[0, 32, 47, 49, 64].map((n) => [`a PCR of ${n} bytes`, 'malformed', pcrs([...numbered(17), [20, Buffer.alloc(n)]])]),
    ['a PCR that is null', 'malformed', fields({ pcrs: cMap([...k.pcrPairs(numbered(17)), [cUint(20), NULL]]) })],
    ['certificate empty', 'malformed', fields({ certificate: hex('40') })],
    ['certificate of 1025 bytes', 'malformed', fields({ certificate: cBytes(Buffer.alloc(1025)) })],
    ['certificate of zeros', 'untrusted', fields({ certificate: cBytes(Buffer.alloc(600)) })],
    ['cabundle empty', 'malformed', fields({ cabundle: cArray([]) })],
    ['cabundle of nine', 'malformed', fields({ cabundle: cArray(bundle(9)) })],
    ['cabundle indefinite', 'malformed', fields({ cabundle: Buffer.concat([hex('9f'), ...m.plain.slice(0, 4).map(cBytes), hex('ff')]) })],
    ['cabundle with an empty one', 'malformed', fields({ cabundle: cArray([...m.plain.slice(0, 4).map(cBytes), hex('40')]) })],
    ['cabundle with a long one', 'malformed', fields({ cabundle: cArray([...m.plain.slice(0, 4).map(cBytes), cBytes(Buffer.alloc(1025))]) })],
    ['user_data empty', 'ok', fields({ user_data: hex('40') })],
    ['user_data of 512 bytes', 'ok', fields({ user_data: cBytes(Buffer.alloc(512)) })],
    ['user_data of 513 bytes', 'malformed', fields({ user_data: cBytes(Buffer.alloc(513)) })],
    ['nonce of 512 bytes', 'ok', fields({ nonce: cBytes(Buffer.alloc(512)) })],
    ['nonce of 513 bytes', 'malformed', fields({ nonce: cBytes(Buffer.alloc(513)) })],
    ['public_key empty', 'malformed', fields({ public_key: hex('40') })],
    ['public_key of 1024 bytes', 'ok', fields({ public_key: cBytes(Buffer.alloc(1024)) })],
    ['public_key of 1025 bytes', 'malformed', fields({ public_key: cBytes(Buffer.alloc(1025)) })],
    ['a length that lies past the end', 'malformed', fields({ nonce: hex('5bffffffffffffffff') })],
    ['a count that lies past the end', 'malformed', fields({ cabundle: hex('9bffffffffffffffff') })],
    ['a reserved length', 'malformed', fields({ nonce: hex('5c01') })],
  ];
}

// -- what a certificate can be ---------------------------------------------------------------------

function leafSpec(m) {
  const leaf = (tweak) => m.withCertificate(4, typeof tweak === 'function' ? tweak : () => tweak);
  const key = m.pki.keys[4];
  const p256 = k.newKey('P-256');
  const basic = k.extension(ID.constraints, k.constraints(false), true);
  const sign = k.extension(ID.usage, k.usage(0x80, 7));
  const off = Buffer.from(key.point);
  const numbers = k.seq(k.int(1), k.seq(k.oid('2a8648ce3d0101'), k.int(0, 0xff)));
  const more = (...extensions) => leaf({ more: extensions });

  off[96] ^= 1;
  return [
    ['leaf: critical keyUsage', 'ok', leaf({ extensions: [basic, k.extension(ID.usage, k.usage(0x80, 7), true)] })],
    ['leaf: constraints not critical', 'ok', leaf({ extensions: [k.extension(ID.constraints, k.constraints(false)), sign] })],
    ['leaf: is an authority', 'untrusted', leaf({ constraints: k.constraints(true) })],
    ['leaf: no basicConstraints', 'untrusted', leaf({ extensions: [sign] })],
    ['leaf: no keyUsage', 'untrusted', leaf({ extensions: [basic] })],
    ['leaf: no extensions', 'untrusted', leaf({ extensions: [] })],
    ['leaf: keyUsage without digitalSignature', 'untrusted', leaf({ usage: k.usage(0x40, 6) })],
    ['leaf: keyUsage of no bit', 'untrusted', leaf({ usage: k.tlv(0x03, 0) })],
    ['leaf: keyUsage of zeros', 'untrusted', leaf({ usage: k.usage(0) })],
    ['leaf: extendedKeyUsage', 'ok', more(k.extension(ID.eku, k.seq(k.oid('2b06010505070302'))))],
    ['leaf: critical extendedKeyUsage', 'untrusted', more(k.extension(ID.eku, k.seq(k.oid('2b06010505070302')), true))],
    ['leaf: unknown extension', 'ok', more(k.extension(ID.unknown, hex('0500')))],
    ['leaf: unknown critical extension', 'untrusted', more(k.extension(ID.unknown, hex('0500'), true))],
    ['leaf: unknown extension twice', 'untrusted', more(k.extension(ID.unknown, hex('0500')), k.extension(ID.unknown, hex('0500')))],
    ['leaf: keyUsage twice', 'untrusted', more(sign)],
    ['leaf: basicConstraints twice', 'untrusted', more(basic)],
    ['leaf: critical policies', 'untrusted', more(k.extension(ID.policies, k.seq(k.seq(k.oid('551d2000'))), true))],
    ['leaf: critical names', 'untrusted', more(k.extension(ID.san, k.seq(k.tlv(0x82, 'a.test')), true))],
    ['leaf: subject names', 'ok', more(k.extension(ID.san, k.seq(k.tlv(0x82, 'a.test'))))],
    ['leaf: name constraints', 'untrusted', more(k.extension(ID.names, k.seq(k.tlv(0xa0, k.seq(k.tlv(0x82, 'a.test'))))))],
    ['leaf: critical said to be false', 'untrusted', leaf({ extensions: [basic, k.seq(k.oid(ID.usage), k.tlv(1, 0), k.octets(k.usage(0x80, 7)))] })],
    ['leaf: critical is 01', 'untrusted', leaf({ extensions: [k.seq(k.oid(ID.constraints), k.tlv(1, 1), k.octets(k.constraints(false))), sign] })],
    ['leaf: P-256', 'untrusted', leaf({ spki: k.spki(p256.point, k.oid('2a8648ce3d030107')) })],
    ['leaf: P-256 that says P-384', 'untrusted', leaf({ spki: k.spki(p256.point) })],
    ['leaf: a compressed point', 'untrusted', leaf({ spki: k.spki(k.compressed(key.point)) })],
    ['leaf: a hybrid point', 'untrusted', leaf({ spki: k.spki(Buffer.concat([Buffer.of(6 + (key.point[96] & 1)), key.point.subarray(1)])) })],
    ['leaf: a point off the curve', 'untrusted', leaf({ spki: k.spki(off) })],
    ['leaf: the point at infinity', 'untrusted', leaf({ spki: k.spki(hex('00')) })],
    ['leaf: a curve in numbers', 'untrusted', leaf({ spki: k.spki(key.point, numbers) })],
    ['leaf: no curve', 'untrusted', leaf({ spki: k.seq(k.seq(k.EC_KEY), k.bits(key.point)) })],
    ['leaf: key with unused bits', 'untrusted', leaf({ spki: k.seq(k.seq(k.EC_KEY, k.P384), k.tlv(3, 1, key.point)) })],
    ['leaf: ecdsa-with-SHA256', 'untrusted', leaf({ algorithm: k.seq(k.oid('2a8648ce3d040302')), hash: 'sha256' })],
    ['leaf: algorithm with NULL', 'untrusted', leaf({ algorithm: k.seq(k.oid('2a8648ce3d040303'), k.tlv(5)) })],
    ['leaf: two algorithms', 'untrusted', leaf({ inner: k.seq(k.oid('2a8648ce3d040302')) })],
    ['leaf: version 1', 'untrusted', leaf({ version: [], extensions: [] })],
    ['leaf: version 1 with extensions', 'untrusted', leaf({ version: [] })],
    ['leaf: version 2', 'untrusted', leaf({ version: [k.tlv(0xa0, k.int(1))] })],
    ['leaf: version 4', 'untrusted', leaf({ version: [k.tlv(0xa0, k.int(3))] })],
    ['leaf: serial number zero', 'ok', leaf({ serial: k.int(0) })],
    ['leaf: unique identifiers', 'ok', leaf({ unique: [k.tlv(0x81, 0, 1), k.tlv(0x82, 0, 2)] })],
    ['leaf: signature by another key', 'untrusted', leaf({ issuerKey: m.pki.keys[2] })],
    ['leaf: signature of itself', 'untrusted', leaf((s) => ({ issuer: s.subject, issuerKey: s.key }))],
    ['leaf: signature with a padded number', 'untrusted', leaf({ signature: (s) => k.seq(k.tlv(2, 0, k.hex('00'), s.subarray(4, 4 + s[3])), s.subarray(4 + s[3])) })],
    ['leaf: signature with bytes after it', 'untrusted', leaf({ signature: (s) => Buffer.concat([s, hex('00')]) })],
    ['leaf: bytes after the certificate', 'untrusted', leaf({ wrap: (t, a, s) => Buffer.concat([k.seq(t, a, k.bits(s)), hex('00')]) })],
    ['leaf: bytes inside the certificate', 'untrusted', leaf({ wrap: (t, a, s) => k.seq(t, a, k.bits(s), k.tlv(5)) })],
    ['leaf: a length in a long form', 'untrusted', leaf({ wrap: (t, a, s) => Buffer.concat([hex('308300'), k.seq(t, a, k.bits(s)).subarray(2)]) })],
    ['leaf: indefinite length', 'untrusted', leaf({ wrap: (t, a, s) => Buffer.concat([hex('3080'), t, a, k.bits(s), hex('0000')]) })],
    ['leaf: another issuer name', 'untrusted', leaf({ issuer: k.name('other.test') })],
    ['leaf: issuer in another case', 'untrusted', leaf({ issuer: k.name('INSTANCE.test') })],
    ['leaf: issuer in another string type', 'untrusted', leaf({ issuer: k.name('instance.test', 0x13) })],
    ['leaf: keyIdentifier of nobody', 'ok', more(k.extension(ID.aki, k.seq(k.tlv(0x80, 'some key'))))],
    ['leaf: serial of another issuer', 'untrusted', more(k.extension(ID.aki, k.seq(k.tlv(0xa1, k.tlv(0xa4, m.pki.names[2])), k.tlv(0x82, 9))))],
    ['leaf: issuer and serial', 'ok', more(k.extension(ID.aki, k.seq(k.tlv(0xa1, k.tlv(0xa4, m.pki.names[2])), k.tlv(0x82, 1, 2, 3))))],
    ['leaf: the issuer of another issuer', 'untrusted', more(k.extension(ID.aki, k.seq(k.tlv(0xa1, k.tlv(0xa4, m.pki.names[1])), k.tlv(0x82, 1, 2, 3))))],
    ['leaf: keyIdentifier that is no SEQUENCE', 'untrusted', more(k.extension(ID.aki, hex('0500')))],
    ['leaf: not yet valid', 'expired', leaf({ from: m.at + 1000 })],
    ['leaf: valid from now on', 'ok', leaf({ from: m.at })],
    ['leaf: expired', 'expired', leaf({ until: m.at - 1000 })],
    ['leaf: in its last second', 'expired', leaf({ until: m.at })],
    ['leaf: a second before', 'ok', leaf({ until: m.at + 1000 })],
    ['leaf: ends before it begins', 'expired', leaf({ from: m.at + HOUR, until: m.at - HOUR })],
    ['leaf: GeneralizedTime', 'ok', leaf({ notBefore: k.longTime(m.at - HOUR), notAfter: k.longTime(m.at + HOUR) })],
    ['leaf: a fraction of a second', 'untrusted', leaf({ notAfter: k.longTime(m.at + HOUR, '.5Z') })],
    ['leaf: a time zone', 'untrusted', leaf({ notAfter: k.longTime(m.at + HOUR, '+0100') })],
    ['leaf: a time without seconds', 'untrusted', leaf({ notAfter: k.tlv(0x17, '4001010000Z') })],
    ['leaf: month 13', 'untrusted', leaf({ notAfter: k.tlv(0x17, '401301000000Z') })],
    ['leaf: a time as text', 'untrusted', leaf({ notAfter: k.tlv(0x0c, '400101000000Z') })],
  ];
}

function authorities(m) {
  const at = (i, tweak) => m.withCertificate(i, typeof tweak === 'function' ? tweak : () => tweak);
  const ski = (id) => k.extension(ID.ski, k.octets(id));
  const aki = (id) => k.extension(ID.aki, k.seq(k.tlv(0x80, id)));
  const both = (above, below) => m.document({
    chain: m.pki.chain((i) => (i === 2 ? { more: [ski(above)] } : i === 3 ? { more: [aki(below)] } : {})),
  });
  const order = (...which) => m.document({ chain: which.map((i) => m.plain[i]) });
  const short = (pathLength) => m.document({ chain: m.pki.chain((i) => (i === 1 ? { pathLength } : {})) });
  const direct = m.pki.chain((i, s) => (i === 4 ? { issuer: m.pki.names[0], issuerKey: m.pki.keys[0] } : {}));
  const other = new k.Pki(m.at);
  const bit = (der, where) => {
    const changed = Buffer.from(der);
    changed[where] ^= 1;
    return changed;
  };
  const replaced = (i, der) => m.document({ chain: m.plain.map((c, j) => (j === i ? der : c)) });

  return [
    ['authority: not one', 'untrusted', at(2, { constraints: k.constraints(false) })],
    ['authority: no basicConstraints', 'untrusted', at(2, { extensions: [k.extension(ID.usage, k.usage(6, 1))] })],
    ['authority: no keyUsage', 'untrusted', at(2, { extensions: [k.extension(ID.constraints, k.constraints(true), true)] })],
    ['authority: may not sign certificates', 'untrusted', at(2, { usage: k.usage(0x82, 1) })],
    ['authority: keyUsage is not critical', 'ok', at(2, { extensions: [k.extension(ID.constraints, k.constraints(true), true), k.extension(ID.usage, k.usage(4, 2))] })],
    ['authority: unknown critical extension', 'untrusted', at(1, { more: [k.extension(ID.unknown, hex('0500'), true)] })],
    ['authority: name constraints', 'untrusted', at(1, { more: [k.extension(ID.names, k.seq(k.tlv(0xa0, k.seq(k.tlv(0x82, 'a.test')))), true)] })],
    ['authority: expired', 'expired', at(1, { until: m.at - 1000 })],
    ['authority: not yet valid', 'expired', at(3, { from: m.at + 1000 })],
    ['authority: P-256', 'untrusted', at(3, { spki: k.spki(k.newKey('P-256').point, k.oid('2a8648ce3d030107')) })],
    ['authority: SHA-256', 'untrusted', at(3, { algorithm: k.seq(k.oid('2a8648ce3d040302')), hash: 'sha256' })],
    ['authority: signature of another', 'untrusted', at(3, { issuerKey: other.keys[2] })],
    ['authority: key identifiers fit', 'ok', both('id', 'id')],
    ['authority: key identifiers differ', 'untrusted', both('id', 'di')],
    ['authority: no path length', 'ok', at(3, { pathLength: undefined })],
    ['path length 2 above two authorities', 'ok', short(2)],
    ['path length 1 above two authorities', 'untrusted', short(1)],
    ['path length 0 above two authorities', 'untrusted', short(0)],
    ['path length 3 above two authorities', 'ok', short(3)],
    ['path length negative', 'untrusted', at(3, { constraints: k.seq(k.TRUE, k.int(0xff)) })],
    ['leaf right below the root', 'ok', m.document({ chain: [m.plain[0], direct[4]] })],
    ['two authorities exchanged', 'untrusted', order(0, 2, 1, 3, 4)],
    ['an authority is missing', 'untrusted', order(0, 1, 3, 4)],
    ['an authority twice', 'untrusted', order(0, 1, 2, 2, 3, 4)],
    ['the root twice', 'untrusted', order(0, 0, 1, 2, 3, 4)],
    ['the root is missing', 'untrusted', order(1, 2, 3, 4)],
    ['the root alone', 'malformed', order(0)],
    ['the root last', 'untrusted', order(1, 2, 3, 0, 4)],
    ['leaf and authority exchanged', 'untrusted', order(0, 1, 2, 4, 3)],
    ['the leaf in the bundle', 'untrusted', order(0, 1, 2, 3, 4, 4)],
    ['a chain of another root', 'untrusted', m.document({ chain: other.chain(), key: other.keys[4] })],
    ['another chain below our root', 'untrusted', m.document({ chain: [m.plain[0], ...other.chain().slice(1)], key: other.keys[4] })],
    ...[1, 2, 3, 4].flatMap((i) => [10, 40, 200, m.plain[i].length - 3]
      .map((where) => [`certificate ${i}, bit of byte ${where}`, 'untrusted', replaced(i, bit(m.plain[i], where))])),
    ['root, a bit of its signature', 'untrusted', replaced(0, bit(m.plain[0], m.plain[0].length - 3))],
  ];
}

// -- what can be pinned ----------------------------------------------------------------------------

function pins(m) {
  const other = Buffer.alloc(48, 0xa1);
  const nonce = m.document({ fields: { nonce: cBytes(NONCE) } });
  const empty = m.document({ fields: { nonce: hex('40') } });
  const debug = m.document({ pcrs: new Map([...m.pcrs, [0, Buffer.alloc(48)]]) });
  const plain = m.document();
  const open = { pcr16: undefined, anyConfiguration: true };

  return [
    ['one of three images', 'ok', plain, { pcr0: [other, Buffer.alloc(48, 0xa2), PCR0] }],
    ['another image', 'untrusted', plain, { pcr0: [other] }],
    ['no image', 'usage', plain, { pcr0: [] }],
    ['any image', 'ok', plain, { pcr0: [], anyImage: true }],
    ['another configuration', 'untrusted', plain, { pcr16: other }],
    ['any configuration', 'ok', plain, open],
    ['the configuration of nothing', 'untrusted', plain, { pcr16: undefined, configuration: Buffer.from('x') }],
    ['nonce', 'ok', nonce, { nonce: NONCE }],
    ['another nonce', 'untrusted', nonce, { nonce: Buffer.from('a nonce of a test') }],
    ['the start of the nonce', 'untrusted', nonce, { nonce: NONCE.subarray(0, 5) }],
    ['more than the nonce', 'untrusted', nonce, { nonce: Buffer.concat([NONCE, hex('00')]) }],
    ['a nonce where there is none', 'untrusted', plain, { nonce: NONCE }],
    ['a nonce where it is empty', 'untrusted', empty, { nonce: NONCE }],
    ['debug mode', 'untrusted', debug, {}],
    ['debug mode, PCR0 zero pinned', 'untrusted', debug, { pcr0: [Buffer.alloc(48)] }],
    ['debug mode allowed', 'ok', debug, { pcr0: [Buffer.alloc(48)], allowDebug: true }],
    ['debug mode allowed, another image', 'untrusted', debug, { allowDebug: true }],
    ['debug mode allowed where it is not', 'ok', plain, { allowDebug: true }],
    ['the root as DER', 'ok', plain, { root: m.plain[0] }],
    ['another root as DER', 'untrusted', plain, { root: m.plain[1] }],
    ['another fingerprint', 'untrusted', plain, { root: k.sha256(m.plain[1]) }],
    ['AWS\'s root', 'untrusted', plain, { root: undefined }],
    ['an hour later', 'ok', plain, { at: m.at + HOUR }],
    ['two hours later', 'expired', plain, { at: m.at + 2 * HOUR }],
    ['a millisecond before that', 'ok', plain, { at: m.at + 2 * HOUR - 1 }],
    ['an hour before', 'ok', plain, { at: m.at - HOUR }],
    ['a millisecond before that', 'expired', plain, { at: m.at - HOUR - 1 }],
  ];
}

// -- what the enclave attests ----------------------------------------------------------------------

const u16 = (n) => Buffer.of(n >> 8, n & 255);
const var16 = (b) => Buffer.concat([u16(b.length), b]);
const id = (n) => Buffer.alloc(16, n);

/** A sealed record and what its receipt covers; `change` replaces parts. */
function recordOf(change = {}) {
  const policy = hex('000101');
  const authorisers = hex('000100');
  const parts = {
    version: u16(1), deployment: id(1), keyset: id(2), account: id(3), type: hex('01'), purpose: hex('01'),
    key: Buffer.concat([hex('21'), k.secp256k1(Buffer.alloc(32, 7))]),
    policyHash: k.tagHash('cloister-policy-1', change.policy ?? policy),
    authoriserHash: k.tagHash('cloister-authorisers-1', change.authorisers ?? authorisers),
    provenance: hex('01'), generation: hex('00000001'), created: hex('000001a3185c5000'), ...change.fields,
  };
  const covered = Buffer.concat(Object.values(parts));
  return {
    covered,
    record: Buffer.concat([covered, var16(change.attached ?? change.policy ?? policy),
      var16(change.authorisers ?? authorisers), var16(change.sealed ?? Buffer.alloc(60)), change.after ?? Buffer.alloc(0)]),
  };
}

function records(m) {
  const one = (label, expect, change) => {
    const { covered, record } = recordOf(change);
    const document = m.document({ fields: { user_data: cBytes(k.tagged('cloister-receipt-1', covered)), ...change?.document } });
    return [`record: ${label}`, expect, document, {}, 'account', record];
  };
  const field = (label, expect, fields) => one(label, expect, { fields });
  const key = (bytes) => Buffer.concat([Buffer.of(bytes.length), bytes]);
  const g = hex('0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798');
  const p = hex('02fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f');

  return [
    one('as it should be', 'ok'),
    field('the generator as key', 'ok', { key: key(g) }),
    field('its negative', 'ok', { key: key(Buffer.concat([hex('03'), g.subarray(1)])) }),
    field('a point that is not on the curve', 'malformed', { key: key(Buffer.concat([hex('02'), Buffer.alloc(31), hex('05')])) }),
    field('x is p', 'malformed', { key: key(p) }),
    field('sign 04', 'malformed', { key: key(Buffer.concat([hex('04'), g.subarray(1)])) }),
    field('sign 00', 'malformed', { key: key(Buffer.concat([hex('00'), g.subarray(1)])) }),
    field('a key of 32 bytes', 'malformed', { key: key(g.subarray(1)) }),
    field('a key of 48 bytes', 'malformed', { key: key(Buffer.alloc(48, 1)) }),
    field('an uncompressed key', 'malformed', { key: key(Buffer.alloc(65, 4)) }),
    field('a BLS key', 'unsupported', { type: hex('02'), key: key(Buffer.alloc(48, 1)) }),
    field('a P-256 key', 'unsupported', { type: hex('03') }),
    field('key type 0', 'unsupported', { type: hex('00') }),
    field('key type 4', 'unsupported', { type: hex('04') }),
    field('a validator\'s', 'unsupported', { purpose: hex('02') }),
    field('purpose 0', 'unsupported', { purpose: hex('00') }),
    field('purpose 4', 'unsupported', { purpose: hex('04') }),
    field('imported', 'ok', { provenance: hex('02') }),
    field('exposed', 'ok', { provenance: hex('03') }),
    field('provenance 0', 'unsupported', { provenance: hex('00') }),
    field('provenance 4', 'unsupported', { provenance: hex('04') }),
    field('generation 0', 'malformed', { generation: hex('00000000') }),
    field('generation 2^32 - 1', 'ok', { generation: hex('ffffffff') }),
    field('version 0', 'unsupported', { version: u16(0) }),
    field('version 2', 'unsupported', { version: u16(2) }),
    ...['deployment', 'keyset', 'account'].map((n) => field(`${n} is zero`, 'malformed', { [n]: id(0) })),
    one('another policy attached', 'untrusted', { attached: hex('000100') }),
    one('a policy of a later kind', 'ok', { policy: hex('000102ffff') }),
    one('an empty policy', 'ok', { policy: Buffer.alloc(0), attached: Buffer.alloc(0) }),
    one('sealed of 59 bytes', 'malformed', { sealed: Buffer.alloc(59) }),
    one('sealed of 61 bytes', 'malformed', { sealed: Buffer.alloc(61) }),
    one('other sealed bytes', 'ok', { sealed: Buffer.alloc(60, 9) }),
    one('a byte after it', 'malformed', { after: hex('00') }),
    one('a public key in the document', 'untrusted', { document: { public_key: cBytes(Buffer.from('key')) } }),
    one('no user_data', 'untrusted', { document: { user_data: NULL } }),
    one('user_data with a byte more', 'untrusted', { document: { user_data: cBytes(Buffer.concat([k.tagged('cloister-receipt-1', recordOf().covered), hex('00')])) } }),
    one('another tag', 'untrusted', { document: { user_data: cBytes(k.tagged('cloister-receipt-2', recordOf().covered)) } }),
    one('the keyset\'s tag', 'untrusted', { document: { user_data: cBytes(k.tagged('cloister-keyset-1', recordOf().covered)) } }),
    one('a bare hash', 'untrusted', { document: { user_data: cBytes(k.tagHash('cloister-receipt-1', recordOf().covered)) } }),
    one('a hash without tag', 'untrusted', { document: { user_data: cBytes(Buffer.concat([Buffer.from('cloister-receipt-1\0'), k.sha256(recordOf().covered)])) } }),
  ];
}

const statusBody = (change) => Buffer.concat(Object.values({
  tag: Buffer.from('cloister-status-2\0'), key: Buffer.alloc(0), keyset: Buffer.alloc(0), phase: hex('04'), boot: id(4),
  sequence: hex('ffffffffffffffff'), head: Buffer.alloc(32, 6), serial: hex('0000000000000008'),
  digest: Buffer.alloc(32, 7), seals: hex('00000009'), anchor: hex('00'), anchored: hex('00'),
  after: Buffer.alloc(0), ...change,
}));

function statuses(m) {
  const body = statusBody;
  const one = (label, expect, change, trust = {}) => [`status: ${label}`, expect,
    m.document({ fields: { user_data: cBytes(body(change)) } }), { at: m.at, ...trust }, 'status'];
  const unconfigured = { tag: Buffer.from('cloister-unconfigured-2\0'), phase: hex('01') };

  return [
    one('READY', 'ok', {}),
    one('CONFIGURED', 'ok', { phase: hex('02') }),
    one('SEALED', 'ok', { phase: hex('08') }),
    one('UNCONFIGURED', 'ok', unconfigured),
    one('UNCONFIGURED under the other tag', 'untrusted', { phase: hex('01') }),
    one('READY under the other tag', 'untrusted', { ...unconfigured, phase: hex('04') }),
    ...['00', '03', '05', '10', 'ff'].map((phase) => one(`phase ${phase}`, 'untrusted', { phase: hex(phase) })),
    one('anchor 2', 'ok', { anchor: hex('02') }),
    one('anchor 3', 'unsupported', { anchor: hex('03') }),
    one('a byte more', 'malformed', { after: hex('00') }),
    one('file, anchored', 'ok', { anchor: hex('01'), anchored: hex('01') }),
    one('anchored 2', 'malformed', { anchored: hex('02') }),
    one('a byte less', 'malformed', { anchored: Buffer.alloc(0) }),
    one('the tag before', 'untrusted', { tag: Buffer.from('cloister-status-1\0') }),
    one('no tag', 'untrusted', { tag: Buffer.alloc(0) }),
    one('a tag without its zero', 'untrusted', { tag: Buffer.from('cloister-status-2') }),
    one('five minutes old', 'ok', {}, { at: m.at + 300000 }),
    one('a millisecond older', 'expired', {}, { at: m.at + 300001 }),
    one('five minutes ahead', 'ok', {}, { at: m.at - 300000 }),
    one('a millisecond more', 'expired', {}, { at: m.at - 300001 }),
    one('of an hour ago', 'expired', {}, { at: m.at + HOUR }),
    one('nothing said of the configuration', 'usage', {}, { pcr16: undefined }),
    one('any configuration', 'ok', {}, { pcr16: undefined, anyConfiguration: true }),
    one('any image', 'usage', {}, { pcr0: [], anyImage: true }),
  ];
}

const KEY = Buffer.alloc(32, 0x5c);
const KEYSET = id(0x5e);
const tlsBody = (change) => statusBody({ tag: Buffer.from('cloister-tls-1\0'), key: KEY, keyset: KEYSET, ...change });

/** A document of a TLS connection, its user_data changed before it is signed. */
export function connection(m, change) {
  const fields = { user_data: cBytes(change(tlsBody())), nonce: cBytes(NONCE) };
  return { kind: 'tls', document: m.document({ fields }), spki: KEY, trust: { ...m.trust, at: m.at, nonce: NONCE } };
}

// What a document of a TLS connection can be, and whose.
function connections(m) {
  const key = KEY;
  const one = (label, expect, change, trust = {}, { spki = key, document = {} } = {}) => [`tls: ${label}`, expect,
    m.document({ fields: { user_data: cBytes(tlsBody(change)), nonce: cBytes(NONCE), ...document } }),
    { at: m.at, nonce: NONCE, ...trust }, 'tls', undefined, spki];
  const bit = (where) => {
    const changed = Buffer.from(key);
    changed[where] ^= 1;
    return changed;
  };

  return [
    one('READY', 'ok', {}),
    one('CONFIGURED', 'ok', { phase: hex('02') }),
    one('SEALED', 'ok', { phase: hex('08') }),
    ...['00', '01', '03', 'ff'].map((phase) => one(`phase ${phase}`, 'untrusted', { phase: hex(phase) })),
    one('file, anchored', 'ok', { anchor: hex('01'), anchored: hex('01') }),
    one('anchor 3', 'unsupported', { anchor: hex('03') }),
    one('anchored 2', 'malformed', { anchored: hex('02') }),
    one('another connection\'s key', 'untrusted', {}, {}, { spki: Buffer.alloc(32, 0x5d) }),
    ...[0, 15, 31].map((where) => one(`another connection's key by a bit of byte ${where}`, 'untrusted', {}, {}, { spki: bit(where) })),
    one('a key of zeros, as asked for', 'ok', { key: Buffer.alloc(32) }, {}, { spki: Buffer.alloc(32) }),
    one('no key of the connection', 'usage', {}, {}, { spki: Buffer.alloc(0) }),
    one('the key left out', 'malformed', { key: Buffer.alloc(0) }),
    one('a key of 31 bytes', 'malformed', { key: key.subarray(1) }),
    one('a key of 33 bytes', 'malformed', { key: Buffer.concat([key, hex('5c')]) }),
    one('another keyset, which its caller compares', 'ok', { keyset: id(0x5f) }),
    one('a keyset of zeros', 'ok', { keyset: Buffer.alloc(16) }),
    one('the keyset left out', 'malformed', { keyset: Buffer.alloc(0) }),
    one('a keyset of 15 bytes', 'malformed', { keyset: KEYSET.subarray(1) }),
    one('a keyset of 17 bytes', 'malformed', { keyset: Buffer.concat([KEYSET, hex('5e')]) }),
    one('key and keyset alone', 'malformed', Object.fromEntries(['phase', 'boot', 'sequence', 'head', 'serial',
      'digest', 'seals', 'anchor', 'anchored'].map((name) => [name, Buffer.alloc(0)]))),
    one('the keyset before the key', 'untrusted', { key: KEYSET, keyset: KEY }),
    one('nothing after the tag', 'malformed', Object.fromEntries(['key', 'keyset', 'phase', 'boot', 'sequence', 'head', 'serial',
      'digest', 'seals', 'anchor', 'anchored'].map((name) => [name, Buffer.alloc(0)]))),
    one('a byte more', 'malformed', { after: hex('00') }),
    one('a byte less', 'malformed', { anchored: Buffer.alloc(0) }),
    one('a status under its own tag', 'untrusted', { tag: Buffer.from('cloister-status-2\0'), key: Buffer.alloc(0), keyset: Buffer.alloc(0) }),
    one('a status with a key', 'untrusted', { tag: Buffer.from('cloister-status-2\0') }),
    one('the tag of another version', 'untrusted', { tag: Buffer.from('cloister-tls-2\0') }),
    one('a tag without its zero', 'untrusted', { tag: Buffer.from('cloister-tls-1') }),
    one('no user_data', 'untrusted', {}, {}, { document: { user_data: NULL } }),
    one('a public key in the document', 'untrusted', {}, {}, { document: { public_key: cBytes(Buffer.from('key')) } }),
    one('no nonce asked for', 'usage', {}, { nonce: undefined }),
    one('a nonce of 15 bytes', 'usage', {}, { nonce: Buffer.alloc(15, 1) }),
    one('a nonce of 16 bytes', 'ok', {}, { nonce: Buffer.alloc(16, 1) }, { document: { nonce: cBytes(Buffer.alloc(16, 1)) } }),
    one('another nonce', 'untrusted', {}, { nonce: Buffer.from('a nonce of the Test') }),
    one('no nonce in it', 'untrusted', {}, {}, { document: { nonce: NULL } }),
    one('five minutes old', 'ok', {}, { at: m.at + 300000 }),
    one('a millisecond older', 'expired', {}, { at: m.at + 300001 }),
    one('a millisecond too far ahead', 'expired', {}, { at: m.at - 300001 }),
    one('another image', 'untrusted', {}, { pcr0: [PCR16] }),
    one('another configuration', 'untrusted', {}, { pcr16: PCR0 }),
    one('another root', 'untrusted', {}, { root: Buffer.alloc(32, 1) }),
    one('nothing said of the configuration', 'usage', {}, { pcr16: undefined }),
    one('any configuration', 'ok', {}, { pcr16: undefined, anyConfiguration: true }),
    one('any image', 'usage', {}, { pcr0: [], anyImage: true }),
    [...one('asked for as a status', 'untrusted', {}).slice(0, 4), 'status'],
    [...one('asked for as a document', 'ok', {}).slice(0, 4), 'document'],
  ];
}

/** Cases of the test's own PKI. */
export function ownCases(m) {
  return [...cose(m), ...payload(m), ...leafSpec(m), ...authorities(m), ...pins(m), ...records(m), ...statuses(m),
    ...connections(m)]
    .map(([name, expect, document, trust = {}, kind = 'document', record = undefined, spki = undefined]) => (
      { name, expect, kind, document, record, spki, trust: { ...m.trust, ...trust } }));
}

// -- what the emulated enclave attests -------------------------------------------------------------

/** Cases of what test/verify/emit wrote into a folder. */
export function emulatorCases(folder, root) {
  const read = (file) => fs.readFileSync(path.join(folder, file));
  const configuration = read('configuration');
  const trust = { root, pcr0: [PCR0], configuration };
  const nonce = Buffer.from('nonce');
  const flipped = (bytes, at) => {
    const changed = Buffer.from(bytes);
    changed[at < 0 ? bytes.length + at : at] ^= 1;
    return changed;
  };
  const one = (name, expect, kind, file, more = {}, record = undefined) => (
    { name: `emulator: ${name}`, expect, kind, document: read(file), record, trust: { ...trust, ...more } });
  const account = read('account.record');
  const keyset = read('keyset.record');
  const now = { at: Date.now() };
  const key = Buffer.concat([hex('5c'), Buffer.alloc(31)]);
  const tls = (name, expect, file, more = {}, spki = key) => ({
    ...one(name, expect, 'tls', file, { ...now, nonce: Buffer.from('a nonce of more than 16 bytes'), ...more }), spki,
  });

  return [
    one('plain document', 'ok', 'document', 'plain.document'),
    one('plain document, now', 'ok', 'document', 'plain.document', now),
    one('configuration changed', 'untrusted', 'document', 'plain.document', { configuration: flipped(configuration, 20) }),
    one('debug mode', 'untrusted', 'document', 'debug.document', { pcr0: [Buffer.alloc(48)] }),
    one('debug mode allowed', 'ok', 'document', 'debug.document', { pcr0: [Buffer.alloc(48)], allowDebug: true }),
    one('account', 'ok', 'account', 'account.receipt', { nonce }, account),
    one('account, no nonce asked for', 'ok', 'account', 'account.receipt', {}, account),
    one('account, another nonce', 'untrusted', 'account', 'account.receipt', { nonce: Buffer.from('Nonce') }, account),
    one('account, no nonce in it', 'untrusted', 'account', 'account-without-nonce.receipt', { nonce }, account),
    one('account, receipt with a key', 'untrusted', 'account', 'account-with-key.receipt', { nonce }, account),
    one('account, another image', 'untrusted', 'account', 'account.receipt', { pcr0: [Buffer.alloc(48, 1)] }, account),
    one('account, nothing said of the configuration', 'usage', 'account', 'account.receipt', { configuration: undefined }, account),
    one('account, any configuration', 'ok', 'account', 'account.receipt', { configuration: undefined, anyConfiguration: true }, account),
    one('account, AWS\'s root', 'untrusted', 'account', 'account.receipt', { root: undefined }, account),
    one('account, receipt of the keyset', 'untrusted', 'account', 'keyset.receipt', {}, account),
    one('account, a status as receipt', 'untrusted', 'account', 'ready.status', {}, account),
    one('account, record of the keyset', 'refused', 'account', 'account.receipt', {}, keyset),
    ...Array.from({ length: account.length }, (_, i) => one(`account, bit of record byte ${i}`,
      i >= account.length - 60 ? 'ok' : 'refused', 'account', 'account.receipt', {}, flipped(account, i))),
    one('account, record cut', 'malformed', 'account', 'account.receipt', {}, account.subarray(0, -1)),
    one('keyset', 'ok', 'keyset', 'keyset.receipt', {}, keyset),
    one('keyset, receipt of the account', 'untrusted', 'keyset', 'account.receipt', {}, keyset),
    ...Array.from({ length: keyset.length }, (_, i) => one(`keyset, bit of record byte ${i}`,
      i >= keyset.length - 32 || (i >= keyset.length - 94 && i < keyset.length - 34) ? 'ok' : 'refused',
      'keyset', 'keyset.receipt', {}, flipped(keyset, i))),
    one('keyset, record cut', 'malformed', 'keyset', 'keyset.receipt', {}, keyset.subarray(0, -1)),
    ...['ready', 'configured', 'sealed', 'unconfigured'].map((phase) => (
      one(`status ${phase}`, 'ok', 'status', `${phase}.status`, { ...now, nonce }))),
    one('status, a day later', 'expired', 'status', 'ready.status', { at: now.at + 24 * HOUR }),
    one('status, a receipt', 'untrusted', 'status', 'account.receipt', now),
    one('status, an import offer', 'untrusted', 'status', 'import.document', now),
    one('status, plain document', 'untrusted', 'status', 'plain.document', now),
    one('status, of a TLS connection', 'untrusted', 'status', 'tls.document', now),
    tls('a connection', 'ok', 'tls.document'),
    tls('another connection', 'untrusted', 'tls.document', {}, Buffer.alloc(32, 0x5c)),
    tls('a connection, a day later', 'expired', 'tls.document', { at: now.at + 24 * HOUR }),
    tls('a connection, another nonce', 'untrusted', 'tls.document', { nonce: Buffer.alloc(32) }),
    tls('a connection, another configuration', 'untrusted', 'tls.document', { configuration: flipped(configuration, 9) }),
    tls('a connection, a status', 'untrusted', 'ready.status'),
  ];
}

// -- what AWS attested -----------------------------------------------------------------------------

/** Cases of genuine documents; none when the vectors are not there. */
export function genuineCases(folder) {
  const index = path.join(folder, 'attestation', 'index.json');

  if (!fs.existsSync(index)) return [];
  return JSON.parse(fs.readFileSync(index, 'utf8')).flatMap((entry) => {
    const document = fs.readFileSync(path.join(folder, 'attestation', entry.file));
    const trust = { pcr0: [hex(entry.pcrs[0])], allowDebug: entry.debug_mode };
    const one = (name, expect, more = {}, bytes = document) => (
      { name: `${entry.file}: ${name}`, expect, kind: 'document', document: bytes, trust: { ...trust, ...more } });
    const bit = (where) => {
      const changed = Buffer.from(document);
      changed[where] ^= 1 << where % 8;
      return changed;
    };

    return [
      one('at its own time', 'ok'),
      one('with its time given', 'ok', { at: entry.timestamp_ms }),
      one('today', 'expired', { at: Date.UTC(2026, 9, 1) }),
      one('years before', 'expired', { at: Date.UTC(2020, 0, 1) }),
      one('another root', 'untrusted', { root: Buffer.alloc(32, 1) }),
      one('another image', 'untrusted', { pcr0: [Buffer.alloc(48, 1)] }),
      one('debug mode', entry.debug_mode ? 'untrusted' : 'ok', { allowDebug: false }),
      ...(entry.nonce ? [one('its nonce', 'ok', { nonce: hex(entry.nonce) })] : []),
      one('a nonce', 'untrusted', { nonce: Buffer.from('a nonce') }),
      one('tag 18', 'ok', {}, Buffer.concat([hex('d2'), document])),
      one('a byte more', 'malformed', {}, Buffer.concat([document, hex('00')])),
      one('a byte less', 'malformed', {}, document.subarray(0, -1)),
      ...Array.from({ length: 24 }, (_, i) => Math.floor((i + 0.5) * document.length / 24))
        .map((where) => one(`a bit of byte ${where}`, 'refused', {}, bit(where))),
    ];
  });
}
