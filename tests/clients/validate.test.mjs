// Whether a document is valid, the server and graphql-js say alike, for thousands of documents: valid ones over the types of the
// server, and what comes of them with a few mistakes.
import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import { GraphQLError, Kind, buildClientSchema, getIntrospectionQuery, parse, print, validate } from 'graphql';
import { Maker } from './documents.mjs';
import { ask, headers, url } from './server.mjs';

const DOCUMENTS = Number(process.env.COLONNADE_DOCUMENTS ?? 1500);
const SEED = Number(process.env.COLONNADE_SEED ?? 1);

// verdict asks for an operation that the document does not have: the server says so when it found no other mistake.
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
function verdict(query) {
  const body = JSON.stringify({ query, operationName: 'none_of_these' });
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method: 'POST', agent, headers: { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const { errors } = JSON.parse(Buffer.concat(chunks).toString());
        resolve(errors.filter((e) => !e.message.startsWith('the document has no operation named')));
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

// rootless finds operations of a kind that the schema does not have, which graphql-js refuses to execute, not to validate.
const rootless = (schema, document) => document.definitions
  .filter((d) => d.kind === Kind.OPERATION_DEFINITION && !schema.getRootType(d.operation))
  .map((d) => ({ message: `there is no ${d.operation}` }));

// judged is validate, which throws over some subscriptions: nothing for one whose root fields depend on a variable, which has no value yet, and the
// mistake where a directive of a root field has an argument that it cannot have.
function judged(schema, document) {
  try {
    return validate(schema, document, undefined, { maxErrors: 3 });
  } catch (err) {
    if (err instanceof GraphQLError && /runtime value/.test(err.message)) return undefined;
    if (err instanceof GraphQLError && /has invalid value/.test(err.message)) return [err];
    throw err;
  }
}

test('documents are valid for the server when they are for graphql-js', async () => {
  const { __type: there } = await ask('{__type(name: "call") {name}}');
  if (!there) await ask(`mutation { create_table(name: "call", label: "Call", ownership: "organization", columns: [{name: "about", kind: "text"}
    {name: "party_id", kind: "any_lookup", targets: ["contact", "loyalty_member"], inverse: "calls"}]) { version } }`);
  const schema = buildClientSchema(await ask(getIntrospectionQuery({ oneOf: true, inputValueDeprecation: true, directiveIsRepeatable: true })));
  const maker = new Maker(schema, SEED);
  const counts = { valid: 0, invalid: 0 };
  const differ = [];
  for (let i = 0; i < DOCUMENTS && differ.length < 10; i++) {
    const document = maker.document(i % 4);
    const text = print(document);
    const parsed = parse(text);
    const found = judged(schema, parsed);
    if (!found) continue;
    const theirs = [...found, ...rootless(schema, parsed)];
    const ours = await verdict(text);
    counts[theirs.length === 0 ? 'valid' : 'invalid']++;
    if ((theirs.length === 0) !== (ours.length === 0)) differ.push({ text, theirs: theirs.map((e) => e.message), ours: ours.map((e) => e.message) });
  }
  agent.destroy();
  assert.deepEqual(differ, [], `of documents from seed ${SEED}`);
  assert.ok(counts.valid > DOCUMENTS / 8 && counts.invalid > DOCUMENTS / 4, JSON.stringify(counts));
});
