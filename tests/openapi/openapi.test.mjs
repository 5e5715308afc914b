// The description of the API, beside the API: valid, complete in both directions, and true of every answer to its examples.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request as send } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { ForeignWallet } from '../foreign/client.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const binary = process.env.COUNTERSIGN_BIN ?? join(root, 'target/debug/countersign');
// RFC 8032 §7.1, test 1: its key is the one of the examples.
const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
const methods = ['get', 'post', 'put', 'patch', 'delete'];
let folder;
let server;
let address;
let wallet;
let connected;
let api;
let ajv;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-openapi-'));
  api = JSON.parse(await readFile(join(root, 'server/src/http/api/openapi.json'), 'utf8'));
  const { queued } = api.paths['/v1/send_to_sign'].post.requestBody.content['application/json'].examples;
  const args = ['--listen', '127.0.0.1:0', '--data-dir', join(folder, 'data'), '--webhook-target', queued.value.webhook];
  server = spawn(binary, [...args, '--no-rate-limit'], { stdio: ['ignore', 'pipe', 'inherit'], env: {} });
  for await (const line of createInterface(server.stdout)) {
    address = line.match(/listening on (http:\S+)/)?.[1];
    if (address) break;
  }
  await new Promise((resolve) => {
    const report = ({ event }) => event === 'connected' && resolve(undefined);
    wallet = new ForeignWallet({ url: `${address.replace('http', 'ws')}/ws`, seed, report });
    connected = wallet.run();
  });
  // Draft 2020-12 is OpenAPI's own dialect; what it adds beside it says nothing about a value.
  ajv = new Ajv2020({ strict: false, allErrors: true });
  formats.default(ajv);
  ajv.addSchema(closed(api), 'api');
});

after(async () => {
  wallet?.close();
  await connected;
  server.kill();
  await once(server, 'exit');
  await rm(folder, { recursive: true, force: true });
});

/** Answers may grow, and clients are to take that; but not without being described. */
const closed = (schema) =>
  JSON.parse(JSON.stringify(schema), (name, value) => (name === 'additionalProperties' && value === true ? false : value));

const escaped = (part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));
const pointer = (...parts) => `api#/${parts.map(escaped).join('/')}`;

/**
 * One call; not by fetch, which knows better than its caller what a header or a method may be.
 *
 * @param {string} method
 * @param {string} path
 * @param {{ headers?: Record<string, string>, body?: object }} options
 */
async function call(method, path, { headers = {}, body } = {}) {
  const request = send(address + path, { method, headers: body ? { 'content-type': 'application/json', ...headers } : headers });
  request.end(body && JSON.stringify(body));
  const [response] = await once(request, 'response');
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return { status: response.statusCode, headers: response.headers, text };
}

function conforms(schema, value, what) {
  const validate = ajv.getSchema(schema) ?? ajv.compile({ $ref: schema });
  assert.ok(validate(value), `${what}: ${JSON.stringify(validate.errors)}\n${JSON.stringify(value)}`);
}

/** Compares an answer with what the description says of its status. */
function matches(path, method, answer) {
  const what = `${method} ${path}: ${answer.status}`;
  const own = api.paths[path][method].responses[answer.status];
  assert.ok(own, `${what} is not described\n${answer.text}`);
  const shared = own.$ref?.split('/').at(-1);
  const described = shared ? api.components.responses[shared] : own;
  for (const [name, header] of Object.entries(described.headers ?? {})) {
    const value = answer.headers[name.toLowerCase()];
    assert.ok(value !== undefined || !header.required, `${what} has ${name}`);
    if (header.schema.const) assert.equal(value, header.schema.const);
  }
  const type = answer.headers['content-type'].split(';')[0];
  assert.ok(described.content[type], `${what} is ${type}`);
  const at = shared ? ['components', 'responses', shared] : ['paths', path, method, 'responses', String(answer.status)];
  const value = /json$/.test(type) ? JSON.parse(answer.text) : answer.text;
  conforms(pointer(...at, 'content', type, 'schema'), value, what);
  return value;
}

const operations = () =>
  Object.entries(api.paths).flatMap(([path, item]) =>
    methods.filter((method) => item[method]).map((method) => ({ path, method, operation: item[method], item })),
  );

/** A path with the examples of its parameters, or with other values. */
function filled(path, item, operation, values = {}) {
  const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])];
  const of = (where) => parameters.filter((parameter) => parameter.in === where);
  const query = of('query')
    .filter(({ example }) => example !== undefined)
    .map(({ name, example }) => `${name}=${example}`)
    .join('&');
  const plain = of('path').reduce(
    (path, { name, example }) => path.replace(`{${name}}`, encodeURIComponent(values[name] ?? example)),
    path,
  );
  return query ? `${plain}?${query}` : plain;
}

async function asked() {
  const { one } = api.paths['/v1/send_to_sign'].post.requestBody.content['application/json'].examples;
  const answer = await call('POST', '/v1/send_to_sign', { body: one.value, headers: { prefer: 'respond-async' } });
  const { request_id } = matches('/v1/send_to_sign', 'post', answer);
  assert.equal(answer.headers.location, `/v1/requests/${request_id}`);
  return request_id;
}

/** Several that have been asked for in one prompt. */
async function askedTogether() {
  const { several } = api.paths['/v1/batches'].post.requestBody.content['application/json'].examples;
  const answer = await call('POST', '/v1/batches', { body: several.value, headers: { prefer: 'respond-async' } });
  const { batch_id } = matches('/v1/batches', 'post', answer);
  assert.equal(answer.headers.location, `/v1/batches/${batch_id}`);
  return batch_id;
}

test('it is valid OpenAPI 3.1', async () => {
  const result = await new Validator().validate(structuredClone(api));
  assert.ok(result.valid, JSON.stringify(result.errors));
  assert.match(api.openapi, /^3\.1\./);
});

test('it is what the server serves of itself', async () => {
  assert.deepEqual(JSON.parse((await call('GET', '/openapi.json')).text), api);
});

test('its paths are those of the source', async () => {
  const routes = await readFile(join(root, 'server/src/http/routes.rs'), 'utf8');
  const requests = await readFile(join(root, 'server/src/http/api/requests.rs'), 'utf8');
  const parts = new Set([...requests.matchAll(/\("([\w.]*)", &Method::/g)].map(([, part]) => part));
  const served = [...routes.matchAll(/warp::path!\(([^)]*)\)/g)].flatMap(([, segments]) => {
    const path = `/${[...segments.matchAll(/"([^"]+)"/g)].map(([, segment]) => segment).join('/')}`;
    if (!segments.includes('..')) return [path];
    return path === '/v1/requests' ? [path, ...[...parts].map((part) => [path, '{}', part].filter(Boolean).join('/'))] : [`${path}/{}`];
  });
  // Those that are answered past the filters.
  const posted = [...routes.matchAll(/: &str = "(\/v1\/\w+)";/g)].map(([, path]) => path);
  const described = Object.keys(api.paths).map((path) => path.replace(/\{\w+\}/, '{}'));
  assert.deepEqual(described.sort(), [...new Set([...served, ...posted])].sort());
});

test('its methods are those that are served', async () => {
  for (const [path, item] of Object.entries(api.paths)) {
    const described = methods.filter((method) => item[method]);
    for (const method of methods.filter((method) => !item[method])) {
      const answer = await call(method.toUpperCase(), filled(path, item, item[described[0]]));
      assert.equal(answer.status, 405, `${method} ${path}`);
      const allowed = answer.headers.allow
        .toLowerCase()
        .split(', ')
        .filter((method) => method !== 'head');
      assert.deepEqual(allowed.sort(), described.toSorted(), path);
    }
    for (const method of described) {
      const answer = await call(method.toUpperCase(), filled(path, item, item[method]));
      assert.ok(answer.status !== 405 && JSON.parse(answer.text.match(/^\{.*\}$/)?.[0] ?? '{}').code !== 'not_found', path);
    }
  }
});

test('its codes are those of the document', async () => {
  const text = await readFile(join(root, 'docs/http-api.md'), 'utf8');
  const rows = [...text.matchAll(/^\| (\d{3}) \| `(\w+)` \|/gm)];
  assert.deepEqual(rows.map(([, , code]) => code).sort(), [...api.components.schemas.Code['x-known-values']].sort());
  const statuses = new Set(rows.map(([, status]) => `Problem${status}`).filter((name) => name !== 'Problem405'));
  assert.deepEqual([...statuses].sort(), Object.keys(api.components.responses).sort());
});

test('its examples are of their schemas', () => {
  for (const { path, method, operation } of operations()) {
    for (const [status, { content = {} }] of Object.entries(operation.responses)) {
      for (const [type, { example, examples = {} }] of Object.entries(content)) {
        const schema = pointer('paths', path, method, 'responses', status, 'content', type, 'schema');
        const values = [...Object.values(examples).map(({ value }) => value), ...(example === undefined ? [] : [example])];
        for (const value of values) conforms(schema, value, `${method} ${path} ${status}`);
      }
    }
    for (const [name, { value }] of Object.entries(operation.requestBody?.content['application/json'].examples ?? {})) {
      conforms(pointer('paths', path, method, 'requestBody', 'content', 'application/json', 'schema'), value, name);
    }
  }
});

test('every example call gets an answer that is described', async () => {
  for (const { path, method, operation, item } of operations()) {
    const id = path.startsWith('/v1/requests/{id}') ? await asked() : undefined;
    if (id) await call('GET', `/v1/requests/${id}?wait=60`);
    const values = { id: path === '/v1/batches/{id}' ? await askedTogether() : id };
    const bodies = Object.values(operation.requestBody?.content['application/json'].examples ?? { none: {} });
    const wanted = (operation.parameters ?? []).filter((parameter) => parameter.in === 'header');
    // Without the headers, with each, and with all.
    const sets = [[], ...wanted.map((header) => [header]), wanted];
    for (const [index, { value: body }] of bodies.entries()) {
      for (const set of wanted.length ? sets : [[]]) {
        // A key is for one body only.
        const valued = ({ name, example }) => [name, name === 'Idempotency-Key' ? `${example}${path}-${index}` : example];
        const headers = Object.fromEntries(set.map(valued));
        const answer = await call(method.toUpperCase(), filled(path, item, operation, values), { headers, body });
        assert.ok(answer.status < 300 || path === '/ws', `${method} ${path} ${JSON.stringify(headers)}: ${answer.text}`);
        assert.equal(answer.status === 202, 'Prefer' in headers);
        const value = matches(path, method, answer);
        if (answer.headers['content-type'].startsWith('text/event-stream')) {
          const events = [...value.matchAll(/^data:(.*)$/gm)].map(([, data]) => JSON.parse(data));
          assert.equal(events.at(-1).state, 'signed');
          for (const event of events) conforms(pointer('components', 'schemas', 'Request'), event, path);
        }
      }
    }
  }
});

test('what is null, or said to be what it is anyway, is the same call', async () => {
  const examples = (path) => api.paths[path].post.requestBody.content['application/json'].examples;
  const defaults = { timeout_ms: 60_000, delivery_timeout_ms: 10_000, queue: false };
  for (const [path, schema] of Object.entries({ '/v1/send_to_sign': 'Ask', '/v1/batches': 'AskBatch' })) {
    const { properties, required } = api.components.schemas[schema];
    const [{ value }] = Object.values(examples(path));
    const least = Object.fromEntries(required.map((name) => [name, value[name]]));
    const headers = { prefer: 'respond-async', 'idempotency-key': `same-${schema}` };
    const first = await call('POST', path, { headers, body: least });
    assert.equal(first.status, 202, first.text);
    const id = ({ request_id, requests }) => request_id ?? requests[0].request_id;
    const same = async (body) => {
      const answer = await call('POST', path, { headers, body: { ...least, ...body } });
      assert.equal(answer.status, 202, `${path} ${JSON.stringify(body)}: ${answer.text}`);
      assert.equal(id(JSON.parse(answer.text)), id(JSON.parse(first.text)));
    };
    const optional = Object.keys(properties).filter((name) => !required.includes(name));
    assert.ok(optional.length >= 5);
    for (const name of optional) await same({ [name]: null });
    for (const [name, said] of Object.entries(defaults)) await same({ [name]: said });
    for (const name of required) {
      const answer = await call('POST', path, { body: { ...least, [name]: null } });
      assert.equal(answer.status, 400, `${name} has to be there`);
    }
  }
});

test('an id is read in either case', async () => {
  const id = await asked();
  const answer = await call('GET', `/v1/requests/${id.toUpperCase()}?wait=60`);
  assert.equal(matches('/v1/requests/{id}', 'get', answer).request_id, id);
  const batch = await askedTogether();
  const whole = await call('GET', `/v1/batches/${batch.toUpperCase()}`);
  assert.equal(matches('/v1/batches/{id}', 'get', whole).batch_id, batch);
  const found = await call('GET', `/v1/requests?batch_id=${batch.toUpperCase()}`);
  assert.equal(matches('/v1/requests', 'get', found).requests.length, 2);
});

/** What an expression of a link says of an answer (OpenAPI 3.1 §4.8.20.3). */
const pointed = (value, expression) =>
  expression
    .replace('$response.body#/', '')
    .split('/')
    .reduce((value, part) => value?.[part], value);

test('its links lead where they say', async () => {
  /** Calls whose answers have what is linked to. */
  const produced = {
    sendToSign: async () => {
      const { one } = api.paths['/v1/send_to_sign'].post.requestBody.content['application/json'].examples;
      return call('POST', '/v1/send_to_sign', { body: one.value, headers: { prefer: 'respond-async' } });
    },
    sendBatch: async () => {
      const { several } = api.paths['/v1/batches'].post.requestBody.content['application/json'].examples;
      return call('POST', '/v1/batches', { body: several.value, headers: { prefer: 'respond-async' } });
    },
    getBatch: async () => call('GET', `/v1/batches/${await askedTogether()}`),
    cancelBatch: async () => call('DELETE', `/v1/batches/${await askedTogether()}`),
    getRequest: async () => call('GET', `/v1/requests/${await asked()}`),
    cancelRequest: async () => call('DELETE', `/v1/requests/${await asked()}`),
    // Of two there is a next page.
    listRequests: async () => (await askedTogether()) && call('GET', '/v1/requests?limit=1'),
  };
  const followed = new Set();
  for (const { path, method, operation } of operations()) {
    for (const [status, { links = {} }] of Object.entries(operation.responses)) {
      for (const [name, { $ref }] of Object.entries(links)) {
        const what = `${name} of ${operation.operationId}`;
        assert.equal($ref, `#/components/links/${name}`);
        const link = api.components.links[name];
        const target = operations().find((one) => one.operation.operationId === link.operationId);
        assert.ok(target, what);
        const answer = await produced[operation.operationId]();
        assert.equal(String(answer.status), status, what);
        const told = matches(path, method, answer);
        const values = Object.fromEntries(Object.entries(link.parameters).map(([name, from]) => [name, pointed(told, from)]));
        const query = [];
        let at = target.path;
        for (const [name, value] of Object.entries(values)) {
          assert.equal(typeof value, 'string', `${what}: ${name}`);
          if (at.includes(`{${name}}`)) at = at.replace(`{${name}}`, encodeURIComponent(value));
          else query.push(`${name}=${encodeURIComponent(value)}`);
        }
        // What has ended has a receipt.
        if (values.id && at.startsWith('/v1/requests/')) await call('GET', `/v1/requests/${values.id}?wait=60`);
        const led = await call(target.method.toUpperCase(), query.length > 0 ? `${at}?${query.join('&')}` : at);
        assert.equal(led.status, 200, `${what}: ${led.text}`);
        const found = matches(target.path, target.method, led);
        if (values.id && found.request_id) assert.equal(found.request_id, values.id, what);
        if (values.id && found.batch_id) assert.equal(found.batch_id, values.id, what);
        if (name === 'NextPage') assert.notEqual(found.requests[0].request_id, told.requests[0].request_id);
        followed.add(name);
      }
    }
  }
  assert.deepEqual([...followed].sort(), Object.keys(api.components.links).sort());
});

test('errors are described too', async () => {
  const unknown = '07070707-0707-4707-8707-070707070707';
  /** @type {[path: string, method: string, at: string, body?: object][]} */
  const refused = [
    ['/v1/send_to_sign', 'post', '/v1/send_to_sign', { public_key: 'x', message: 'aGk=' }],
    ['/v1/send_to_sign', 'post', '/v1/send_to_sign', {}],
    ['/v1/send_to_sign', 'post', '/v1/send_to_sign'],
    ['/v1/requests/{id}', 'get', `/v1/requests/${unknown}`],
    ['/v1/requests/{id}', 'get', '/v1/requests/x'],
    ['/v1/requests/{id}', 'delete', `/v1/requests/${unknown}`],
    ['/v1/requests/{id}/events', 'get', `/v1/requests/${unknown}/events`],
    ['/v1/requests/{id}/receipt', 'get', `/v1/requests/${unknown}/receipt`],
    ['/v1/requests', 'get', '/v1/requests?limit=0'],
    ['/v1/requests', 'get', '/v1/requests?created_after_ms=9223372036854775808'],
    ['/v1/requests', 'get', '/v1/requests?batch_id=x'],
    ['/v1/requests', 'delete', '/v1/requests'],
    ['/v1/batches/{id}', 'get', `/v1/batches/${unknown}`],
    ['/v1/batches/{id}', 'delete', '/v1/batches/x'],
    ['/v1/signers/{public_key}', 'get', '/v1/signers/x'],
  ];
  for (const [path, method, at, body] of refused) {
    const answer = await call(method.toUpperCase(), at, { body });
    assert.ok(answer.status >= 400);
    matches(path, method, answer);
  }
});
