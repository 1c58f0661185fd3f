// The types that the server describes, as graphql-js 16 and 17 read them: complete, without a mistake, the same each time.
import assert from 'node:assert/strict';
import test from 'node:test';
import * as graphql16 from 'graphql';
import * as graphql17 from 'graphql17';
import { headers, url } from './server.mjs';

const options = ['descriptions', 'specifiedByUrl', 'directiveIsRepeatable', 'schemaDescription', 'inputValueDeprecation', 'oneOf'];
const all = (on) => Object.fromEntries(options.map((o) => [o, on]));
const sets = [{}, all(true), all(false), ...options.map((o) => ({ ...all(false), [o]: true })), ...options.map((o) => ({ ...all(true), [o]: false }))];

async function introspect(query) {
  const response = await fetch(url, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify({ query }) });
  assert.equal(response.status, 200);
  return response.text();
}

for (const [version, graphql] of [[16, graphql16], [17, graphql17]]) {
  test(`graphql-js ${version} finds nothing wrong, whatever is asked for`, async () => {
    for (const set of sets) {
      const answer = await introspect(graphql.getIntrospectionQuery(set));
      const { data, errors } = JSON.parse(answer);
      assert.equal(errors, undefined);
      const schema = graphql.buildClientSchema(data);
      assert.deepEqual(graphql.validateSchema(schema), [], JSON.stringify(set));
      if (Object.keys(set).length > 0) continue;
      const printed = graphql.printSchema(schema);
      assert.equal(graphql.printSchema(graphql.buildSchema(printed)), printed, 'what is printed says the same');
    }
  });
}

test('the answer has one form, and every type says what it is for', async () => {
  const query = graphql16.getIntrospectionQuery(all(true));
  const [one, other] = [await introspect(query), await introspect(`${query} # another text, so that nothing is kept of it`)];
  assert.equal(one, other);
  const { types } = JSON.parse(one).data.__schema;
  const sorted = (list) => list && assert.deepEqual(list.map((i) => i.name), list.map((i) => i.name).toSorted());
  sorted(types);
  for (const t of types.filter((t) => !t.name.startsWith('__'))) for (const list of [t.inputFields, t.enumValues, t.possibleTypes]) sorted(list);
});
