// Usage: npm ci && npm run build
//
// Writes ../dist anew: GraphiQL and React as their authors built them for the browser, compressed, and the licences of
// all that is in them. The same packages give the same bytes.
//
// GraphiQL stays at 4: it is the last with CodeMirror, one script of 1 MB that needs neither workers nor eval.
// From 5 on the editor is Monaco, with several MB of both.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const modules = new URL('node_modules/', import.meta.url).pathname;
const dist = new URL('../dist/', import.meta.url).pathname;

const read = (file) => readFileSync(join(modules, file), 'utf8');
const write = (name, text) => writeFileSync(join(dist, name + '.gz'), gzipSync(text, { level: 9 }));
const withoutMap = (text) => text.replace(/\n?\/\/# sourceMappingURL=\S+\s*$/, '\n');

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);
write('react.js', withoutMap(read('react/umd/react.production.min.js')));
write('react-dom.js', withoutMap(read('react-dom/umd/react-dom.production.min.js')));
write('graphiql.js', withoutMap(read('graphiql/graphiql.min.js')));
// The fonts are three quarters of the style sheet; the page does with those of the reader.
write('graphiql.css', read('graphiql/graphiql.min.css').replace(/@font-face\s*\{[^}]*\}/g, ''));
write('licenses.txt', licenses());

function licenses() {
  const lock = JSON.parse(readFileSync(new URL('package-lock.json', import.meta.url), 'utf8'));
  const parts = [];
  for (const path of Object.keys(lock.packages).sort()) {
    const dir = path.replace(/^node_modules\//, '');
    if (path === '' || !existsSync(join(modules, dir, 'package.json'))) continue; // not for this machine
    const about = JSON.parse(read(join(dir, 'package.json')));
    if (about.name.startsWith('@types/')) continue;
    const file = readdirSync(join(modules, dir)).find((name) => /^licen[cs]e/i.test(name));
    const text = file ? read(join(dir, file)).trim() : `Licence: ${about.license}`;
    parts.push(`${about.name} ${about.version} (${about.license})\n\n${text}\n`);
  }
  return parts.join(`\n${'-'.repeat(80)}\n\n`);
}
