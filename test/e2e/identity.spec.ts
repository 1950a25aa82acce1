import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { quorate } from '../support/processes.js';
import { temporaryFolder, testTimeoutMs, TestCluster, type Api } from './support.js';

jest.setTimeout(testTimeoutMs);

describe('a second process with a living identity', () => {
  let cluster: TestCluster;
  let api: Api;
  let pids: readonly (number | undefined)[];

  beforeAll(async () => {
    cluster = await TestCluster.start({});
    api = cluster.api();
    pids = cluster.replicaNames.map((name) => cluster.pid(name));
  });

  afterAll(TestCluster.removeAll);

  /** Runs a replica until it ends by itself. */
  const runReplica = async (id: string, dataDir: string): Promise<{ code: number | null; output: string }> => {
    const { code, stdout, stderr } = await quorate(['replica', '--id', id], {
      ...{ DATA_DIR: dataDir, REDIS_URL: cluster.redisUrl ?? '', CLUSTER: cluster.name },
      JOIN_TOKEN_FILE: join(cluster.dataDir, 'join-token'),
    });
    return { code, output: stdout + stderr };
  };

  const expectUnharmed = async (): Promise<void> => {
    await api.agreement();
    expect(cluster.endings).toEqual(new Map());
    expect(cluster.replicaNames.map((name) => cluster.pid(name))).toEqual(pids);
  };

  it('is refused in the same folder', async () => {
    const { code, output } = await runReplica('replica-1', cluster.dataDir);
    expect(code).toBe(1);
    expect(output).toContain('identity-in-use: another process is running as replica-1');
    await expectUnharmed();
  });

  it.each(['replica-1', 'replica-3'])('ends when it was started on a copy of the folder of %s', async (id) => {
    const copy = await temporaryFolder();
    try {
      await cp(join(cluster.dataDir, 'replicas', id), join(copy, 'replicas', id), {
        recursive: true,
        verbatimSymlinks: true,
        filter: (path) => !path.endsWith('.sock'),
      });
      const { code, output } = await runReplica(id, copy);
      expect(code).toBe(1);
      expect(output).toContain(`another process is running as ${id}`);
      await expectUnharmed();
    } finally {
      await rm(copy, { recursive: true });
    }
  });

  it('is refused with a key of its own under a name that is taken', async () => {
    const folder = await temporaryFolder();
    try {
      const { code, output } = await runReplica('replica-2', folder);
      expect(code).toBe(1);
      expect(output).toContain('enrolment-refused: replica-2 has enrolled with another key before');
      await expectUnharmed();
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
