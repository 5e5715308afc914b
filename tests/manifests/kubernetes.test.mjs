// packaging/kubernetes: by the schemas of Kubernetes' own API, by what they say of each other, and by the server that is started with them.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { stringify } from 'yaml';
import { binary, database, documents, found, packaging, root, run, version } from './files.mjs';
import { startServer } from './servers.mjs';

const source = join(packaging, 'kubernetes');
const validator = join(root, 'target/kubernetes-validate/bin/kubernetes-validate');
// The first in which a preStop that sleeps needs no switch, and the last that the validator knows.
const VERSIONS = ['1.30', '1.37'];
let folder;
/** By their files' names. */
const manifests = {};
let pod;
let container;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-kubernetes-'));
  for (const file of await readdir(source)) [manifests[file]] = await documents(join(source, file));
  pod = manifests['deployment.yaml'].spec.template.spec;
  [container] = pod.containers;
});

after(() => rm(folder, { recursive: true, force: true }));

const objects = () => Object.entries(manifests).filter(([file]) => file !== 'kustomization.yaml');

test('each is what Kubernetes calls one, and nothing in it is unknown', async () => {
  const files = objects().map(([file]) => join(source, file));
  assert.ok(files.length >= 9);
  for (const release of VERSIONS) {
    const { stdout, stderr } = await run(validator, ['--strict', '-k', release, ...files]);
    assert.equal(`${stdout}${stderr}`.split(' passed for resource ').length - 1, files.length);
  }
});

test('a slip is found', async () => {
  const slips = {
    'deployment.yaml': [
      ({ spec }) => (spec.template.spec.containers[0].readinessprobe = {}),
      ({ spec }) => (spec.template.spec.terminationGracePeriodSeconds = '30 s'),
      ({ spec }) => (spec.template.spec.securityContext.runAsNonRot = true),
      ({ spec }) => delete spec.selector,
    ],
    'disruption.yaml': [({ spec }) => (spec.minAvailabel = 2)],
    'network.yaml': [({ spec }) => (spec.ingress[0].ports[0].prot = 1)],
  };
  for (const [file, each] of Object.entries(slips)) {
    for (const slip of each) {
      const manifest = structuredClone(manifests[file]);
      slip(manifest);
      const at = join(folder, file);
      await writeFile(at, stringify(manifest));
      await assert.rejects(run(validator, ['--strict', '-k', VERSIONS[0], at]), `${slip}`);
    }
  }
});

test('the list that is applied has all of them but the examples', () => {
  const { resources, namespace } = manifests['kustomization.yaml'];
  const files = objects().map(([file]) => file);
  assert.deepEqual([...resources].sort(), files.filter((file) => !file.includes('.example.')).sort());
  for (const [file, { kind, metadata }] of objects()) {
    assert.equal(kind === 'Namespace' ? metadata.name : metadata.namespace, namespace, file);
  }
});

test('they go by the same names', async () => {
  const labels = manifests['deployment.yaml'].spec.template.metadata.labels;
  const { selector, replicas } = manifests['deployment.yaml'].spec;
  const selectors = [
    selector.matchLabels,
    manifests['service.yaml'].spec.selector,
    manifests['disruption.yaml'].spec.selector.matchLabels,
    manifests['network.yaml'].spec.podSelector.matchLabels,
    ...pod.topologySpreadConstraints.map(({ labelSelector }) => labelSelector.matchLabels),
  ];
  for (const selected of selectors) assert.deepEqual(selected, labels);
  assert.equal(pod.serviceAccountName, manifests['serviceaccount.yaml'].metadata.name);
  assert.equal(container.envFrom[0].configMapRef.name, manifests['settings.yaml'].metadata.name);
  assert.equal(pod.volumes[0].secret.secretName, manifests['secret.example.yaml'].metadata.name);
  assert.equal(container.image, `countersign:${await version()}`);
  const [{ name }] = container.ports;
  assert.equal(manifests['service.yaml'].spec.ports[0].targetPort, name);
  assert.equal(manifests['network.yaml'].spec.ingress[0].ports[0].port, name);
  const paths = manifests['ingress.example.yaml'].spec.rules[0].http.paths;
  for (const { backend } of paths) {
    const { service } = backend;
    assert.deepEqual([service.name, service.port.name], ['countersign', manifests['service.yaml'].spec.ports[0].name]);
  }
  // One may go, and not all at once.
  const { minAvailable } = manifests['disruption.yaml'].spec;
  assert.ok(minAvailable >= 1 && minAvailable < replicas);
});

test('nothing is granted that the server does not need', () => {
  const image = { user: 65532, group: 65532 };
  const { runAsNonRoot, runAsUser, runAsGroup, fsGroup, seccompProfile } = pod.securityContext;
  assert.deepEqual({ user: runAsUser, group: runAsGroup }, image);
  assert.deepEqual([runAsNonRoot, fsGroup, seccompProfile.type], [true, image.group, 'RuntimeDefault']);
  const { allowPrivilegeEscalation, readOnlyRootFilesystem, capabilities } = container.securityContext;
  assert.deepEqual([allowPrivilegeEscalation, readOnlyRootFilesystem, capabilities], [false, true, { drop: ['ALL'] }]);
  assert.deepEqual([pod.automountServiceAccountToken, manifests['serviceaccount.yaml'].automountServiceAccountToken], [false, false]);
  // What of a Secret may be read by whom: the group that the server has, and no one else.
  assert.equal(pod.volumes[0].secret.defaultMode, 0o440);
});

test('the server starts with what they give it, answers its probes, and stops within its time', { timeout: 120_000 }, async () => {
  const settings = join(folder, 'countersign');
  await mkdir(settings);
  const { stringData } = manifests['secret.example.yaml'];
  for (const [name, text] of Object.entries(stringData)) {
    await writeFile(join(settings, name), text.replace(found(text, /(postgres:\/\/[^"]+)/), database()));
  }
  const mounted = container.volumeMounts.find(({ mountPath }) => mountPath === '/etc/countersign');
  assert.ok(mounted.readOnly);
  const command = container.args.map((word) => word.replace(mounted.mountPath, settings));
  const server = await startServer({ command, environment: manifests['settings.yaml'].data });
  try {
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      const { httpGet } = container[probe];
      assert.equal(httpGet.port, container.ports[0].name);
      await run(binary, ['health', `http://${server.address}${httpGet.path}`], { env: {} });
    }
  } finally {
    assert.equal(await server.stop(), 0);
  }
  // By default, as docs/operating/running.md has it.
  const page = await readFile(join(root, 'docs/operating/running.md'), 'utf8');
  const most = found(page, /at the latest (\d+) s after `drain_timeout_ms`/);
  const drain = 10;
  const { seconds } = container.lifecycle.preStop.sleep;
  assert.ok(pod.terminationGracePeriodSeconds >= seconds + drain + Number(most));
});
