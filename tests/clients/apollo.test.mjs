// Apollo Client: its cache, which asks for __typename everywhere, and its ways to send.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { ApolloClient, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { ask, headers, marked, url } from './server.mjs';

const client = (link = new HttpLink({ uri: url, headers })) => new ApolloClient({ cache: new InMemoryCache(), link });
const list = gql`
  query List($state: String!, $offset: Int!) {
    contact(where: { state: { _eq: $state } }, order_by: [{ email: asc }], limit: 3, offset: $offset) {
      ...person
      purchases(limit: 2, order_by: { price: desc }) { id price contact { ...person } }
      purchases_aggregate { aggregate { count sum { price } } }
    }
  }
  fragment person on contact { id email display_name }
`;

test('a query is cached by the ids of its records', async () => {
  const apollo = client();
  const { data } = await apollo.query({ query: list, variables: { state: 'Texas', offset: 0 } });
  assert.equal(data.contact.length, 3);
  const [one] = data.contact;
  assert.equal(one.__typename, 'contact');
  const cached = apollo.cache.extract();
  assert.equal(cached[`contact:${one.id}`].email, one.email);
  const next = await apollo.query({ query: list, variables: { state: 'Texas', offset: 3 } });
  assert.ok(next.data.contact.every((c) => !data.contact.some((d) => d.id === c.id)));
});

test('a mutation writes to the cache, and tells why it was refused', async () => {
  const apollo = client();
  const create = gql`mutation ($object: contact_insert_input!) { insert_contact_one(object: $object) { id email } }`;
  const update = gql`mutation ($id: uuid!, $to: contact_set_input!) { update_contact_by_pk(pk_columns: { id: $id }, _set: $to) { id email } }`;
  const { data } = await apollo.mutate({ mutation: create, variables: { object: { contact_no: marked('apollo'), email: 'one@example.com' } } });
  const { id } = data.insert_contact_one;
  await apollo.mutate({ mutation: update, variables: { id, to: { email: 'two@example.com' } } });
  assert.equal(apollo.cache.extract()[`contact:${id}`].email, 'two@example.com');
  await assert.rejects(apollo.mutate({ mutation: update, variables: { id, to: { email: null } } }), (error) => {
    assert.ok(CombinedGraphQLErrors.is(error));
    assert.equal(error.errors[0].extensions.kind, 'RULE_FAILED');
    return true;
  });
  await ask('mutation ($id: uuid!) { delete_contact_by_pk(id: $id) { id } }', { id });
});

test('a query by GET', async () => {
  const { data } = await client(new HttpLink({ uri: url, headers, useGETForQueries: true })).query({ query: list, variables: { state: 'Texas', offset: 0 } });
  assert.equal(data.contact.length, 3);
});

test('automatic persisted queries, by GET: the text is sent once', async () => {
  const sent = [];
  const link = new PersistedQueryLink({ sha256: async (text) => createHash('sha256').update(text).digest('hex'), useGETForHashedQueries: true })
    .concat(new HttpLink({ uri: url, headers, fetch: (input, init) => { sent.push(`${init.method} ${input} ${init.body ?? ''}`); return fetch(input, init); } }));
  const query = gql`query Persisted { contact(limit: 1, order_by: { email: asc }) { id ${marked('alias').replaceAll('-', '_')}: email } }`;
  for (let i = 0; i < 2; i++) {
    const { data } = await client(link).query({ query });
    assert.equal(data.contact.length, 1);
  }
  assert.deepEqual(sent.map((s) => [s.split(' ')[0], s.includes('order_by')]), [['GET', false], ['POST', true], ['GET', false]]);
});
