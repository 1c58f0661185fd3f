// Usage: node audit.mjs URL KEY_FILE
//
// Holds the server at URL against two things nobody here wrote or would write:
//   1. the 61 audits of graphql-http (GraphQL over HTTP); all must be ok, not only the MUSTs;
//   2. small documents that kill or hang GraphQL servers; each must be refused, at once,
//      by a process that goes on answering.
// scripts/audit.sh builds and starts the server. Exits with 1 when anything falls short.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { auditServer } from 'graphql-http';

const AUDITS = 61;
const TRIES = 5;
const GOAL_MS = 5; // what we promise on an idle machine: printed
const LIMIT_MS = 50; // what fails the run: machines that test are seldom idle
const TIMEOUT_MS = 10_000;

const [url, keyFile] = process.argv.slice(2);
if (!url || !keyFile) {
  console.error('usage: node audit.mjs URL KEY_FILE');
  process.exit(2);
}
const authorization = `Bearer ${readFileSync(keyFile, 'utf8').trim()}`;

async function audit() {
  const fetchFn = (input, init = {}) => fetch(input, { ...init, headers: { ...init.headers, authorization } });
  const results = await auditServer({ url, fetchFn });
  const failed = results.filter((result) => result.status !== 'ok');
  for (const { status, id, name, reason } of failed) console.log(`${status.padEnd(6)} ${id} ${name}: ${reason}`);
  const ok = results.length - failed.length;
  console.log(`graphql-http: ${ok} of ${results.length} audits ok`);
  return ok === AUDITS && results.length === AUDITS;
}

// Each killer is a request body: [what it is, query, variables as JSON text]. All stay under 1 MB,
// the limit of a body, so that it is the reading of the document that is tested.
const times = (n, text) => text.repeat(n);
const each = (n, make) => Array.from({ length: n }, (_, i) => make(i)).join(' ');
const killers = [
  ['fragment spreads itself', '{...A} fragment A on query_root{...A}'],
  ['fragment spreads itself, inline', '{...A} fragment A on query_root{...{...A}}'],
  ['two fragments in a cycle', '{...A} fragment A on query_root{...B} fragment B on query_root{...A}'],
  ['cycle that nobody uses', '{__typename} fragment A on query_root{...A}'],
  ['two-fragment cycle, unused', '{__typename} fragment A on query_root{...B} fragment B on query_root{...A}'],
  ['three-fragment cycle, unused', '{__typename} fragment A on query_root{...B} fragment B on query_root{...C} fragment C on query_root{...A}'],
  ['cycle through a field', '{__schema{queryType{...A}}} fragment A on __Type{ofType{...A}}'],
  ['fragments that double, 25 levels', '{__schema{queryType{...F0}}} ' +
    each(25, (i) => `fragment F${i} on __Type{a:ofType{...F${i + 1}} b:ofType{...F${i + 1}}}`) + ' fragment F25 on __Type{name}'],
  ['selections, 10,000 deep', times(10_000, '{a') + times(10_000, '}')],
  ['selections, 300,000 deep, unclosed', times(300_000, '{a')],
  ['lists, 100,000 deep', `{a(b:${times(100_000, '[')}${times(100_000, ']')})}`],
  ['lists, 600,000 deep, unclosed', `{a(b:${times(600_000, '[')}`],
  ['input objects, 200,000 deep, unclosed', `{a(b:${times(200_000, '{a:')}`],
  ['variable type, 600,000 deep', `query($a:${times(600_000, '[')}`],
  ['inline fragments, 10,000 deep', '{' + times(10_000, '...{') + '__typename' + times(10_000, '}') + '}'],
  ['inline fragments, 10,000 side by side', '{' + times(10_000, '...{__typename}') + '}'],
  ['fragments, 5,000', `{__typename} ${each(5_000, (i) => `fragment F${i} on query_root{__typename}`)}`],
  ['operations, 5,000', each(5_000, (i) => `query Q${i}{__typename}`)],
  ['aliases, 10,000', `{${each(10_000, (i) => `a${i}:__typename`)}}`],
  ['equal fields, 10,000', `{${times(10_000, '__typename ')}}`],
  ['unknown directives, 2,000', `{__typename ${times(2_000, '@a ')}}`],
  ['unknown directives, 50,000', `{__typename ${times(50_000, '@a ')}}`],
  ['unknown fields, 900', `{${each(900, (i) => `unknown_field_${i}`)}}`],
  ['unknown fields, 2,000', `{${each(2_000, (i) => `unknown_field_${i}`)}}`],
  ['variables, 20,000', `query(${each(20_000, (i) => `$v${i}:Int`)}){__typename}`],
  ['commas, 900,000', `{${times(900_000, ',')}`],
  ['one string of 900,000', `{a(b:"${times(900_000, 'a')}`],
  ['variable 100,000 deep', 'query($v:Boolean!){__typename @include(if:$v)}', `{"v":${times(100_000, '[')}${times(100_000, ']')}}`],
  ['variable 100,000 deep, objects', 'query($v:Boolean!){__typename @include(if:$v)}', `{"v":${times(100_000, '{"a":')}1${times(100_000, '}')}}`],
];

// post sends over one connection that is kept open, and tells how long the whole exchange took.
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
function post(body) {
  return new Promise((resolve, reject) => {
    const begin = performance.now();
    const headers = { authorization, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const request = http.request(url, { method: 'POST', agent, headers }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString(), ms: performance.now() - begin }));
    });
    const timer = setTimeout(() => request.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
    request.on('close', () => clearTimeout(timer));
    request.on('error', reject);
    request.end(body);
  });
}

// refusal returns what is wrong with an answer that ought to be an error answer, or nothing.
function refusal({ status, text }) {
  if (status >= 500) return `status ${status}`;
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    return `status ${status}, and an answer that is not JSON: ${text.slice(0, 80)}`;
  }
  if (typeof answer?.errors?.[0]?.message !== 'string') return `status ${status}, and no error: ${text.slice(0, 80)}`;
}

async function alive() {
  const { status, text } = await post('{"query":"{__typename}"}');
  if (status !== 200 || JSON.parse(text).data?.__typename !== 'query_root') {
    throw new Error(`{__typename} is answered with ${status} ${text.slice(0, 80)}`);
  }
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

// survive sends one killer and returns [median ms, what is wrong].
async function survive(body) {
  const taken = [];
  try {
    for (let i = 0; i <= TRIES; i++) {
      const answer = await post(body);
      const wrong = refusal(answer);
      if (wrong) return [answer.ms, wrong];
      if (i > 0) taken.push(answer.ms); // the first one warms up
    }
    await alive();
  } catch (error) {
    return [NaN, `${error.code ?? ''} ${error.message}`.trim()];
  }
  const ms = median(taken);
  return [ms, ms > LIMIT_MS ? `slower than ${LIMIT_MS} ms` : ''];
}

async function kill() {
  await alive();
  let refused = 0;
  let late = 0;
  for (const [name, query, variables] of killers) {
    const body = `{"query":${JSON.stringify(query)}${variables ? `,"variables":${variables}` : ''}}`;
    const [ms, wrong] = await survive(body);
    const verdict = wrong ? `FAIL ${wrong}` : ms > GOAL_MS ? 'slow' : 'ok';
    if (!wrong) refused++;
    if (!(ms <= GOAL_MS)) late++;
    console.log(`${name.padEnd(40)} ${String(body.length).padStart(8)} B ${ms.toFixed(2).padStart(8)} ms  ${verdict}`);
    if (wrong.includes('ECONNREFUSED')) break; // the process is gone
  }
  console.log(`killer documents: ${refused} of ${killers.length} refused, ${late} of them not within ${GOAL_MS} ms`);
  return refused === killers.length;
}

try {
  const audited = await audit();
  const survived = await kill();
  process.exitCode = audited && survived ? 0 : 1;
} catch (error) {
  console.error(`audit: ${error.stack}`);
  process.exitCode = 1;
}
agent.destroy();
