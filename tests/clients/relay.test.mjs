// Relay: its compiler over the types of the server, its runtime, and its hooks for pages and for fetching a record again.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import test from 'node:test';
import { buildClientSchema, getIntrospectionQuery, printSchema } from 'graphql';
import { createElement, Suspense } from 'react';
import reactRelay from 'react-relay';
import { act, create } from 'react-test-renderer';
import runtime from 'relay-runtime';
import { run } from './compile.mjs';
import { ask, headers, marked, scratch, url } from './server.mjs';

const { RelayEnvironmentProvider, useLazyLoadQuery, usePaginationFragment, useRefetchableFragment } = reactRelay;
const { Environment, Network, RecordSource, Store, fetchQuery } = runtime;
globalThis.IS_REACT_ACT_ENVIRONMENT = true;

// Relay keeps what nobody shows any more for minutes, which is no reason for the process to stay.
const { setTimeout: later } = globalThis;
globalThis.setTimeout = (call, ms, ...rest) => (ms > 60_000 ? later(call, ms, ...rest).unref() : later(call, ms, ...rest));

const documents = `
import { graphql } from 'relay-runtime';

export const list = graphql\`
  query sourceListQuery($where: contact_bool_exp!, $first: Int, $after: String, $last: Int, $before: String) {
    ...source_list @arguments(where: $where, first: $first, after: $after, last: $last, before: $before)
  }
\`;

export const page = graphql\`
  fragment source_list on query_root
  @argumentDefinitions(where: { type: "contact_bool_exp!" }, first: { type: "Int" }, after: { type: "String" }, last: { type: "Int" }, before: { type: "String" })
  @refetchable(queryName: "sourcePageQuery") {
    contact_connection(where: $where, order_by: [{ email: asc }], first: $first, after: $after, last: $last, before: $before) @connection(key: "source_contact_connection", filters: ["where"]) {
      totalCount
      edges { node { id email } }
    }
  }
\`;

export const record = graphql\`
  query sourceRecordQuery($id: ID!) {
    node(id: $id) { __typename ...source_contact @alias(as: "contact") }
  }
\`;

export const contact = graphql\`
  fragment source_contact on contact @argumentDefinitions(count: { type: "Int", defaultValue: 1 }) @refetchable(queryName: "sourceContactQuery") {
    id
    email
    purchases_connection(first: $count, order_by: [{ price: desc }]) { edges { node { price } } }
  }
\`;

export const several = graphql\`
  query sourceSeveralQuery($ids: [ID!]!) {
    nodes(ids: $ids) { __typename ... on contact { email } ... on online_purchase { price } }
  }
\`;

export const change = graphql\`
  mutation sourceChangeMutation($id: uuid!, $email: String!) {
    update_contact_by_pk(pk_columns: { id: $id }, _set: { email: $email }) { email }
  }
\`;
`;

// compile has the compiler read the types and the documents, and returns what it makes of them.
async function compile(t) {
  const folder = scratch(t);
  const introspection = await ask(getIntrospectionQuery());
  writeFileSync(join(folder, 'schema.graphql'), printSchema(buildClientSchema(introspection)));
  writeFileSync(join(folder, 'package.json'), '{"type":"commonjs"}');
  mkdirSync(join(folder, 'src'));
  writeFileSync(join(folder, 'src/source.js'), documents);
  writeFileSync(join(folder, 'relay.config.json'), JSON.stringify({
    src: './src', schema: './schema.graphql', language: 'javascript', eagerEsModules: false,
    schemaConfig: { nodeInterfaceIdField: '_id', nodeInterfaceIdVariableName: '_id' },
  }));
  await run(folder, 'relay-compiler', 'relay.config.json');
  const require = createRequire(join(folder, 'src/'));
  return (name) => require(`./__generated__/${name}.graphql.js`);
}

// environment is one as an application makes it, which notes what it sends.
function environment(sent = []) {
  const network = Network.create(async ({ text, name }, variables) => {
    sent.push({ name, variables });
    const response = await fetch(url, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify({ query: text, variables }) });
    return response.json();
  });
  return new Environment({ network, store: new Store(new RecordSource()), getDataID: (record) => record._id });
}

// render shows a component until it has its data, and returns what use returned last.
async function render(env, use) {
  const shown = {};
  const Component = () => { shown.now = use(); return null; };
  let root;
  await act(async () => { root = create(createElement(RelayEnvironmentProvider, { environment: env }, createElement(Suspense, { fallback: null }, createElement(Component)))); });
  await until(() => shown.now !== undefined);
  return { shown, done: () => act(async () => root.unmount()) };
}

// until lets the component work until something holds, for as long as a loaded machine may take.
async function until(holds) {
  for (const end = Date.now() + 30_000; !holds() && Date.now() < end;) await act(() => new Promise((resolve) => { setImmediate(resolve); }));
  assert.ok(holds());
}

// people makes contacts with emails in order, and removes them after the test.
async function people(t, n) {
  const no = marked('relay');
  const objects = Array.from({ length: n }, (_, i) => ({ contact_no: `${no}-${i}`, email: `${i}@relay.example.com` }));
  const made = await ask('mutation ($o: [contact_insert_input!]!) { insert_contact(objects: $o) { returning { id _id email } } }', { o: objects });
  const where = { contact_no: { _like: `${no}-%` } };
  t.after(() => ask('mutation ($w: contact_bool_exp!) { delete_contact(where: $w) { affected_rows } }', { w: where }));
  return { where, records: made.insert_contact.returning };
}

test('Relay reads pages forwards and backwards, and records again', async (t) => {
  const artifact = await compile(t);
  const { where, records } = await people(t, 7);
  const emails = records.map((r) => r.email);

  for (const [way, load, arguments_] of [['forwards', 'loadNext', { first: 3 }], ['backwards', 'loadPrevious', { last: 3 }]]) {
    await t.test(`usePaginationFragment ${way}`, async () => {
      const sent = [];
      const [query, fragment] = [artifact('sourceListQuery'), artifact('source_list')];
      const { shown, done } = await render(environment(sent), () => usePaginationFragment(fragment, useLazyLoadQuery(query, { where, ...arguments_ })));
      const list = () => shown.now.data.contact_connection.edges.map((e) => e.node.email);
      const expected = (n) => (way === 'forwards' ? emails.slice(0, n) : emails.slice(-n));
      const more = () => (way === 'forwards' ? shown.now.hasNext : shown.now.hasPrevious);
      assert.equal(shown.now.data.contact_connection.totalCount, 7);
      for (const n of [3, 6, 7]) {
        await until(() => list().length === n);
        assert.deepEqual(list(), expected(n));
        assert.equal(more(), n < 7);
        if (n < 7) await act(async () => { shown.now[load](3); });
      }
      assert.deepEqual(sent.map((s) => s.name), ['sourceListQuery', 'sourcePageQuery', 'sourcePageQuery']);
      await done();
    });
  }

  await t.test('useRefetchableFragment fetches a record by its global id', async () => {
    const sent = [];
    const [query, fragment] = [artifact('sourceRecordQuery'), artifact('source_contact')];
    const { shown, done } = await render(environment(sent), () => {
      const { node } = useLazyLoadQuery(query, { id: records[2]._id });
      const [data, refetch] = useRefetchableFragment(fragment, node.contact);
      return { typename: node.__typename, data, refetch };
    });
    assert.equal(shown.now.typename, 'contact');
    assert.equal(shown.now.data.email, emails[2]);
    await ask('mutation ($id: uuid!) { update_contact_by_pk(pk_columns: { id: $id }, _set: { email: "22@relay.example.com" }) { id } }', { id: records[2].id });
    await act(async () => { shown.now.refetch({ count: 2 }, { fetchPolicy: 'network-only' }); });
    await until(() => shown.now.data.email === '22@relay.example.com');
    assert.deepEqual(sent.at(-1), { name: 'sourceContactQuery', variables: { count: 2, _id: records[2]._id } });
    await done();
  });

  await t.test('the store knows a record by its global id, whatever brings it', async () => {
    const env = environment();
    const query = artifact('sourceSeveralQuery');
    const ids = [records[0]._id, 'contact:00000000-0000-7000-8000-000000000000', records[1]._id];
    const { nodes } = await fetchQuery(env, query, { ids }).toPromise();
    assert.deepEqual(nodes.map((n) => n && n.email), [emails[0], null, emails[1]]);
    const mutation = artifact('sourceChangeMutation');
    await new Promise((onCompleted, onError) => runtime.commitMutation(env, { mutation, variables: { id: records[0].id, email: '00@relay.example.com' }, onCompleted, onError }));
    assert.equal(env.getStore().getSource().get(records[0]._id).email, '00@relay.example.com');
  });
});
