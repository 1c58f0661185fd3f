// The data provider of react-admin for Hasura, which reads the types of the server and builds its queries from them.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test, { before } from 'node:test';
import { ask, headers, marked, url } from './server.mjs';

const buildProvider = createRequire(import.meta.url)('ra-data-hasura').default;
let provider;
before(async () => { provider = await buildProvider({ clientOptions: { uri: url, headers } }); });

test('a list is filtered, sorted, paged and counted', async () => {
  const params = { filter: { 'email@_ilike': '.com', state: 'Texas' }, sort: { field: 'email', order: 'ASC' }, pagination: { page: 2, perPage: 5 } };
  const list = await provider.getList('contact', params);
  const where = { email: { _ilike: '%.com%' }, state: { _eq: 'Texas' } };
  const { contact, contact_aggregate: all } = await ask(
    `query ($where: contact_bool_exp) {
      contact(where: $where, order_by: {email: asc}, limit: 5, offset: 5) { id email }
      contact_aggregate(where: $where) { aggregate { count } }
    }`, { where });
  assert.equal(contact.length, 5);
  assert.deepEqual(list.data.map(({ id, email }) => ({ id, email })), contact);
  assert.equal(list.total, all.aggregate.count);
});

test('one record, many of them, and those that refer to one', async () => {
  const { contact: [some] } = await ask('{contact(where: {purchases: {}}, order_by: {email: asc}, limit: 1) {id email purchases {id}}}');
  const one = await provider.getOne('contact', { id: some.id });
  assert.equal(one.data.email, some.email);
  const many = await provider.getMany('contact', { ids: [some.id] });
  assert.deepEqual(many.data.map((c) => c.id), [some.id]);
  const bought = await provider.getManyReference('online_purchase', {
    target: 'contact_id', id: some.id, filter: {}, sort: { field: 'purchased_on', order: 'DESC' }, pagination: { page: 1, perPage: 100 },
  });
  assert.deepEqual(new Set(bought.data.map((p) => p.id)), new Set(some.purchases.map((p) => p.id)));
  assert.equal(bought.total, some.purchases.length);
});

test('records are made, changed and deleted, one and many', async () => {
  const no = marked('react-admin');
  const made = [];
  for (const i of [1, 2, 3]) {
    made.push((await provider.create('contact', { data: { contact_no: `${no}-${i}`, email: 'one@example.com', income: 10.5 } })).data);
  }
  const [first, ...others] = made;
  const changed = await provider.update('contact', { id: first.id, data: { email: 'two@example.com' }, previousData: first });
  assert.equal(changed.data.email, 'two@example.com');
  const ids = others.map((c) => c.id);
  const many = await provider.updateMany('contact', { ids, data: { city: 'Ulm' } });
  assert.deepEqual(new Set(many.data), new Set(ids));
  await assert.rejects(provider.update('contact', { id: first.id, data: { email: null }, previousData: first }), /a contact needs an e-mail address/);
  await provider.delete('contact', { id: first.id, previousData: first });
  assert.deepEqual(new Set((await provider.deleteMany('contact', { ids })).data), new Set(ids));
  assert.deepEqual((await provider.getMany('contact', { ids: made.map((c) => c.id) })).data, []);
});
