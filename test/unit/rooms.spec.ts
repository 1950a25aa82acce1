import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { cruise, type ICruiseOptions, type ICruiseResult, type IFlattenedRuleSet } from 'dependency-cruiser';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const configuration = createRequire(import.meta.url)('../../.dependency-cruiser.cjs') as {
  forbidden: NonNullable<IFlattenedRuleSet['forbidden']>;
  options: ICruiseOptions & { tsConfig: unknown };
};

/** A small house in which each rule of .dependency-cruiser.cjs is broken once, in the file that the rule's name is given for. */
const BROKEN: Record<string, { file: string; text: string }> = {
  'pure-core': { file: 'src/pbft/clock.ts', text: "import 'node:timers';" },
  'wire-knows-its-place': { file: 'src/wire/bus.ts', text: "import '../redis/plain.js';" },
  'crypto-knows-its-place': { file: 'src/crypto/service.ts', text: "import '../replica/plain.js';" },
  'ports-knows-its-place': { file: 'src/ports/settings.ts', text: "import '../config/plain.js';" },
  'state-machine-knows-its-place': { file: 'src/state-machine/host.ts', text: "import '../replica/plain.js';" },
  'config-knows-its-place': { file: 'src/config/key.ts', text: "import '../redis/plain.js';" },
  'enrolment-knows-its-place': { file: 'src/enrolment/board.ts', text: "import '../redis/plain.js';" },
  'replica-knows-its-place': { file: 'src/replica/bus.ts', text: "import '../redis/plain.js';" },
  'memory-knows-its-place': { file: 'src/memory/host.ts', text: "import '../replica/plain.js';" },
  'redis-knows-its-place': { file: 'src/redis/host.ts', text: "import '../replica/plain.js';" },
  'client-knows-its-place': { file: 'src/client/http.ts', text: "import '../gateway/plain.js';" },
  'determinism-knows-its-place': { file: 'src/determinism/host.ts', text: "import '../replica/plain.js';" },
  'queue-knows-its-place': { file: 'src/queue/http.ts', text: "import '../gateway/plain.js';" },
  'access-knows-its-place': { file: 'src/access/http.ts', text: "import '../gateway/plain.js';" },
  'gateway-knows-its-place': { file: 'src/gateway/host.ts', text: "import type { Plain } from '../replica/plain.js';" },
  'sdk-knows-its-place': { file: 'src/sdk/bus.ts', text: "import '../redis/plain.js';" },
  'simulator-knows-its-place': { file: 'src/simulator/redis.ts', text: "import '../redis/plain.js';" },
  'cluster-knows-its-place': { file: 'src/cluster/command.ts', text: "import '../cli/plain.js';" },
  'every-room-is-listed': { file: 'src/cli/attic.ts', text: "import '../attic/plain.js';" },
  'redis-behind-the-ports': { file: 'src/replica/ioredis.ts', text: "import 'ioredis';" },
  'bullmq-in-its-room': { file: 'src/gateway/bullmq.ts', text: "import 'bullmq';" },
  'nest-at-the-edges': { file: 'src/client/nest.ts', text: "import '@nestjs/common';" },
  'no-cycle': { file: 'src/cli/circle.ts', text: "import './cycle.js';" },
  'no-test-in-the-product': { file: 'src/cli/test.ts', text: "import '../../test/plain.js';" },
  'no-development-package-in-the-product': { file: 'src/cli/jest.ts', text: "import 'fast-check';" },
  resolvable: { file: 'src/cli/lost.ts', text: "import './nowhere.js';" },
};
const ROOMS = ['wire', 'redis', 'replica', 'config', 'crypto', 'gateway', 'cli', 'attic'];

describe('the rules for imports', () => {
  let house: string;
  let violations: { rule: string; from: string }[];

  const put = async (file: string, text: string): Promise<void> => {
    await mkdir(dirname(join(house, file)), { recursive: true });
    await writeFile(join(house, file), text);
  };

  beforeAll(async () => {
    house = await mkdtemp(join(tmpdir(), 'quorate-rooms-'));
    await symlink(resolve('node_modules'), join(house, 'node_modules'));
    const manifest = {
      type: 'module',
      dependencies: { bullmq: '*', ioredis: '*', '@nestjs/common': '*' },
      devDependencies: { 'fast-check': '*' },
    };
    await put('package.json', JSON.stringify(manifest));
    for (const room of ROOMS) await put(`src/${room}/plain.ts`, 'export type Plain = 1;');
    await put('test/plain.ts', '');
    await put('src/cli/cycle.ts', "import './circle.js';");
    for (const { file, text } of Object.values(BROKEN)) await put(file, text);
    const { tsConfig: _compiled, ...options } = configuration.options;
    const { output } = await cruise(['src'], {
      ...options,
      baseDir: house,
      validate: true,
      ruleSet: { forbidden: configuration.forbidden },
    });
    violations = (output as ICruiseResult).summary.violations.map(({ rule, from }) => ({ rule: rule.name, from }));
  });

  afterAll(async () => await rm(house, { recursive: true, force: true }));

  it('are each shown to fail here', () => {
    expect(new Set(configuration.forbidden.map(({ name }) => name))).toEqual(new Set(Object.keys(BROKEN)));
  });

  it.each(Object.entries(BROKEN))('%s refuses what breaks it', (rule, { file }) => {
    expect(violations).toContainEqual({ rule, from: file });
  });

  it('refuse nothing else', () => {
    const broken = new Set(Object.values(BROKEN).map(({ file }) => file));
    expect(violations.filter(({ from }) => !broken.has(from))).toEqual([]);
  });
});
