// SPDX-License-Identifier: Apache-2.0
// The part of CBOR (RFC 8949) that attestation documents use, read strictly: integers and lengths in
// their shortest form (4.2.1), strings and arrays of definite length, text that is UTF-8. Maps may be
// of indefinite length: the Nitro hypervisor writes such since 2026.
import { ensure, VerifyError } from './errors.js';

const MAJOR = { uint: 0, nint: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6 };
const NULL = 0xf6;
const BREAK = 0xff;
const INDEFINITE = 31;

export class CborReader {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  /**
   * @param {number} n
   * @param {string} field
   * @returns {Uint8Array}
   */
  #take(n, field) {
    const from = this.at;

    ensure(n <= this.bytes.length - from, 'malformed', field, 'CBOR ends too early');
    this.at += n;
    return this.bytes.subarray(from, this.at);
  }

  /**
   * The argument behind an initial byte (RFC 8949 3).
   * @param {number} info
   * @param {string} field
   * @returns {number}
   */
  #argument(info, field) {
    if (info < 24) return info;
    ensure(info <= 27, 'malformed', field, 'expected a CBOR item of definite length');
    const size = 2 ** (info - 24);
    const value = this.#take(size, field).reduce((all, byte) => all * 256n + BigInt(byte), 0n);
    const least = size === 1 ? 24n : 1n << BigInt(4 * size);

    ensure(value >= least, 'malformed', field, 'CBOR number is not in its shortest form');
    ensure(value <= BigInt(Number.MAX_SAFE_INTEGER), 'malformed', field, 'expected less than 2^53');
    return Number(value);
  }

  /**
   * @param {keyof typeof MAJOR} type
   * @param {string} field
   * @returns {number} value, length or count
   */
  #head(type, field) {
    const first = this.#take(1, field)[0];

    ensure(first >> 5 === MAJOR[type], 'malformed', field, `expected CBOR ${type}`);
    return this.#argument(first & 31, field);
  }

  /** @param {string} field */
  uint(field) {
    return this.#head('uint', field);
  }

  /** @param {string} field */
  array(field) {
    return this.#head('array', field);
  }

  /** @param {string} field */
  byteString(field) {
    return this.#take(this.#head('bytes', field), field);
  }

  /**
   * Null gives null.
   * @param {string} field
   * @returns {Uint8Array|null}
   */
  byteStringOrNull(field) {
    if (this.bytes[this.at] !== NULL) return this.byteString(field);
    this.at += 1;
    return null;
  }

  /**
   * @param {string} field
   * @returns {string}
   */
  text(field) {
    const bytes = this.#take(this.#head('text', field), field);

    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new VerifyError('malformed', field, 'CBOR text is not UTF-8');
    }
  }

  /**
   * Calls `pair` once for each pair of a map; it must read key and value.
   * @param {string} field
   * @param {() => void} pair
   */
  map(field, pair) {
    if (this.bytes[this.at] !== (MAJOR.map << 5 | INDEFINITE)) {
      for (let left = this.#head('map', field); left > 0; left -= 1) pair();
      return;
    }
    this.at += 1;
    while (this.bytes[this.at] !== BREAK) pair();
    this.at += 1;
  }

  /**
   * A map that must be empty, of definite length.
   * @param {string} field
   */
  emptyMap(field) {
    ensure(this.#head('map', field) === 0, 'malformed', field, 'expected an empty map');
  }

  /**
   * Passes over this tag when it is there.
   * @param {number} tag below 24
   */
  skipTag(tag) {
    if (this.bytes[this.at] === (MAJOR.tag << 5 | tag)) this.at += 1;
  }

  /** @param {string} field */
  end(field) {
    ensure(this.at === this.bytes.length, 'malformed', field, 'has bytes after its end');
  }
}

/**
 * The head of a byte or text string or array, in its shortest form.
 * @param {keyof typeof MAJOR} type
 * @param {number} n below 2^16
 * @returns {Uint8Array}
 */
export function cborHead(type, n) {
  const high = MAJOR[type] << 5;

  if (n < 24) return Uint8Array.of(high | n);
  if (n < 0x100) return Uint8Array.of(high | 24, n);
  return Uint8Array.of(high | 25, n >> 8, n & 255);
}
