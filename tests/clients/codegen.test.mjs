// graphql-codegen: types and typed documents from the running server, used by Apollo Client under the compiler.
import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { here, run, tsc } from './compile.mjs';
import { headers, scratch, url } from './server.mjs';

const program = `
import { ApolloClient, HttpLink, InMemoryCache } from '@apollo/client';
import { ContactsDocument, type ContactsQuery } from './operations.js';
import { type Contact } from './types.js';

export async function contacts(uri: string, headers: Record<string, string>): Promise<string[]> {
  const client = new ApolloClient({ cache: new InMemoryCache(), link: new HttpLink({ uri, headers }) });
  const { data } = await client.query({
    query: ContactsDocument,
    variables: { where: { purchases: { price: { _gte: 10 } } }, order: [{ email: 'asc' }, { contact_no: 'asc' }], limit: 5 },
  });
  const found: ContactsQuery = data!;
  const income: number | null | undefined = found.contact[0]?.income;
  const known: Pick<Contact, 'id' | 'email'> | undefined = found.contact[0];
  const count: number | undefined = found.contact_aggregate.aggregate?.count;
  if (income === undefined || known === undefined || count === undefined || count < found.contact.length) throw new Error('no count');
  return found.contact.flatMap((c) => c.purchases.map((p) => p.contact?.id ?? ''));
}

// @ts-expect-error: there is no such column
export const wrong = (c: ContactsQuery['contact'][number]) => c.nothing;
`;

const scalars = { uuid: 'string', bigint: 'number', numeric: 'number', float8: 'number', date: 'string', timestamptz: 'string' };

test('types and documents compile, and ask what they say', async (t) => {
  const folder = scratch(t);
  copyFileSync(join(here, 'documents.graphql'), join(folder, 'documents.graphql'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  writeFileSync(join(folder, 'codegen.json'), JSON.stringify({
    schema: [{ [url]: { headers } }],
    documents: 'documents.graphql',
    generates: {
      'types.ts': { plugins: ['typescript'], config: { scalars } },
      'operations.ts': { plugins: ['typescript-operations', 'typed-document-node'], config: { scalars } },
    },
  }));
  writeFileSync(join(folder, 'program.ts'), program);
  await run(folder, 'graphql-codegen', '--config', 'codegen.json');
  await tsc(folder, 'program.ts');
  const { contacts } = await import(join(folder, 'program.js'));
  const ids = await contacts(url, headers);
  assert.ok(ids.length >= 5);
  assert.ok(ids.every((id) => id.length === 36));
});
