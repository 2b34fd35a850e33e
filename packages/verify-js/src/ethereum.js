// SPDX-License-Identifier: Apache-2.0
// Ethereum addresses: Keccak-256 (the original padding, not SHA3's), secp256k1 points (SEC 1, SEC 2),
// EIP-55 checksums. Everything here is public, so plain BigInt arithmetic will do.
import { concat, fromHex, toHex, utf8 } from './bytes.js';
import { ensure } from './errors.js';

const LANE = 64n;
const ROUNDS = 24;
const RATE = 136; // bytes
const MASK = (1n << LANE) - 1n;

/** Rotations in the order of the walk of rho and pi (Keccak reference, 1.2). */
const ROTATIONS = Array.from({ length: 24 }, (_, t) => BigInt((t + 1) * (t + 2) / 2 % 64));

/** Round constants, from the linear feedback shift register x^8 + x^6 + x^5 + x^4 + 1. */
const CONSTANTS = (() => {
  let register = 1;

  return Array.from({ length: ROUNDS }, () => {
    let constant = 0n;
    for (let j = 0n; j < 7n; j += 1n) {
      if (register & 1) constant |= 1n << ((1n << j) - 1n);
      register = register & 0x80 ? (register << 1 ^ 0x171) : register << 1;
    }
    return constant;
  });
})();

/** @param {bigint} value @param {bigint} by */
const rotate = (value, by) => ((value << by | value >> (LANE - by)) & MASK);

/** Keccak-f[1600] in place. @param {bigint[]} a 25 lanes, x + 5 y */
function permute(a) {
  for (const constant of CONSTANTS) {
    const columns = [0, 1, 2, 3, 4].map((x) => a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20]);
    for (let i = 0; i < 25; i += 1) {
      a[i] ^= columns[(i + 4) % 5] ^ rotate(columns[(i + 1) % 5], 1n);
    }
    let [x, y] = [1, 0];
    let moving = a[1];
    for (const by of ROTATIONS) {
      [x, y] = [y, (2 * x + 3 * y) % 5];
      [moving, a[x + 5 * y]] = [a[x + 5 * y], rotate(moving, by)];
    }
    for (let row = 0; row < 25; row += 5) {
      const old = a.slice(row, row + 5);
      for (let i = 0; i < 5; i += 1) a[row + i] = old[i] ^ ((old[(i + 1) % 5] ^ MASK) & old[(i + 2) % 5]);
    }
    a[0] ^= constant;
  }
}

/**
 * @param {Uint8Array} message
 * @returns {Uint8Array} 32 bytes
 */
export function keccak256(message) {
  const padded = new Uint8Array((Math.floor(message.length / RATE) + 1) * RATE);
  const state = Array(25).fill(0n);
  const out = new Uint8Array(32);

  padded.set(message);
  padded[message.length] ^= 0x01;
  padded[padded.length - 1] ^= 0x80;
  for (let block = 0; block < padded.length; block += RATE) {
    const view = new DataView(padded.buffer, block, RATE);
    for (let lane = 0; lane < RATE / 8; lane += 1) state[lane] ^= view.getBigUint64(8 * lane, true);
    permute(state);
  }
  const view = new DataView(out.buffer);
  for (let lane = 0; lane < 4; lane += 1) view.setBigUint64(8 * lane, state[lane], true);
  return out;
}

const P = 2n ** 256n - 2n ** 32n - 977n; // SEC 2, 2.4.1: y^2 = x^3 + 7 over this field

/** @param {bigint} base @param {bigint} exponent */
function power(base, exponent) {
  let result = 1n;

  for (let left = exponent, square = base % P; left > 0n; left >>= 1n) {
    if (left & 1n) result = result * square % P;
    square = square * square % P;
  }
  return result;
}

/** @param {bigint} value */
const to32 = (value) => fromHex(value.toString(16).padStart(64, '0'), '');

/**
 * The coordinates of a compressed secp256k1 point (SEC 1, 2.3.4).
 * @param {Uint8Array} compressed 33 bytes
 * @returns {Uint8Array} x || y, 64 bytes
 */
export function decompress(compressed) {
  const sign = compressed[0];
  const x = BigInt(`0x${toHex(compressed.subarray(1)) || '0'}`);
  const squared = (x * x * x + 7n) % P;
  const root = power(squared, (P + 1n) / 4n);

  ensure(compressed.length === 33 && (sign === 2 || sign === 3) && x < P
    && root * root % P === squared, 'malformed', 'public key', 'expected a point of secp256k1');
  const y = (root & 1n) === BigInt(sign & 1) ? root : P - root;
  return concat(to32(x), to32(y));
}

/**
 * The Ethereum address of a compressed secp256k1 key, with the checksum of EIP-55.
 * @param {Uint8Array} compressed 33 bytes
 * @returns {string}
 */
export function addressOf(compressed) {
  const digits = toHex(keccak256(decompress(compressed)).subarray(12));
  const hash = toHex(keccak256(utf8(digits)));

  return `0x${Array.from(digits, (c, i) => (hash[i] >= '8' ? c.toUpperCase() : c)).join('')}`;
}
