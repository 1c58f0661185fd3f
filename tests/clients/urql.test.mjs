// urql: its core, with queries by POST and by GET.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Client, cacheExchange, fetchExchange, gql } from '@urql/core';
import { headers, marked, url } from './server.mjs';

const client = (options = {}) => new Client({ url, fetchOptions: { headers }, exchanges: [cacheExchange, fetchExchange], preferGetMethod: false, ...options });
const list = gql`
  query ($where: contact_bool_exp!, $limit: Int = 4) {
    contact(where: $where, limit: $limit, order_by: { email: asc_nulls_last }) { id email purchases(limit: 1) { contact { id } } }
    total: contact_aggregate(where: $where) { aggregate { count } }
  }
`;

for (const preferGetMethod of [false, 'force']) {
  test(`a list with a total, by ${preferGetMethod ? 'GET' : 'POST'}`, async () => {
    const { data, error } = await client({ preferGetMethod }).query(list, { where: { purchases: { price: { _gt: 5 } }, state: { _in: ['Texas', 'Ohio'] } } }).toPromise();
    assert.equal(error, undefined);
    assert.equal(data.contact.length, 4);
    assert.ok(data.total.aggregate.count >= 4);
    assert.ok(data.contact.every((c) => c.purchases.every((p) => p.contact.id === c.id)));
  });
}

test('records are made, changed and deleted; what is refused is told', async () => {
  const urql = client();
  const no = marked('urql');
  const made = await urql.mutation(gql`mutation ($o: [contact_insert_input!]!) { insert_contact(objects: $o) { affected_rows returning { id contact_no } } }`,
    { o: [{ contact_no: no, email: 'one@example.com' }] }).toPromise();
  assert.equal(made.error, undefined);
  const [{ id }] = made.data.insert_contact.returning;
  const changed = await urql.mutation(gql`mutation ($id: uuid!) { update_contact(where: { id: { _eq: $id } }, _set: { city: "Ulm" }) { returning { city } } }`, { id }).toPromise();
  assert.deepEqual(changed.data.update_contact.returning.map((c) => c.city), ['Ulm']);
  const twice = await urql.mutation(gql`mutation ($o: contact_insert_input!) { insert_contact_one(object: $o) { id } }`, { o: { contact_no: no, email: 'two@example.com' } }).toPromise();
  assert.equal(twice.error.graphQLErrors[0].extensions.code, 'constraint-violation');
  const gone = await urql.mutation(gql`mutation ($id: uuid!) { delete_contact_by_pk(id: $id) { id } }`, { id }).toPromise();
  assert.equal(gone.data.delete_contact_by_pk.id, id);
});
