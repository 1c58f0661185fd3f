// Runs the programs of packages, as a developer does at a prompt.
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const here = dirname(fileURLToPath(import.meta.url));
const execute = promisify(execFile);

// run runs a program of node_modules/.bin in a folder; what it prints is in the error when it fails.
export async function run(folder, name, ...args) {
  try {
    return (await execute(join(here, 'node_modules/.bin', name), args, { cwd: folder, env: { ...process.env, CI: '1', NO_COLOR: '1' } })).stdout;
  } catch (error) {
    throw new Error(`${name} ${args.join(' ')}: ${error.stdout}${error.stderr}`);
  }
}

// tsc checks the types of files, with nothing left open, and compiles them to JavaScript.
export const tsc = (folder, ...files) =>
  run(folder, 'tsc', '--strict', '--noUncheckedIndexedAccess', '--skipLibCheck', '--target', 'es2022', '--module', 'nodenext', '--moduleResolution', 'nodenext', ...files);
