// Clients from npm: clients.mjs CLIENT, or clients.mjs PACKAGE version
//
// Each makes one client, as its documentation does it first, and returns what one operation with it is.

import { readFileSync } from 'node:fs';
import { drive, URL } from './drive.mjs';

const JSON_TYPE = { 'content-type': 'application/json' };

/** What `fetch` is to be told of an operation. */
function asked(method, body) {
  return method === 'POST' ? { method, headers: JSON_TYPE, body: JSON.stringify(body) } : { method };
}

function fetched(options = () => ({})) {
  return async (method, path, body) => {
    const answer = await fetch(URL + path, { ...asked(method, body), ...options() });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    await answer.text();
  };
}

async function axios(options = {}, retry = null) {
  const { default: axios } = await import('axios');
  const client = axios.create({ baseURL: URL, ...options });
  if (retry) {
    const { default: axiosRetry } = await import('axios-retry');
    axiosRetry(client, retry(axiosRetry));
  }
  return (method, url, body) => client.request({ method, url, data: method === 'POST' ? body : undefined });
}

async function got(options = {}) {
  const { default: got } = await import('got');
  return (method, path, body) => got(URL + path, { method, json: method === 'POST' ? body : undefined, ...options });
}

async function ky() {
  const { default: ky } = await import('ky');
  return (method, path, body) => ky(URL + path, { method, json: method === 'POST' ? body : undefined }).text();
}

async function retried() {
  const { default: pRetry } = await import('p-retry');
  const operation = fetched();
  return (...what) => pRetry(() => operation(...what), { retries: 4 });
}

const CLIENTS = {
  fetch: () => fetched(),
  'fetch AbortSignal.timeout(5000)': () => fetched(() => ({ signal: AbortSignal.timeout(5000) })),
  axios: () => axios(),
  'axios timeout=5000': () => axios({ timeout: 5000 }),
  'axios-retry': () => axios({}, () => ({})),
  'axios-retry exponentialDelay': () =>
    axios({}, ({ exponentialDelay }) => ({ retries: 5, retryDelay: exponentialDelay })),
  ky,
  got: () => got(),
  'got timeout.request=5000': () => got({ timeout: { request: 5000 } }),
  'p-retry': retried,
};

const [name, version] = process.argv.slice(2);
if (version) {
  // What comes with Node has Node's own.
  const manifest = new globalThis.URL(`node_modules/${name}/package.json`, import.meta.url);
  console.log(name === 'node' ? process.versions.node : JSON.parse(readFileSync(manifest)).version);
} else {
  await drive(await CLIENTS[name]());
}
