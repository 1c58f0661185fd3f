// The server under test, as scripts/clients.sh starts it: the coffee example, signed in as its administrator.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const { COLONNADE_URL, COLONNADE_KEY_FILE } = process.env;
if (!COLONNADE_URL || !COLONNADE_KEY_FILE) {
  throw new Error('COLONNADE_URL and COLONNADE_KEY_FILE are not set: run scripts/clients.sh');
}
export const url = COLONNADE_URL;
export const headers = { authorization: `Bearer ${readFileSync(COLONNADE_KEY_FILE, 'utf8').trim()}` };

// ask sends a document without any client, to compare with, and to build what a test needs.
export async function ask(query, variables) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const answer = await response.json();
  if (answer.errors) throw new Error(`${JSON.stringify(answer.errors)} for ${query}`);
  return answer.data;
}

// scratch makes a folder beside the packages, so that what is generated in it finds them, and removes it after the test.
export function scratch(t) {
  const folder = mkdtempSync(join(dirname(fileURLToPath(import.meta.url)), '.scratch-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

// marked returns a text that no other run has used.
export const marked = (text) => `${text}-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
