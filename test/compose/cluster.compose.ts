import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClusterStatus, ReplicaStatus } from '../../src/client/cluster-client.js';
import { poll } from '../../src/cluster/poll.js';
import type { MembershipDocument } from '../../src/crypto/membership.js';
import type { Reply } from '../../src/crypto/receipt.js';
import { areInAgreement } from '../support/agreement.js';
import { Project, type Output } from './project.js';

const BUILD_DEADLINE_MS = 600_000;
const UP_DEADLINE_MS = 240_000;
const CONDITION_DEADLINE_MS = 60_000;

function distinctSigners({ receipt }: Reply): number {
  return new Set(receipt.signatures.map(({ replica }) => replica)).size;
}

describe.each([
  { n: 4, f: 1, quorum: 3 },
  { n: 7, f: 2, quorum: 5 },
])('docker compose with $n replicas', ({ n, f, quorum }) => {
  let project: Project;
  let folder: string;
  let broken: Error | undefined;

  /** One step of the story. Later steps build on it, so none is tried after a failure, which the containers' logs explain. */
  const step = (name: string, run: () => Promise<void>, deadlineMs = 5 * CONDITION_DEADLINE_MS): void => {
    it(
      name,
      async () => {
        if (broken !== undefined) throw new Error(`an earlier step failed: ${broken.message.split('\n', 1)[0]}`);
        try {
          await run();
        } catch (error) {
          broken = error as Error;
          process.stderr.write(`${name}: ${String(error)}\n${await project.logs().catch(String)}\n`);
          throw error;
        }
      },
      deadlineMs,
    );
  };

  const up = async (): Promise<void> => {
    await project.compose(['up', '--detach', '--wait', '--scale', `replica=${n}`], UP_DEADLINE_MS);
  };

  /** @throws {Error} with the last answer when the condition does not come true in time */
  const status = async (condition: (status: ClusterStatus) => boolean): Promise<ClusterStatus> => {
    let last: ClusterStatus | undefined;
    const found = await poll(CONDITION_DEADLINE_MS, async () => {
      last = await project.get<ClusterStatus>('/v1/status');
      return condition(last) ? last : undefined;
    });
    if (found === undefined) throw new Error(`not so in time; the last status: ${JSON.stringify(last, null, 2)}`);
    return found;
  };

  const agreement = async (): Promise<ClusterStatus> => await status(({ replicas }) => areInAgreement(replicas));
  const membership = async (): Promise<MembershipDocument> => await project.get('/v1/membership');

  /** Asks again while there is no quorum, as a client does: a view change may be under way. */
  const put = async (key: string, value: number): Promise<Reply> => {
    const operation = { op: 'put', key, value };
    const reply = await poll(CONDITION_DEADLINE_MS, async () => await project.submit(operation, `put-${key}`));
    if (reply === undefined) throw new Error(`no quorum for ${JSON.stringify(operation)} in time`);
    expect(reply.result).toEqual({ ok: true });
    expect(distinctSigners(reply)).toBeGreaterThanOrEqual(f + 1);
    return reply;
  };

  const expectValue = async (key: string, value: number): Promise<void> => {
    expect(await project.get(`/v1/kv/${key}`)).toMatchObject({ value });
  };

  /** `quorate verify` in a container without a network. */
  const verify = async (reply: Reply): Promise<Output> => {
    await writeFile(join(folder, 'reply.json'), JSON.stringify(reply));
    await writeFile(join(folder, 'membership.json'), JSON.stringify(await membership()));
    const files = ['/evidence/reply.json', '--membership', '/evidence/membership.json'];
    const sandbox = ['--rm', '--network', 'none', '--volume', `${folder}:/evidence:ro`];
    return await project.engine(['run', ...sandbox, project.name, 'verify', ...files]);
  };

  /** The name of the replica that runs in a container, as its health check reports it. */
  const replicaIn = async (container: string): Promise<string | undefined> => {
    const health = await project.engine(['exec', container, 'node', 'bin/quorate.mjs', 'health']);
    return /^(?<name>[\w.-]+): ready/.exec(health.stdout)?.groups?.['name'];
  };

  beforeAll(async () => {
    project = await Project.withReplicas(n);
    folder = await mkdtemp(join(tmpdir(), 'quorate-compose-'));
    await chmod(folder, 0o755); // the container's user reads it
  });

  afterAll(async () => {
    await project.compose(['down', '--volumes', '--remove-orphans'], UP_DEADLINE_MS);
    await project.engine(['image', 'rm', project.name]);
    await rm(folder, { recursive: true, force: true });
  }, UP_DEADLINE_MS);

  step(
    'builds the image',
    async () => {
      await project.compose(['build'], BUILD_DEADLINE_MS);
    },
    BUILD_DEADLINE_MS,
  );

  step(
    'comes up healthy',
    async () => {
      await up();
      expect(await project.containers('replica')).toHaveLength(n);
      expect(await agreement()).toMatchObject({ n, f, quorum });
      const { replicas } = await membership();
      expect(new Set(replicas.map(({ publicKey }) => publicKey)).size).toBe(n);
    },
    UP_DEADLINE_MS + CONDITION_DEADLINE_MS,
  );

  step('gives a receipt that is genuine, and not when it is altered', async () => {
    const reply = await put('genuine', 1);
    expect(await verify(reply)).toMatchObject({ exitCode: 0 });
    const forged = { ...reply, receipt: { ...reply.receipt, sequence: reply.receipt.sequence + 1 } };
    expect(await verify(forged)).toMatchObject({ exitCode: 1 });
  });

  if (n !== 4) return; // what follows does not depend on how many they are

  step('goes on without its primary, which comes back under its own key', async () => {
    const { primary } = await agreement();
    const before = await membership();
    const running = await Promise.all(
      (await project.containers('replica')).map(async (id) => ({ id, name: await replicaIn(id) })),
    );
    expect(new Set(running.map(({ name }) => name))).toEqual(new Set(before.replicas.map(({ id }) => id)));
    const victim = running.find(({ name }) => name === primary);
    if (victim === undefined) throw new Error('no container runs the primary');
    const isVictim = ({ replica }: ReplicaStatus): boolean => replica === victim.name;

    expect(await project.engine(['kill', '--signal', 'KILL', victim.id])).toMatchObject({ exitCode: 0 });
    const reply = await put('without', 2);
    await status(({ replicas }) => replicas.every((replica) => replica.connected !== isVictim(replica)));
    expect(reply.receipt.signatures.map(({ replica }) => replica)).not.toContain(victim.name);
    expect(await verify(reply)).toMatchObject({ exitCode: 0 });

    expect(await project.engine(['start', victim.id])).toMatchObject({ exitCode: 0 });
    const after = await agreement();
    expect(after.replicas.find(isVictim)?.lastExecuted).toBeGreaterThanOrEqual(reply.sequence);
    expect(await poll(CONDITION_DEADLINE_MS, async () => await replicaIn(victim.id))).toBe(victim.name);
    expect(await membership()).toEqual(before);
  });

  step(
    'keeps its members and its data when the containers are made anew',
    async () => {
      const { replicas } = await agreement();
      const before = await membership();
      await project.compose(['down'], UP_DEADLINE_MS);
      expect(await project.containers('replica')).toEqual([]);
      await up();
      expect(await membership()).toEqual(before);
      const after = await agreement();
      expect(after.replicas[0]?.stateDigest).toBe(replicas[0]?.stateDigest);
      await expectValue('genuine', 1);
      await expectValue('without', 2);
      await put('after', 3);
      await agreement();
    },
    2 * UP_DEADLINE_MS + 2 * CONDITION_DEADLINE_MS,
  );
});
