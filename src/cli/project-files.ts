/** What a new project takes from Quorate's own package. */
interface Origin {
  readonly version: string;
  readonly engines: { readonly node: string };
  readonly dependencies: Readonly<Record<string, string>>;
}

/**
 * The files of a new project, by their paths in it. Plain JavaScript: it runs as it is, without a build.
 * @param name fits a package, a cluster and a state machine
 */
export function projectFiles(name: string, origin: Origin): Readonly<Record<string, string>> {
  return {
    'package.json': packageJson(name, origin),
    'service.js': service(name),
    'service.test.js': SERVICE_TEST,
    'docker-compose.yml': compose(name),
    Dockerfile: DOCKERFILE,
    '.dockerignore': 'node_modules\n.quorate\n',
    '.gitignore': 'node_modules/\n.quorate/\n',
    'README.md': readme(name),
  };
}

function packageJson(name: string, { version, engines, dependencies }: Origin): string {
  const content = {
    name,
    version: '0.1.0',
    private: true,
    type: 'module',
    engines: { node: engines.node },
    scripts: {
      start: `quorate up --state-machine service.js --cluster ${name}`,
      test: 'node --test',
    },
    dependencies: { quorate: `^${version}`, zod: dependencies['zod'] ?? '^4.0.0' },
  };
  return `${JSON.stringify(content, undefined, 2)}\n`;
}

function service(name: string): string {
  return `import { z } from 'zod';

const item = z.string().min(1).max(100);
const count = z.int().min(1).max(1_000_000);

/** What may be asked for. Checked at the gateway and again by every replica: \`apply\` sees nothing else. */
const operation = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('receive'), item, count }),
  z.strictObject({ op: z.literal('take'), item, count }),
]);

/** A stock that several parties keep together. Nobody takes what is not there. */
export default class Service {
  /** Replicas that run another machine, or another version of it, never join this cluster: count it up with the rules. */
  name = '${name}@1';

  operation = operation;

  /**
   * Runs at every replica, in the agreed order, and must come to the same at each of them. All that it may know is in
   * its arguments: no clock but \`context.time\`, no chance but \`context.random()\`, no files, no network.
   */
  apply({ op, item, count }, { state }) {
    const before = state.get(item) ?? 0;
    const after = op === 'receive' ? before + count : before - count;
    if (after < 0) return { ok: false, error: { code: 'out-of-stock', message: \`there are \${before} of \${item}\` } };
    if (!Number.isSafeInteger(after)) return { ok: false, error: { code: 'too-many', message: 'the stock is full' } };
    state.set(item, after);
    return { ok: true, count: after };
  }

  /** Answers without ordering anything: GET /v1/kv/ITEM asks \`{ op: 'get', key: ITEM }\`. */
  query({ key }, state) {
    return typeof key === 'string' ? state.get(key) : undefined;
  }
}
`;
}

const SERVICE_TEST = `import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import Service from './service.js';

/** Runs operations as a replica does: checked first, then applied. A Map does for the state. */
function run(...operations) {
  const service = new Service();
  const state = new Map();
  const context = { state, time: 0, sequence: 1, client: 'test', random: () => 0.5 };
  const results = operations.map((operation) => {
    const checked = service.operation['~standard'].validate(operation);
    return checked.issues ? 'refused' : service.apply(checked.value, context);
  });
  return { results, state, service };
}

describe('the service', () => {
  it('counts what comes and goes', () => {
    const { results, state, service } = run(
      { op: 'receive', item: 'bolts', count: 10 },
      { op: 'take', item: 'bolts', count: 4 },
    );
    assert.deepEqual(results, [
      { ok: true, count: 10 },
      { ok: true, count: 6 },
    ]);
    assert.equal(service.query({ op: 'get', key: 'bolts' }, state), 6);
  });

  it('does not give what is not there', () => {
    const { results, state } = run({ op: 'take', item: 'bolts', count: 1 });
    assert.equal(results[0].error.code, 'out-of-stock');
    assert.equal(state.size, 0);
  });

  it('takes no other operations', () => {
    const { results } = run({ op: 'steal', item: 'bolts', count: 1 }, { op: 'take', item: 'bolts', count: 0.5 });
    assert.deepEqual(results, ['refused', 'refused']);
  });
});
`;

const DOCKERFILE = `FROM node:24-slim
ENV NODE_ENV=production DATA_DIR=/data
WORKDIR /app
COPY package.json package-lock.json* ./
RUN npm install --omit=dev
COPY service.js ./
# Keys are kept here.
RUN install -d -m 0700 -o node -g node /data
USER node
EXPOSE 3000
ENTRYPOINT ["node", "node_modules/quorate/bin/quorate.mjs"]
CMD ["--help"]
`;

function compose(name: string): string {
  return `# docker compose up --build                                  4 replicas
# REPLICAS=7 docker compose up --build --scale replica=7     7 replicas, on a new cluster
# docker compose down --volumes                              forgets the cluster, its keys, too

x-quorate: &quorate
  image: ${name}
  restart: unless-stopped
  stop_grace_period: 15s # what was accepted is finished first
  volumes:
    - data:/data
  healthcheck:
    test: [CMD, node, node_modules/quorate/bin/quorate.mjs, health]
    interval: 5s
    timeout: 5s
    retries: 6
    start_period: 30s

x-environment: &environment
  REDIS_URL: redis://redis:6379
  CLUSTER: ${name}
  REPLICAS: \${REPLICAS:-4}
  DATA_DIR: /data
  # Whoever starts first writes a random token there; with it the others prove that they belong to this cluster.
  JOIN_TOKEN_FILE: /data/join-token

services:
  redis:
    image: redis:8
    # Replicas refuse to run on a Redis that may drop their votes; a vote is on the disk before it is sent.
    command: [redis-server, --appendonly, 'yes', --appendfsync, always, --maxmemory-policy, noeviction]
    restart: unless-stopped
    volumes:
      - redis:/data
    healthcheck:
      test: [CMD-SHELL, 'redis-cli ping | grep -q PONG']
      interval: 2s
      timeout: 3s
      retries: 10

  # One volume is right for one machine only: on several, give each replica a volume of its own and the same join token.
  replica:
    <<: *quorate
    build: .
    command: [replica, --state-machine, service.js]
    depends_on:
      redis:
        condition: service_healthy
    environment:
      <<: *environment
    deploy:
      replicas: \${REPLICAS:-4}

  gateway:
    <<: *quorate
    pull_policy: never # the image is built for \`replica\`
    command: [gateway, --state-machine, service.js]
    depends_on:
      redis:
        condition: service_healthy
      replica:
        condition: service_started
    environment:
      <<: *environment
      HOST: 0.0.0.0 # within the container; who may reach it from outside is said by \`ports\`
      PORT: 3000
    ports:
      - 127.0.0.1:\${PORT:-3000}:3000

volumes:
  data:
  redis:
`;
}

function readme(name: string): string {
  return `# ${name}

A service that several parties run together and none has to trust alone, on [Quorate](https://www.npmjs.com/package/quorate).

\`\`\`sh
npm install
npm test
npm start
\`\`\`

\`npm start\` runs four replicas, a gateway and a Redis on this machine, until Ctrl-C. In another terminal:

\`\`\`sh
npx quorate submit '{"op":"receive","item":"bolts","count":10}'
npx quorate submit --json '{"op":"take","item":"bolts","count":4}' > receipt.json
npx quorate get bolts
npx quorate verify receipt.json
npx quorate watch
\`\`\`

- \`service.js\` is the service: what operations there are, and what each does. Change it, and count its version up.
- \`service.test.js\` runs it without a cluster.
- \`docker-compose.yml\` runs all of it in containers: \`docker compose up --build\`.
`;
}
