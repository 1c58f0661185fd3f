// Clients of subscriptions: graphql-ws and Apollo over it, graphql-sse, and the older subscriptions-transport-ws.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ApolloClient, InMemoryCache, gql } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { createClient as createEvents } from 'graphql-sse';
import { CloseCode, createClient } from 'graphql-ws6';
import { SubscriptionClient } from 'subscriptions-transport-ws';
import WebSocket from 'ws';
import { ask, headers, marked, url } from './server.mjs';

const socket = url.replace('http', 'ws');
const open = (options = {}) => createClient({ url: socket, webSocketImpl: WebSocket, connectionParams: { headers }, retryAttempts: 0, ...options });
const mine = 'subscription ($no: String!) { contact(where: { contact_no: { _eq: $no } }) { email } }';
const create = (no, email) => ask('mutation ($o: contact_insert_input!) { insert_contact_one(object: $o) { id } }', { o: { contact_no: no, email } });
const change = (no, email) => ask('mutation ($no: String!, $to: contact_set_input!) { update_contact(where: { contact_no: { _eq: $no } }, _set: $to) { affected_rows } }', { no, to: { email } });
const remove = (no) => ask('mutation ($no: String!) { delete_contact(where: { contact_no: { _eq: $no } }) { affected_rows } }', { no });

// follow is a live query that sees a record come and change, whatever carries it: next returns what it is told next.
async function follow(next) {
  const { no } = next;
  assert.deepEqual(await next(), { contact: [] });
  await create(no, 'one@example.com');
  assert.deepEqual((await next()).contact.map((c) => c.email), ['one@example.com']);
  await change(no, 'two@example.com');
  assert.deepEqual((await next()).contact.map((c) => c.email), ['two@example.com']);
  await remove(no);
  assert.deepEqual(await next(), { contact: [] });
}

// iterated makes next of an iterator of results.
function iterated(no, results) {
  const next = async () => {
    const { value, done } = await results.next();
    assert.ok(!done);
    assert.equal(value.errors, undefined);
    return value.data;
  };
  return Object.assign(next, { no });
}

test('graphql-ws follows a live query', async () => {
  const client = open();
  const no = marked('ws');
  const results = client.iterate({ query: mine, variables: { no } });
  await follow(iterated(no, results));
  await results.return();
  await client.dispose();
});

test('graphql-ws sends queries and mutations too, and learns what is wrong', async () => {
  const client = open({ lazy: false });
  const once = async (query) => (await client.iterate({ query }).next()).value;
  assert.deepEqual(await once('{ __typename }'), { data: { __typename: 'query_root' } });
  await assert.rejects(once('subscription { nothing { id } }'), (errors) => errors[0].extensions.code === 'validation-failed');
  const failed = await once('mutation { insert_contact_one(object: { email: null }) { id } }');
  assert.ok(failed.errors.length > 0);
  await client.dispose();
});

test('graphql-ws: a hundred subscriptions over one connection, and not one more', async () => {
  const client = open();
  const all = Array.from({ length: 100 }, (_, i) => client.iterate({ query: `subscription { contact(limit: ${i + 1}) { id } }` }));
  const firsts = await Promise.all(all.map((a) => a.next()));
  firsts.forEach(({ value }, i) => assert.equal(value.data.contact.length, i + 1));
  await assert.rejects(client.iterate({ query: 'subscription { contact { id } }' }).next(), (errors) => errors[0].extensions.kind === 'LIMIT');
  await Promise.all(all.map((a) => a.return()));
  await client.dispose();
});

test('graphql-ws is told with 4403 that it may not come in', async () => {
  const client = open({ connectionParams: { headers: { authorization: 'Bearer ' + 'x'.repeat(43) } } });
  await assert.rejects(client.iterate({ query: '{ __typename }' }).next(), (event) => event.code === CloseCode.Forbidden);
});

test('a stream and changes over graphql-ws', async () => {
  const client = open();
  const no = marked('stream');
  await create(no, 'one@example.com');
  const stream = client.iterate({ query: 'subscription ($no: String!) { contact_stream(batch_size: 1, cursor: [{ initial_value: { email: "" } }], where: { contact_no: { _eq: $no } }) { email } }', variables: { no } });
  assert.equal((await stream.next()).value.data.contact_stream[0].email, 'one@example.com');
  const changes = client.iterate({ query: 'subscription { contact_changes { cursor changes { op after } } }' });
  assert.deepEqual((await changes.next()).value.data.contact_changes.changes, []);
  await change(no, 'two@example.com');
  assert.equal((await changes.next()).value.data.contact_changes.changes[0].after.email, 'two@example.com');
  assert.equal((await stream.next()).value.data.contact_stream[0].email, 'two@example.com');
  await Promise.all([stream.return(), changes.return()]);
  await client.dispose();
  await remove(no);
});

test('Apollo Client over graphql-ws', async () => {
  const client = open();
  const apollo = new ApolloClient({ cache: new InMemoryCache(), link: new GraphQLWsLink(client) });
  const no = marked('apollo-ws');
  const waiting = [];
  const told = [];
  const watch = apollo.subscribe({ query: gql(mine), variables: { no }, fetchPolicy: 'no-cache' }).subscribe({
    next: ({ data }) => (waiting.length > 0 ? waiting.shift()(data) : told.push(data)),
    error: (error) => assert.fail(error),
  });
  const next = () => (told.length > 0 ? Promise.resolve(told.shift()) : new Promise((resolve) => waiting.push(resolve)));
  const plain = async () => ({ contact: (await next()).contact.map(({ email }) => ({ email })) });
  await follow(Object.assign(plain, { no }));
  watch.unsubscribe();
  apollo.stop();
  await client.dispose();
});

test('graphql-sse follows a live query', async () => {
  const client = createEvents({ url, headers, retryAttempts: 0 });
  const no = marked('sse');
  const results = client.iterate({ query: mine, variables: { no } });
  await follow(iterated(no, results));
  await results.return();
  const { value } = await client.iterate({ query: '{ __typename }' }).next();
  assert.equal(value.data.__typename, 'query_root');
  client.dispose();
});

test('subscriptions-transport-ws follows a live query', async () => {
  const client = new SubscriptionClient(socket, { connectionParams: { headers }, reconnect: false }, WebSocket);
  const no = marked('legacy');
  const waiting = [];
  const told = [];
  const watch = client.request({ query: mine, variables: { no } }).subscribe({
    next: ({ data }) => (waiting.length > 0 ? waiting.shift()(data) : told.push(data)),
    error: (error) => assert.fail(error),
  });
  const next = () => (told.length > 0 ? Promise.resolve(told.shift()) : new Promise((resolve) => waiting.push(resolve)));
  await follow(Object.assign(next, { no }));
  watch.unsubscribe();
  const refused = await new Promise((resolve) => {
    client.request({ query: 'subscription { nothing { id } }' }).subscribe({ next: resolve, error: resolve });
  });
  assert.match(refused.message ?? JSON.stringify(refused), /nothing/);
  client.close();
});
