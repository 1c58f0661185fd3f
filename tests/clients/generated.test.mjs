// The client in TypeScript that colonnade codegen makes: examples/clients, compiled and run.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { here, tsc } from './compile.mjs';
import { ask, headers, scratch, url } from './server.mjs';

const example = join(here, '../../examples/clients');

test('the example compiles, and does what it says', async (t) => {
  const files = ['tables/book.yaml', 'tables/loan.yaml'].map((path) => ({ path, text: readFileSync(join(example, path), 'utf8') }));
  await ask('mutation ($files: [apply_schema_files_input!]!) { apply_schema(files: $files) { changes } }', { files });
  const folder = scratch(t);
  const key = headers.authorization.slice('Bearer '.length);
  const env = { ...process.env, COLONNADE_URL: url.replace(/\/graphql$/, ''), COLONNADE_KEY: key };
  execFileSync(process.env.COLONNADE_BINARY, ['codegen', '--tables', 'book,loan', '--out', join(folder, 'client.ts')], { env });
  assert.equal(readFileSync(join(folder, 'client.ts'), 'utf8'), readFileSync(join(example, 'typescript/client.ts'), 'utf8'), 'it is the one in examples');
  copyFileSync(join(example, 'typescript/example.ts'), join(folder, 'example.ts'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  await tsc(folder, 'example.ts');
  const { run } = await import(join(folder, 'example.js'));
  assert.deepEqual(await run(url, key), [
    '2 books, 1 of them long, the first is Duino Elegies', '_eq is undefined: leave it out, or give null', 'Ann has The Tin Drum', 'returned: true, due: null', 'refused: loan.reader, rule "readers have names": say who has the book', 'gone: true',
  ]);
});
