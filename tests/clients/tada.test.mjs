// gql.tada: documents whose types are computed by the compiler from the types of the server.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { run, tsc } from './compile.mjs';
import { headers, scratch, url } from './server.mjs';

const program = `
import { Client, fetchExchange } from '@urql/core';
import { initGraphQLTada, type ResultOf } from 'gql.tada';
import type { introspection } from './graphql-env.js';

const graphql = initGraphQLTada<{
  introspection: introspection;
  scalars: { uuid: string; bigint: number; numeric: number; float8: number; date: string; timestamptz: string };
}>();
const person = graphql(\`fragment Person on contact @_unmask { id email loyalty_tier income }\`);
const list = graphql(\`
  query List($where: contact_bool_exp!) {
    contact(where: $where, order_by: [{ email: asc }], limit: 5) { ...Person purchases(limit: 1) { contact { id } } }
  }
\`, [person]);

type Contact = ResultOf<typeof list>['contact'][number];
export const income = (c: Contact): number | null => c.income;
// @ts-expect-error: there is no such column
export const wrong = (c: Contact) => c.nothing;

export async function contacts(url: string, headers: Record<string, string>): Promise<string[]> {
  const client = new Client({ url, fetchOptions: { headers }, exchanges: [fetchExchange], preferGetMethod: false });
  const { data, error } = await client.query(list, { where: { state: { _eq: 'Texas' } } }).toPromise();
  if (!data) throw error;
  return data.contact.map((c) => c.id);
}
`;

test('documents have the types of the server, and ask what they say', async (t) => {
  const folder = scratch(t);
  mkdirSync(join(folder, 'src'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({
    compilerOptions: {
      strict: true, skipLibCheck: true, target: 'es2022', module: 'nodenext', moduleResolution: 'nodenext', noEmit: true,
      plugins: [{ name: 'gql.tada/ts-plugin', schema: './schema.graphql', tadaOutputLocation: './src/graphql-env.d.ts' }],
    },
    include: ['src'],
  }));
  writeFileSync(join(folder, 'src/program.ts'), program);
  await run(folder, 'gql.tada', 'generate-schema', url, '--header', `Authorization: ${headers.authorization}`, '--output', 'schema.graphql');
  await run(folder, 'gql.tada', 'generate-output');
  await run(folder, 'gql.tada', 'check', '--fail-on-warn');
  await tsc(join(folder, 'src'), 'program.ts');
  const { contacts } = await import(join(folder, 'src/program.js'));
  assert.equal((await contacts(url, headers)).length, 5);
});
