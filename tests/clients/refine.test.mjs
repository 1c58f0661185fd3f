// The data provider of refine for Hasura, as an application of refine calls it.
import assert from 'node:assert/strict';
import test from 'node:test';
import hasura, { GraphQLClient } from '@refinedev/hasura';
import { ask, headers, marked, url } from './server.mjs';

const provider = hasura(new GraphQLClient(url, { headers }), { idType: 'uuid' });
const fields = ['id', 'email', 'state', { purchases: ['price'] }];

test('a list is filtered, sorted, paged and counted', async () => {
  const filters = [
    { operator: 'or', value: [{ field: 'state', operator: 'eq', value: 'Texas' }, { field: 'state', operator: 'contains', value: 'new' }] },
    { field: 'purchases.price', operator: 'gte', value: 10 },
    { field: 'email', operator: 'nnull', value: true },
  ];
  const sorters = [{ field: 'state', order: 'desc' }, { field: 'email', order: 'asc' }];
  const page = (currentPage) => provider.getList({ resource: 'contact', filters, sorters, pagination: { currentPage, pageSize: 7 }, meta: { fields } });
  const [one, two] = await Promise.all([page(1), page(2)]);
  const where = { state: { _regex: '^Texas$|[Nn][Ee][Ww]' }, purchases: { price: { _gte: 10 } }, email: { _is_null: false } };
  const { contact, contact_aggregate: all } = await ask(
    `query ($where: contact_bool_exp) {
      contact(where: $where, order_by: [{state: desc}, {email: asc}], limit: 14) { id }
      contact_aggregate(where: $where) { aggregate { count } }
    }`, { where });
  assert.ok(all.aggregate.count > 14);
  assert.equal(one.total, all.aggregate.count);
  assert.deepEqual([...one.data, ...two.data].map((c) => c.id), contact.map((c) => c.id));
  assert.ok(one.data.every((c) => c.purchases.some((p) => p.price >= 10)));
});

test('each operator of refine that regular expressions of RE2 can say is answered', async () => {
  const { contact: [{ state }] } = await ask('{contact(where: {state: {_is_null: false}}, order_by: {state: asc}, limit: 1) {state}}');
  const total = async (operator, value) =>
    (await provider.getList({ resource: 'contact', filters: [{ field: 'state', operator, value }], meta: { fields: ['id'] } })).total;
  const same = await total('eq', state);
  assert.ok(same > 0);
  for (const [operator, value] of [
    ['in', [state]], ['contains', state.toLowerCase()], ['containss', state], ['startswith', state.toLowerCase()], ['endswith', state.toUpperCase()],
    ['startswiths', state], ['endswiths', state], ['lte', state],
  ]) assert.ok(await total(operator, value) >= same, operator);
  const others = await total('ne', state);
  for (const [operator, value] of [['nin', [state]], ['gt', state]]) assert.equal(await total(operator, value), others, operator);
  for (const operator of ['ncontains', 'ncontainss', 'nstartswiths', 'nendswiths']) assert.ok(await total(operator, state) <= others, operator);
  assert.equal(await total('gte', state), same + others);
});

test('records are made, changed and deleted, one and many', async () => {
  const no = marked('refine');
  const meta = { fields: ['id', 'contact_no', 'email'] };
  const { data: made } = await provider.create({ resource: 'contact', variables: { contact_no: no, email: 'one@example.com' }, meta });
  assert.equal(made.contact_no, no);
  const { data: more } = await provider.createMany({
    resource: 'contact', variables: [1, 2].map((i) => ({ contact_no: `${no}-${i}`, email: 'many@example.com' })), meta,
  });
  const ids = [made, ...more].map((c) => c.id);
  assert.equal(new Set(ids).size, 3);

  const { data: got } = await provider.getOne({ resource: 'contact', id: made.id, meta });
  assert.deepEqual(got, made);
  const { data: all } = await provider.getMany({ resource: 'contact', ids, meta });
  assert.deepEqual(new Set(all.map((c) => c.id)), new Set(ids));

  const { data: changed } = await provider.update({ resource: 'contact', id: made.id, variables: { email: 'two@example.com' }, meta });
  assert.equal(changed.email, 'two@example.com');
  const { data: many } = await provider.updateMany({ resource: 'contact', ids, variables: { city: 'Ulm' }, meta: { fields: ['id', 'city'] } });
  assert.deepEqual(many.map((c) => c.city), ['Ulm', 'Ulm', 'Ulm']);

  await assert.rejects(provider.update({ resource: 'contact', id: made.id, variables: { email: null }, meta }), /a contact needs an e-mail address/);

  const { data: gone } = await provider.deleteOne({ resource: 'contact', id: made.id, meta });
  assert.equal(gone.id, made.id);
  const { data: rest } = await provider.deleteMany({ resource: 'contact', ids: more.map((c) => c.id), meta });
  assert.equal(rest.length, 2);
  assert.deepEqual((await provider.getMany({ resource: 'contact', ids, meta })).data, []);
});
