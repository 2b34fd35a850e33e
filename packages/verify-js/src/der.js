// SPDX-License-Identifier: Apache-2.0
// DER (X.690, section 10 and 11): one encoding for each value, so that what was signed can be read in
// one way only. Tags are single bytes, lengths are definite and shortest.
import { ensure } from './errors.js';

export const TAG = {
  boolean: 0x01, integer: 0x02, bitString: 0x03, octetString: 0x04, oid: 0x06, utf8String: 0x0c,
  utcTime: 0x17, generalizedTime: 0x18, sequence: 0x30, set: 0x31,
};

/**
 * @typedef {object} Element
 * @property {number} tag
 * @property {Uint8Array} content
 * @property {Uint8Array} raw the whole element, as received
 */

export class DerReader {
  /**
   * @param {Uint8Array} bytes
   * @param {string} field named in errors
   */
  constructor(bytes, field) {
    this.bytes = bytes;
    this.field = field;
    this.at = 0;
  }

  /** True while something is left. */
  get more() {
    return this.at < this.bytes.length;
  }

  /** The tag of the next element; -1 when there is none. */
  get tag() {
    return this.more ? this.bytes[this.at] : -1;
  }

  /** @param {boolean} condition @param {string} what */
  #need(condition, what) {
    ensure(condition, 'untrusted', this.field, what);
  }

  #byte() {
    this.#need(this.more, 'DER ends too early');
    this.at += 1;
    return this.bytes[this.at - 1];
  }

  #length() {
    const first = this.#byte();
    let n = 0;

    if (first < 0x80) return first;
    this.#need(first === 0x81 || first === 0x82, 'DER length: expected at most two bytes');
    for (let i = first & 0x7f; i > 0; i -= 1) n = n * 256 + this.#byte();
    this.#need(n >= (first === 0x81 ? 0x80 : 0x100), 'DER length is not the shortest');
    return n;
  }

  /**
   * The next element, of this tag.
   * @param {number} [tag] any when left out
   * @returns {Element}
   */
  next(tag) {
    const from = this.at;
    const found = this.#byte();

    this.#need((found & 0x1f) !== 0x1f, 'DER tag: expected one byte');
    this.#need(tag === undefined || found === tag,
      `expected DER tag 0x${(tag ?? 0).toString(16)}, found 0x${found.toString(16)}`);
    const n = this.#length();
    this.#need(n <= this.bytes.length - this.at, 'DER ends too early');
    const content = this.bytes.subarray(this.at, this.at + n);
    this.at += n;
    return { tag: found, content, raw: this.bytes.subarray(from, this.at) };
  }

  /**
   * A reader of the next element's content.
   * @param {number} tag
   * @returns {DerReader}
   */
  inside(tag) {
    return new DerReader(this.next(tag).content, this.field);
  }

  /** An INTEGER in two's complement. @returns {Uint8Array} */
  integer() {
    const { content } = this.next(TAG.integer);
    const [first, second = first ^ 0x80] = content;

    this.#need(content.length > 0, 'DER integer is empty');
    this.#need(!(first === 0 && second < 0x80) && !(first === 0xff && second >= 0x80),
      'DER integer is not the shortest');
    return content;
  }

  /** An INTEGER that is not negative, without its sign byte. @returns {Uint8Array} */
  unsigned() {
    const content = this.integer();

    this.#need(content[0] < 0x80, 'DER integer: expected a positive one');
    return content.length > 1 && content[0] === 0 ? content.subarray(1) : content;
  }

  /** @returns {boolean} */
  boolean() {
    const { content } = this.next(TAG.boolean);

    this.#need(content.length === 1 && (content[0] === 0 || content[0] === 0xff),
      'DER boolean: expected 00 or ff');
    return content[0] === 0xff;
  }

  /** Nothing may follow. */
  end() {
    this.#need(!this.more, 'has bytes after its end');
  }
}
