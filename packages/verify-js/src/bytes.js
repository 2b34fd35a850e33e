// SPDX-License-Identifier: Apache-2.0
// Bytes and their text forms, without Buffer: the browser has none.
import { ensure } from './errors.js';

/**
 * Lower-case hex digits.
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function toHex(bytes) {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

/**
 * The bytes of hex digits, with or without `0x`.
 * @param {string} text
 * @param {string} field named in the error
 * @returns {Uint8Array}
 */
export function fromHex(text, field) {
  const digits = text.startsWith('0x') ? text.slice(2) : text;

  ensure(/^([0-9a-fA-F]{2})*$/.test(digits), 'usage', field, 'expected hex digits');
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/**
 * The bytes of standard base64 with padding; white space at the ends is taken.
 * @param {string} text
 * @param {string} field
 * @returns {Uint8Array}
 */
export function fromBase64(text, field) {
  const trimmed = text.trim();

  ensure(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(trimmed),
    'malformed', field, 'expected base64');
  return Uint8Array.from(atob(trimmed), (c) => c.charCodeAt(0));
}

/**
 * @param {Uint8Array} a
 * @param {Uint8Array} b
 * @returns {boolean}
 */
export function equal(a, b) {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

/**
 * @param {...Uint8Array} parts
 * @returns {Uint8Array}
 */
export function concat(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;

  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/**
 * The bytes of a text, as UTF-8.
 * @param {string} text
 * @returns {Uint8Array}
 */
export function utf8(text) {
  return new TextEncoder().encode(text);
}

/**
 * A pin: bytes, or hex digits, of exactly this length.
 * @param {Uint8Array|string} value
 * @param {number} length in bytes
 * @param {string} field
 * @returns {Uint8Array}
 */
export function pinned(value, length, field) {
  const bytes = typeof value === 'string' ? fromHex(value, field) : value;

  ensure(bytes instanceof Uint8Array && bytes.length === length, 'usage', field,
    `expected ${length} bytes, as Uint8Array or hex`);
  return bytes;
}

/**
 * What was received: bytes, or base64 text of them. The bytes are copied, so that nobody can change
 * them while promises are pending.
 * @param {Uint8Array|string} value
 * @param {number} most
 * @param {string} field
 * @returns {Uint8Array}
 */
export function received(value, most, field) {
  const bytes = typeof value === 'string' ? fromBase64(value, field) : value;

  ensure(bytes instanceof Uint8Array, 'usage', field, 'expected a Uint8Array or base64 text');
  ensure(bytes.length <= most, 'malformed', field, `expected at most ${most} bytes`);
  return Uint8Array.from(bytes);
}

/** Reads big-endian structures from their start to their end (PROTOCOL.md, first paragraph). */
export class Reader {
  /**
   * @param {Uint8Array} bytes
   * @param {string} field named in errors
   */
  constructor(bytes, field) {
    this.bytes = bytes;
    this.field = field;
    this.at = 0;
  }

  /**
   * A view of the next n bytes.
   * @param {number} n
   * @param {string} [name]
   * @returns {Uint8Array}
   */
  take(n, name = '') {
    const from = this.at;

    ensure(n <= this.bytes.length - from, 'malformed', name ? `${this.field}.${name}` : this.field,
      'ends too early');
    this.at += n;
    return this.bytes.subarray(from, this.at);
  }

  /**
   * @param {number} size in bytes, at most 6
   * @param {string} [name]
   * @returns {number}
   */
  uint(size, name) {
    return this.take(size, name).reduce((value, byte) => value * 256 + byte, 0);
  }

  /**
   * @param {string} [name]
   * @returns {bigint}
   */
  u64(name) {
    return BigInt(`0x${toHex(this.take(8, name))}`);
  }

  /**
   * Milliseconds since 1970 and the like: a u64 that is safe as a number.
   * @param {string} name
   * @returns {number}
   */
  safe(name) {
    const value = this.u64(name);

    ensure(value <= BigInt(Number.MAX_SAFE_INTEGER), 'malformed', `${this.field}.${name}`,
      'expected less than 2^53');
    return Number(value);
  }

  /**
   * Bytes behind their length.
   * @param {1|2|4} size of the length
   * @param {number} most
   * @param {string} name
   * @returns {Uint8Array}
   */
  variable(size, most, name) {
    const n = this.uint(size, name);

    ensure(n <= most, 'malformed', `${this.field}.${name}`, `expected at most ${most} bytes`);
    return this.take(n, name);
  }

  /** Nothing may follow. */
  end() {
    ensure(this.at === this.bytes.length, 'malformed', this.field, 'has bytes after its end');
  }
}
