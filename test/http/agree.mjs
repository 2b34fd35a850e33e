// SPDX-License-Identifier: Apache-2.0
// Two HTTP parsers that share no code, the HTTP server's (through test/http/judge) and llhttp as Node has it
// (strict), read the same bytes: a table of named cases of smuggling and other ambiguity, then random
// changes of requests. What ours takes, llhttp must take as the same requests with the same bodies;
// ours may be stricter, for a reason of the list below. Prints TAP.
// usage: node agree.mjs JUDGE SECONDS SEED
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import readline from 'node:readline';

const { HTTPParser, methods } = createRequire(import.meta.url)('_http_common');
const SHOWN = 20;
const [judgePath, seconds, seed] = process.argv.slice(2);

// What ours says when it refuses what llhttp takes, and why it does.
const STRICTER = new Map(Object.entries({
  'HTTP: Host is missing': 'RFC 9112 3.2; llhttp leaves Host to its user',
  'HTTP: two Host': 'the same',
  'HTTP: Host is no host': 'the same',
  'HTTP: target must be a path from / on': 'no proxy, so no absolute and authority form; no fragment',
  'HTTP: method is no token': 'an empty line before a request, which RFC 9112 2.2 lets be skipped',
  'HTTP: expected a chunk size and CR LF': 'chunk extensions, and sizes of more than eight digits',
  'HTTP: Transfer-Encoding must be chunked': 'other codings than the one that there is',
  'HTTP: two Transfer-Encoding': 'a list in two lines',
  'HTTP: Transfer-Encoding in HTTP/1.0': 'RFC 9112 6.1: faulty framing',
  'HTTP: Content-Length and Transfer-Encoding': 'also when one of them is empty',
  'HTTP: tab in a field that frames the message': 'blanks that not every program takes off',
  'HTTP: a trailer says what only the head may say': 'RFC 9110 6.5.1',
  'HTTP: Expect must be 100-continue': 'RFC 9110 10.1.1 allows 417',
  'HTTP: expected HTTP/1.1 or HTTP/1.0': 'llhttp knows HTTP/0.9 and HTTP/2.0 lines',
  'HTTP: more than 64 fields': 'a limit',
  'HTTP: head exceeds 16 KiB': 'a limit',
  'HTTP: more than 8192 chunks': 'a limit',
  'HTTP: body is too large': 'a limit',
  'body: larger than the limit': 'a limit',
  'target: longer than 1024 bytes': 'a limit',
  'HTTP: Content-Length is no number': 'blanks inside, and numbers of more than 18 digits',
  'HTTP: field without a colon': 'in trailers, which llhttp checks less',
  'HTTP: field name is no token': 'the same',
  'HTTP: control character in a field': 'DEL, which RFC 9110 5.5 leaves out',
  'HTTP: bare LF': 'RFC 9112 2.2 lets it end a line',
}));

// That of Node 18 lets a CR without its LF end a head, and another byte than CR a chunk.
const IS_OLD = parseInt(process.versions.llhttp, 10) < 8;
if (IS_OLD) STRICTER.set('HTTP: expected CR LF after a chunk', 'old llhttp looks at its LF only');

// -- the two sides ---------------------------------------------------------------------------------

class Judge {
  constructor(program) {
    this.waiting = [];
    this.child = spawn(program, [], { stdio: ['pipe', 'pipe', 'inherit'] });
    readline.createInterface({ input: this.child.stdout }).on('line', (line) => this.waiting.shift()(line));
    this.child.on('exit', (status, signal) => {
      for (const resolve of this.waiting.splice(0)) resolve(`{"requests":[],"end":"ended ${status ?? signal}"}`);
    });
  }

  async ask(bytes) {
    const line = await new Promise((resolve) => {
      this.waiting.push(resolve);
      this.child.stdin.write(`${bytes.toString('hex')}\n`);
    });
    const said = JSON.parse(line);
    const latin1 = (hex) => Buffer.from(hex, 'hex').toString('latin1');
    said.requests = said.requests.map((r) => ({
      method: latin1(r.method),
      target: latin1(r.target),
      body: r.body,
      fields: r.fields.map((f) => `${latin1(f.name)}: ${latin1(f.value)}`),
    }));
    return said;
  }

  end() {
    this.child.stdin.end();
  }
}

// llhttp, fed in one piece.
function llhttp(bytes) {
  const parser = new HTTPParser();
  const requests = [];
  let now = null;
  let heads = [];

  const pairs = (list) => list.reduce((all, v, i) => (i % 2 ? all : [...all, `${v}: ${list[i + 1]}`]), []);
  parser.initialize(HTTPParser.REQUEST, {}, 0, 0);
  parser[HTTPParser.kOnMessageBegin | 0] = () => { heads = []; };
  parser[HTTPParser.kOnHeaders | 0] = (list, url) => { heads.push(...pairs(list)); if (url) heads.url = url; };
  parser[HTTPParser.kOnHeadersComplete | 0] = (major, minor, list, method, url) => {
    now = { method: methods[method], target: url ?? heads.url, body: '', fields: [...heads, ...pairs(list ?? [])] };
    heads = [];
    return 0;
  };
  parser[HTTPParser.kOnBody | 0] = (chunk, at, n) => {
    now.body += (at === undefined ? chunk : chunk.subarray(at, at + n)).toString('hex');
  };
  parser[HTTPParser.kOnMessageComplete | 0] = () => { requests.push(now); now = null; };
  const result = parser.execute(bytes);
  const bad = result instanceof Error;
  parser.close();
  return { requests, end: bad ? 'bad' : 'open', code: bad ? result.code : '', inBody: now !== null };
}

// -- the comparison --------------------------------------------------------------------------------

// undefined when they agree; else what is wrong.
function difference(ours, theirs, used, bytes) {
  for (const [i, mine] of ours.requests.entries()) {
    const other = theirs.requests[i];

    if (!other) {
      // A token that llhttp does not know is answered 405 by whoever dispatches.
      if (theirs.code === 'HPE_INVALID_METHOD' && !methods.includes(mine.method)) return undefined;
      return `ours takes ${mine.method} ${mine.target}, llhttp says ${theirs.code || 'more'}`;
    }
    for (const key of ['method', 'target', 'body'])
      if (mine[key] !== other[key]) return `${key}: ${mine[key]} or ${other[key]}`;
    const [our, their] = [mine.fields, other.fields].map((list) => list.map((f) => f.trimEnd()).join(' | '));
    if (our !== their) return `fields: ${our} or ${their}`;
  }
  const further = theirs.requests.length > ours.requests.length;
  if (ours.end === 'bad' && (further || theirs.end !== 'bad')) {
    used.set(ours.words, (used.get(ours.words) ?? 0) + 1);
    return STRICTER.has(ours.words) ? undefined : `ours refuses without a reason of the list: ${ours.words}`;
  }
  if (ours.end === 'bad') return undefined;
  if (further && IS_OLD && /\r(?!\n)/.test(bytes.toString('latin1'))) return undefined;
  if (further && ours.end !== 'closed') return `llhttp takes one more: ${JSON.stringify(theirs.requests[ours.requests.length])}`;
  return ours.end.startsWith('ended') ? ours.end : undefined;
}

// -- cases -----------------------------------------------------------------------------------------

const HEAD = 'Host: a\r\n';
const post = (fields, body) => `POST /p HTTP/1.1\r\n${HEAD}${fields}\r\n${body}`;
const NEXT = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
const chunked = (body, coding = 'Transfer-Encoding: chunked\r\n') => post(coding, body) + NEXT;

// name -> [bytes, how many requests ours must take]
const CASES = {
  'plain': [`GET / HTTP/1.1\r\n${HEAD}\r\n`, 1],
  'three': [`GET /1 HTTP/1.1\r\n${HEAD}\r\nHEAD /2 HTTP/1.1\r\n${HEAD}\r\nOPTIONS /3 HTTP/1.1\r\n${HEAD}\r\n`, 3],
  'length': [post('Content-Length: 5\r\n', 'hello') + NEXT, 2],
  'chunked': [chunked('5\r\nhello\r\n0\r\n\r\n'), 2],
  'chunked, trailers': [chunked('5\r\nhello\r\n0\r\nX: y\r\nZ:\r\n\r\n'), 2],
  'chunked, upper case': [chunked('A\r\n0123456789\r\n0\r\n\r\n', 'TRANSFER-ENCODING: CHUNKED\r\n'), 2],
  'chunked, zeros': [chunked('00000005\r\nhello\r\n000\r\n\r\n'), 2],
  'no length': [`POST / HTTP/1.1\r\n${HEAD}\r\n` + NEXT, 2],
  'length 0': [post('Content-Length: 0\r\n', '') + NEXT, 2],
  'length 000': [post('Content-Length: 000\r\n', '') + NEXT, 2],
  'HTTP/1.0': ['GET / HTTP/1.0\r\n\r\n', 1],
  'blanks around a value': [`GET / HTTP/1.1\r\n${HEAD}X: \t y \t \r\n\r\n`, 1],
  'an empty value': [`GET / HTTP/1.1\r\n${HEAD}X:\r\n\r\n`, 1],
  'bytes above ASCII in a value': [Buffer.from(`GET / HTTP/1.1\r\n${HEAD}X: caf\xe9\r\n\r\n`, 'latin1'), 1],
  'CL.TE': [post('Content-Length: 6\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\nG') + NEXT, 0],
  'TE.CL': [post('Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', '5c\r\nGPOST') + NEXT, 0],
  'TE.TE': [post('Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n', '0\r\n\r\n') + NEXT, 0],
  'TE: identity': [chunked('0\r\n\r\n', 'Transfer-Encoding: identity\r\n'), 0],
  'TE: gzip, chunked': [chunked('0\r\n\r\n', 'Transfer-Encoding: gzip, chunked\r\n'), 0],
  'TE: chunked, identity': [chunked('0\r\n\r\n', 'Transfer-Encoding: chunked, identity\r\n'), 0],
  'TE: xchunked': [chunked('0\r\n\r\n', 'Transfer-Encoding: xchunked\r\n'), 0],
  'TE: "chunked"': [chunked('0\r\n\r\n', 'Transfer-Encoding: "chunked"\r\n'), 0],
  'TE: chunked;': [chunked('0\r\n\r\n', 'Transfer-Encoding: chunked;\r\n'), 0],
  'TE: empty': [chunked('0\r\n\r\n', 'Transfer-Encoding:\r\n'), 0],
  'TE with a blank before the colon': [chunked('0\r\n\r\n', 'Transfer-Encoding : chunked\r\n'), 0],
  'TE with a tab before the colon': [chunked('0\r\n\r\n', 'Transfer-Encoding\t: chunked\r\n'), 0],
  'TE with a blank in front': [chunked('0\r\n\r\n', ' Transfer-Encoding: chunked\r\n'), 0],
  'TE folded': [chunked('0\r\n\r\n', 'Transfer-Encoding:\r\n chunked\r\n'), 0],
  'TE with a vertical tab': [chunked('0\r\n\r\n', 'Transfer-Encoding: \x0bchunked\r\n'), 0],
  'TE and a tab': [chunked('0\r\n\r\n', 'Transfer-Encoding: chunked\t\r\n'), 0],
  'CL and a tab': [post('Content-Length:\t5\r\n', 'hello') + NEXT, 0],
  'TE with a NUL': [chunked('0\r\n\r\n', 'Transfer-Encoding: chunked\0\r\n'), 0],
  'TE behind a bare CR': [chunked('0\r\n\r\n', 'X: y\rTransfer-Encoding: chunked\r\n'), 0],
  'TE behind a bare LF': [chunked('0\r\n\r\n', 'X: y\nTransfer-Encoding: chunked\r\n'), 0],
  'TE in HTTP/1.0': [`POST / HTTP/1.0\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n` + NEXT, 0],
  'TE in a name of another': [post('X-Transfer-Encoding: chunked\r\n', '') + NEXT, 2],
  'two CL': [post('Content-Length: 5\r\nContent-Length: 6\r\n', 'hello') + NEXT, 0],
  'twice the same CL': [post('Content-Length: 5\r\nContent-Length: 5\r\n', 'hello') + NEXT, 0],
  'a list of CL': [post('Content-Length: 5, 5\r\n', 'hello') + NEXT, 0],
  'CL +5': [post('Content-Length: +5\r\n', 'hello') + NEXT, 0],
  'CL -5': [post('Content-Length: -5\r\n', 'hello') + NEXT, 0],
  'CL 0x5': [post('Content-Length: 0x5\r\n', 'hello') + NEXT, 0],
  'CL 5 5': [post('Content-Length: 5 5\r\n', 'hello') + NEXT, 0],
  'CL 5a': [post('Content-Length: 5a\r\n', 'hello') + NEXT, 0],
  'CL 5.0': [post('Content-Length: 5.0\r\n', 'hello') + NEXT, 0],
  'CL empty': [post('Content-Length:\r\n', '') + NEXT, 0],
  'CL 2^64': [post('Content-Length: 18446744073709551616\r\n', '') + NEXT, 0],
  'CL 2^64 + 5': [post('Content-Length: 18446744073709551621\r\n', 'hello') + NEXT, 0],
  'CL with a NUL': [post('Content-Length: 5\0\r\n', 'hello') + NEXT, 0],
  'CL with an underscore': [post('Content_Length: 5\r\n', '') + NEXT, 2],
  'chunk extension': [chunked('5;a=b\r\nhello\r\n0\r\n\r\n'), 0],
  'chunk extension with a LF': [chunked('5;a\nhello\r\n0\r\n\r\n'), 0],
  'chunk size with a blank': [chunked('5 \r\nhello\r\n0\r\n\r\n'), 0],
  'chunk size after a blank': [chunked(' 5\r\nhello\r\n0\r\n\r\n'), 0],
  'chunk size 0x5': [chunked('0x5\r\nhello\r\n0\r\n\r\n'), 0],
  'chunk size +5': [chunked('+5\r\nhello\r\n0\r\n\r\n'), 0],
  'chunk size -5': [chunked('-5\r\nhello\r\n0\r\n\r\n'), 0],
  'chunk size empty': [chunked('\r\nhello\r\n0\r\n\r\n'), 0],
  'chunk size of nine digits': [chunked('000000005\r\nhello\r\n0\r\n\r\n'), 0],
  'chunk size 2^64': [chunked('10000000000000000\r\nhello\r\n0\r\n\r\n'), 0],
  'chunk size 2^64 + 5': [chunked('10000000000000005\r\nhello\r\n0\r\n\r\n'), 0],
  'chunk size and LF': [chunked('5\nhello\r\n0\r\n\r\n'), 0],
  'chunk and LF': [chunked('5\r\nhello\n0\r\n\r\n'), 0],
  'chunk longer than its size': [chunked('5\r\nhelloX\r\n0\r\n\r\n'), 0],
  'chunk without an end': [chunked('5\r\nhello0\r\n\r\n'), 0],
  'last chunk and LF': [chunked('5\r\nhello\r\n0\n\n'), 0],
  'trailer without a colon': [chunked('0\r\nX\r\n\r\n'), 0],
  'trailer folded': [chunked('0\r\nX: y\r\n z\r\n\r\n'), 0],
  'trailer with CL': [chunked('0\r\nContent-Length: 50\r\n\r\n'), 0],
  'trailer with TE': [chunked('0\r\nTransfer-Encoding: chunked\r\n\r\n'), 0],
  'trailer with Connection': [chunked('0\r\nConnection: close\r\n\r\n'), 0],
  'two Host': [`GET / HTTP/1.1\r\n${HEAD}Host: b\r\n\r\n`, 0],
  'no Host': ['GET / HTTP/1.1\r\n\r\n', 0],
  'Host with a path': ['GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', 0],
  'Host with a user': ['GET / HTTP/1.1\r\nHost: u@a\r\n\r\n', 0],
  'Host list': ['GET / HTTP/1.1\r\nHost: a, b\r\n\r\n', 0],
  'Host with a blank before the colon': ['GET / HTTP/1.1\r\nHost : a\r\n\r\n', 0],
  'absolute form': [`GET http://b/ HTTP/1.1\r\n${HEAD}\r\n`, 0],
  'authority form': [`CONNECT a:1 HTTP/1.1\r\n${HEAD}\r\n`, 0],
  'asterisk form': [`OPTIONS * HTTP/1.1\r\n${HEAD}\r\n`, 0],
  'fragment': [`GET /a#b HTTP/1.1\r\n${HEAD}\r\n`, 0],
  'no target': [`GET  HTTP/1.1\r\n${HEAD}\r\n`, 0],
  'target with a blank': [`GET /a b HTTP/1.1\r\n${HEAD}\r\n`, 0],
  'target with a tab': [`GET /a\tb HTTP/1.1\r\n${HEAD}\r\n`, 0],
  'target with a NUL': [`GET /a\0b HTTP/1.1\r\n${HEAD}\r\n`, 0],
  'target with a CR': [`GET /a\rb HTTP/1.1\r\n${HEAD}\r\n`, 0],
  'two blanks': [`GET  / HTTP/1.1\r\n${HEAD}\r\n`, 0],
  'a blank at the end': [`GET / HTTP/1.1 \r\n${HEAD}\r\n`, 0],
  'a blank in front': [` GET / HTTP/1.1\r\n${HEAD}\r\n`, 0],
  'an empty line in front': [`\r\nGET / HTTP/1.1\r\n${HEAD}\r\n`, 0],
  'LF for CR LF': ['GET / HTTP/1.1\nHost: a\n\n', 0],
  'CR for CR LF': ['GET / HTTP/1.1\rHost: a\r\r', 0],
  'CR CR LF': ['GET / HTTP/1.1\r\r\nHost: a\r\n\r\n', 0],
  'no version': ['GET /\r\n\r\n', 0],
  'HTTP/0.9': [`GET / HTTP/0.9\r\n${HEAD}\r\n`, 0],
  'HTTP/1.2': [`GET / HTTP/1.2\r\n${HEAD}\r\n`, 0],
  'HTTP/2.0': [`GET / HTTP/2.0\r\n${HEAD}\r\n`, 0],
  'HTTP/11': [`GET / HTTP/11\r\n${HEAD}\r\n`, 0],
  'HTTP/1.10': [`GET / HTTP/1.10\r\n${HEAD}\r\n`, 0],
  'http/1.1': [`GET / http/1.1\r\n${HEAD}\r\n`, 0],
  'method in lower case': [`get / HTTP/1.1\r\n${HEAD}\r\n`, 1],
  'an unknown method': [`FETCH / HTTP/1.1\r\n${HEAD}\r\n`, 1],
  'method with a colon': [`GET: / HTTP/1.1\r\n${HEAD}\r\n`, 0],
  'a field name with a blank': [`GET / HTTP/1.1\r\n${HEAD}X Y: z\r\n\r\n`, 0],
  'a field name of nothing': [`GET / HTTP/1.1\r\n${HEAD}: z\r\n\r\n`, 0],
  'a field name in brackets': [`GET / HTTP/1.1\r\n${HEAD}(X): z\r\n\r\n`, 0],
  'a field name above ASCII': [Buffer.from(`GET / HTTP/1.1\r\n${HEAD}caf\xe9: z\r\n\r\n`, 'latin1'), 0],
  'a field without a colon': [`GET / HTTP/1.1\r\n${HEAD}X\r\n\r\n`, 0],
  'a value with a NUL': [`GET / HTTP/1.1\r\n${HEAD}X: a\0b\r\n\r\n`, 0],
  'a value with ESC': [`GET / HTTP/1.1\r\n${HEAD}X: a\x1bb\r\n\r\n`, 0],
  'a value with DEL': [`GET / HTTP/1.1\r\n${HEAD}X: a\x7fb\r\n\r\n`, 0],
  'a folded value': [`GET / HTTP/1.1\r\n${HEAD}X: a\r\n b\r\n\r\n`, 0],
  'a first field folded': [`GET / HTTP/1.1\r\n X: a\r\n${HEAD}\r\n`, 0],
  'Connection: close, then more': [`GET /1 HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n` + NEXT, 1],
  'an upgrade to HTTP/2': [`GET / HTTP/1.1\r\n${HEAD}X: Upgrade\r\nUpgrade: h2c\r\n\r\n`, 1],
  'Expect: something': [`GET / HTTP/1.1\r\n${HEAD}Expect: something\r\n\r\n`, 0],
  'a TLS hello': [Buffer.from('160301020001000001fc0303', 'hex'), 0],
};

// -- random changes --------------------------------------------------------------------------------

function generator(start) {
  let a = start >>> 0;
  return (n) => { // mulberry32
    a = (a + 0x6d2b79f5) >>> 0;
    let t = a;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

const WORDS = ['\r\n', '\n', '\r', '\r\n\r\n', ' ', '\t', '\0', '\x0b', '\x7f', '\xff', ':', ';', ',', '"', '+', '-', '0', '0x',
  '5', 'a', '#', '*', '/', 'Content-Length: 5\r\n', 'Content-Length: 3\r\n', 'Transfer-Encoding: chunked\r\n', 'chunked',
  'identity', 'HTTP/1.0', 'HTTP/1.1', 'Host: b\r\n', 'Connection: close\r\n', 'X: y\r\n', ' X: y\r\n', '0\r\n\r\n',
  '5\r\nhello\r\n', 'Expect: 100-continue\r\n', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'POST ', 'get '];

function change(text, random) {
  let out = text;
  for (let count = 1 + random(3); count > 0; count--) {
    const at = random(out.length + 1);
    const kind = random(5);
    if (kind === 0) out = out.slice(0, at) + out.slice(at + 1 + random(4));
    else if (kind === 1) out = out.slice(0, at) + String.fromCharCode(random(256)) + out.slice(at + 1);
    else if (kind === 2) out = out.slice(0, at) + out.slice(Math.max(0, at - random(12)));
    else out = out.slice(0, at) + WORDS[random(WORDS.length)] + out.slice(at);
  }
  return out;
}

// --------------------------------------------------------------------------------------------------

let points = 0;
let failed = 0;

function tell(ok, name, detail) {
  points += 1;
  failed += ok ? 0 : 1;
  console.log(`${ok ? 'ok' : 'not ok'} ${points} - ${name}`);
  if (!ok && detail) console.log(`# ${detail.replace(/\n/g, '\n# ')}`);
}

const judge = new Judge(judgePath);
const used = new Map();
const texts = [];
for (const [name, [input, takes]] of Object.entries(CASES)) {
  const bytes = Buffer.isBuffer(input) ? input : Buffer.from(input, 'latin1');
  const [ours, theirs] = [await judge.ask(bytes), llhttp(bytes)];
  const wrong = difference(ours, theirs, used, bytes)
    ?? (ours.requests.length === takes ? undefined : `ours takes ${ours.requests.length}, expected ${takes}`);

  texts.push(bytes.toString('latin1'));
  tell(wrong === undefined, name, `${wrong}\n${JSON.stringify(ours)}\n${JSON.stringify(theirs)}`);
}
const random = generator(Number(seed));
const until = Date.now() + Number(seconds) * 1000;
let changed = 0, taken = 0, shown = 0;
while (Date.now() < until) {
  const batch = Array.from({ length: 200 }, () => Buffer.from(change(texts[random(texts.length)], random), 'latin1'));
  const said = await Promise.all(batch.map((bytes) => judge.ask(bytes)));
  for (const [i, ours] of said.entries()) {
    const wrong = difference(ours, llhttp(batch[i]), used, batch[i]);

    changed += 1;
    taken += ours.requests.length > 0 ? 1 : 0;
    if (wrong !== undefined && shown++ < SHOWN)
      console.log(`# ${wrong}\n#   ${JSON.stringify(batch[i].toString('latin1'))}`);
  }
}
tell(shown === 0, `${changed} random changes are read alike (ours takes requests of ${taken}), ${shown} are not`);
for (const [words, count] of [...used].sort((a, b) => b[1] - a[1]))
  console.log(`# stricter ${count} times: ${words} (${STRICTER.get(words)})`);
judge.end();
console.log(`1..${points}`);
process.exit(failed ? 1 : 0);
