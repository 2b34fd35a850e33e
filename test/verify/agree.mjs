// SPDX-License-Identifier: Apache-2.0
// Two verifiers that share no code, libcloister-verify (through test/verify/judge) and
// packages/verify-js, judge the same bytes: a table of named cases whose verdict is known, then random
// changes. They must agree on every one, and on all that they say about what they accept. Prints TAP.
// usage: node agree.mjs JUDGE EMITTED-FOLDER ROOT.der VECTORS-FOLDER SECONDS SEED
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import * as verify from '../../packages/verify-js/src/index.js';
import { connection, emulatorCases, genuineCases, Maker, ownCases } from './cases.mjs';
import { cMap, sha256, signPayload } from './pki.mjs';

const CODES = ['ok', 'usage', 'malformed', 'unsupported', 'untrusted', 'expired', 'internal'];
const FLAGS = { allowDebug: 1, anyImage: 2, anyConfiguration: 4 };
const KINDS = [null, 'account', 'keyset', 'status', 'unconfigured', 'import', 'tls'];
const SHOWN = 20;

const [judgePath, emitted, rootFile, vectors, seconds, seed] = process.argv.slice(2);
const hexOf = (b) => (b ? Buffer.from(b).toString('hex') : '-');

// -- the C side ------------------------------------------------------------------------------------

class Judge {
  constructor(program) {
    this.waiting = [];
    this.child = spawn(program, [], { stdio: ['pipe', 'pipe', 'inherit'] });
    readline.createInterface({ input: this.child.stdout }).on('line', (line) => this.waiting.shift()(line));
    this.child.on('exit', (status, signal) => {
      for (const resolve of this.waiting.splice(0)) resolve(`6 judge ended: ${status ?? signal}`);
    });
  }

  ask({ kind, document, record, spki, trust }) {
    const flags = Object.keys(FLAGS).reduce((all, name) => all | (trust[name] ? FLAGS[name] : 0), 0);
    const values = {
      document, record, spki, root: trust.root, pcr0: trust.pcr0 && Buffer.concat(trust.pcr0), pcr16: trust.pcr16,
      configuration: trust.configuration, nonce: trust.nonce,
    };
    const words = Object.entries(values).filter(([, v]) => v?.length).map(([key, v]) => `${key}=${hexOf(v)}`);
    const at = trust.at === undefined ? [] : [`at=${trust.at}`];
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.child.stdin.write(`${[kind, `flags=${flags}`, ...at, ...words].join(' ')}\n`);
    });
  }

  end() {
    this.child.stdin.end();
  }
}

// -- the JavaScript side, in the same words --------------------------------------------------------

const PROVENANCES = ['', 'generated', 'imported', 'exposed'];
const PURPOSES = ['', 'accounts', 'validators', 'tls'];
const PHASES = { UNCONFIGURED: 1, CONFIGURED: 2, READY: 4, SEALED: 8 };
const ANCHORS = ['none', 'file', 'dynamodb'];

const SAY = {
  document: (d) => [`kind=${KINDS.indexOf(verify.kindOf(d.userData))} timestamp=${d.timestamp} module_id=${d.moduleId}`,
    ...[...d.pcrs].sort(([a], [b]) => a - b).map(([, value]) => `pcr=${hexOf(value)}`),
    `public_key=${hexOf(d.publicKey)} user_data=${hexOf(d.userData)} nonce=${hexOf(d.nonce)}`],
  account: (a) => [`address=${a.address} provenance=${PROVENANCES.indexOf(a.provenance)} generation=${a.generation}`,
    `created=${a.created} timestamp=${a.attestation.timestamp} deployment=${a.deployment} keyset=${a.keyset}`,
    `account=${a.account} public_key=${hexOf(a.publicKey)} policy=${hexOf(a.policyHash)} authorisers=${hexOf(a.authoriserHash)}`],
  keyset: (k) => [`name=${k.name} purpose=${PURPOSES.indexOf(k.purpose)} threshold=${k.threshold} cmks=${k.cmks.length}`,
    `created=${k.created} timestamp=${k.attestation.timestamp} deployment=${k.deployment} keyset=${k.keyset}`],
  status: (s) => [`phase=${PHASES[s.phase]} sequence=${s.auditSequence} serial=${s.manifestSerial} seals=${s.seals}`,
    `anchor=${ANCHORS.indexOf(s.anchor)} anchored=${Number(s.anchored)} timestamp=${s.attestation.timestamp}`,
    `boot=${s.boot} audit_head=${hexOf(s.auditHead)} manifest_digest=${hexOf(s.manifestDigest)}`],
};
SAY.tls = (s) => [...SAY.status(s), `keyset=${s.keyset}`];

const ASK = {
  document: ({ document, trust }) => verify.verifyDocument(document, trust),
  account: ({ document, record, trust }) => verify.verifyAccount({ document, record }, trust),
  keyset: ({ document, record, trust }) => verify.verifyKeyset({ document, record }, trust),
  status: ({ document, trust }) => verify.verifyStatus(document, trust),
  tls: ({ document, spki, trust }) => verify.verifyTls({ document, spkiSha256: spki }, trust),
};

async function askJs(one) {
  try {
    return ['0', ...SAY[one.kind](await ASK[one.kind](one))].join(' ');
  } catch (error) {
    if (!(error instanceof verify.VerifyError)) throw error;
    return `${CODES.indexOf(error.code)} ${error.message}`;
  }
}

// -- the comparison --------------------------------------------------------------------------------

const tally = { asked: 0, agreed: 0, accepted: 0, sameCode: 0, wrong: 0 };

const brief = (answer) => (answer.length > 160 ? `${answer.slice(0, 160)}...` : answer);

/** Says what is wrong, and keeps the bytes. */
function complain(one, what) {
  tally.wrong += 1;
  if (tally.wrong > SHOWN) return;
  const file = path.join(emitted, `wrong-${tally.wrong}.json`);
  fs.writeFileSync(file, JSON.stringify(one, (key, value) => (value?.type === 'Buffer' ? hexOf(value.data) : value), 1));
  console.log(`# ${one.name}: ${what}\n#   see ${file}`);
}

const codeOf = (answer) => CODES[answer.split(' ', 1)[0]];

function fits(code, expect) {
  return !expect || code === expect || (expect === 'refused' && code !== 'ok' && code !== 'usage' && code !== 'internal');
}

async function compare(judge, one) {
  const [c, js] = await Promise.all([judge.ask(one), askJs(one)]);
  const [codeC, codeJs] = [codeOf(c), codeOf(js)];
  const agreed = codeC === 'ok' || codeJs === 'ok' ? c === js : true;

  tally.asked += 1;
  tally.agreed += agreed ? 1 : 0;
  tally.accepted += codeC === 'ok' ? 1 : 0;
  tally.sameCode += codeC === codeJs ? 1 : 0;
  if (!agreed) complain(one, `they disagree\n#   C:  ${brief(c)}\n#   JS: ${brief(js)}`);
  if (!fits(codeC, one.expect)) complain(one, `expected ${one.expect}, the C library says: ${brief(c)}`);
  if (!fits(codeJs, one.expect)) complain(one, `expected ${one.expect}, verify-js says: ${brief(js)}`);
  return codeC;
}

async function all(judge, cases, width = 16) {
  const left = [...cases];

  await Promise.all(Array.from({ length: width }, async () => {
    for (let one = left.shift(); one; one = left.shift()) await compare(judge, one);
  }));
}

// -- random changes --------------------------------------------------------------------------------

/** Numbers that a seed repeats (mulberry32). */
function generator(start) {
  let state = start >>> 0;

  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ state >>> 15, 1 | state);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) % below;
  };
}

const INTERESTING = [0x00, 0x01, 0x1f, 0x20, 0x40, 0x58, 0x5f, 0x60, 0x7f, 0x80, 0x9f, 0xa0, 0xbf, 0xc0, 0xd2, 0xf6, 0xff];

function change(random, bytes) {
  const at = random(bytes.length);
  const n = 1 + random(8);
  const out = Buffer.from(bytes);

  switch (random(7)) {
    case 0: out[at] ^= 1 << random(8); return out;
    case 1: out[at] = random(256); return out;
    case 2: out[at] = INTERESTING[random(INTERESTING.length)]; return out;
    case 3: return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + n)]);
    case 4: return Buffer.concat([bytes.subarray(0, at), Buffer.from(Array.from({ length: n }, () => random(256))), bytes.subarray(at)]);
    case 5: return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + n), bytes.subarray(at)]);
    default: out.copy(out, at, random(bytes.length), random(bytes.length)); return out;
  }
}

/** A change outside of a name: the leaf's is compared with nothing, and libcrypto takes more kinds of
 * values there than X.520 knows. */
function around(name, make) {
  for (;;) {
    const changed = make();
    if (changed.includes(name)) return changed;
  }
}

/** Sources of random cases: each makes one from the generator. */
function sources(maker, genuine, emulated) {
  const payload = cMap(maker.payload());
  const key = maker.pki.keys[4];
  const twice = (random, bytes) => (random(3) ? change(random, bytes) : change(random, change(random, bytes)));
  const own = (document) => ({ kind: 'document', document, trust: { ...maker.trust, pcr16: undefined } });

  return [
    ...(genuine.length ? [['genuine', (random) => {
      const base = genuine[random(genuine.length)];
      return { ...base, document: twice(random, base.document) };
    }]] : []),
    ['emulated', (random) => {
      const base = emulated[random(emulated.length)];
      return random(4) && base.record ? { ...base, record: twice(random, base.record) }
        : { ...base, document: twice(random, base.document) };
    }],
    ['payload signed again', (random) => own(signPayload(twice(random, payload), key))],
    ['connection signed again', (random) => connection(maker, (body) => twice(random, body))],
    ['certificate signed again', (random) => {
      const which = 1 + random(4);
      const chain = maker.pki.chain((i, spec) => (i === which ? { change: (tbs) => around(spec.subject, () => twice(random, tbs)) } : {}));
      return chain.every((der) => der.length <= 1024) ? own(maker.document({ chain })) : own(maker.document());
    }],
  ].map(([name, make]) => ({ name, make }));
}

async function randomly(judge, list, random, until) {
  const counts = {};
  let n = 0;

  while (Date.now() < until) {
    const batch = Array.from({ length: 32 }, () => {
      const { name, make } = list[n % list.length];
      n += 1;
      counts[name] = (counts[name] ?? 0) + 1;
      return { ...make(random), name: `random ${n} (${name})`, expect: undefined };
    });
    await all(judge, batch, 8);
  }
  return counts;
}

// -- run -------------------------------------------------------------------------------------------

async function phase(number, name, work) {
  const before = { ...tally };
  const note = await work();
  const count = (field) => tally[field] - before[field];
  const ok = count('wrong') === 0 && (count('asked') > 0 || note);

  console.log(`${ok ? 'ok' : 'not ok'} ${number} - ${name}: ${count('agreed')} of ${count('asked')} agree, `
    + `${count('accepted')} accepted, ${count('sameCode')} with the same code${note ? ` # ${note}` : ''}`);
}

const judge = new Judge(judgePath);
const root = sha256(fs.readFileSync(rootFile));
const maker = new Maker(Math.floor(Date.now() / 1000) * 1000);
const genuine = genuineCases(vectors);
const emulated = emulatorCases(emitted, root);
const random = generator(Number(seed));
const good = (cases) => cases.filter((one) => one.expect === 'ok' && !one.name.includes('bit of'));

console.log('1..4');
await phase(1, 'genuine documents', async () => {
  await all(judge, genuine);
  return genuine.length ? '' : `SKIP no ${path.join(vectors, 'attestation')}`;
});
await phase(2, 'what the emulated enclave attests', () => all(judge, emulated));
await phase(3, 'certificates, documents and records made to measure', () => all(judge, ownCases(maker)));
await phase(4, `random changes, seed ${seed}`, async () => {
  const until = Date.now() + Number(seconds) * 1000;
  const counts = await randomly(judge, sources(maker, good(genuine), good(emulated)), random, until);
  console.log(`# ${Object.entries(counts).map(([name, n]) => `${name} ${n}`).join(', ')}`);
  return '';
});
console.log(`# agreement: ${tally.agreed} of ${tally.asked}, ${tally.accepted} accepted by both, `
  + `${tally.sameCode} with the same code`);
judge.end();
process.exitCode = tally.wrong ? 1 : 0;
