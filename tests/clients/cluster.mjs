// The live cluster that the tests of this folder ask: where it is comes from the environment.
import {execFile} from 'node:child_process';
import {promisify} from 'node:util';

function needed(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: these programs are run by tests/cluster/http_clients_test.cc`);
  return value;
}

export const base = needed('ENIGMA_URL');  // "http://127.0.0.1:8080"

// Runs a command of `enigma` against the cluster; its stdout.
export async function enigma(...args) {
  const run = promisify(execFile);
  const {stdout} = await run(needed('ENIGMA_BINARY'), [...args, '--data-dir', needed('ENIGMA_DATA_DIR')]);
  return stdout;
}

export async function createKey(name, ...limits) {
  return JSON.parse(await enigma('keys', 'create', '--name', `${name}-${process.pid}`, '--json', ...limits)).secret;
}

// The value of a metric of /metrics, its labels added up.
export async function metric(name, labels = '') {
  const text = await (await fetch(`${base}/metrics`)).text();
  let sum = 0;
  for (const line of text.split('\n')) {
    if (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) {
      if (line.includes(labels)) sum += Number(line.slice(line.lastIndexOf(' ') + 1));
    }
  }
  return sum;
}

export async function eventually(what, holds, milliseconds = 10_000) {
  const until = Date.now() + milliseconds;
  while (!(await holds())) {
    if (Date.now() > until) throw new Error(`${what} did not come true within ${milliseconds} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
