import { rm } from 'node:fs/promises';
import { expect, it, jest } from '@jest/globals';
import { PROGRAM } from '../../src/cluster/local-cluster.js';
import { freePort } from '../../src/cluster/ports.js';
import { plainEnvironment, Program } from '../support/processes.js';
import { Api, temporaryFolder, testTimeoutMs } from './support.js';

jest.setTimeout(testTimeoutMs);

it('quorate up names the operation that a state machine draws its own dice for, while the other replicas go on', async () => {
  const folder = await temporaryFolder();
  const port = String(await freePort());
  const environment = plainEnvironment({ DATA_DIR: folder, PORT: port });
  const up = new Program(
    process.execPath,
    [PROGRAM, 'up', '--state-machine', 'test/support/dice-service.mjs'],
    environment,
  );
  try {
    await up.says(/Ctrl-C stops everything\./);
    const api = new Api(`http://127.0.0.1:${port}`);
    const first = await api.agreed({ op: 'draw', name: 'first' });
    await up.says(
      /dice@1 is not deterministic: .* \(result, key "first"\).* It asked Math\.random\(\)\..*"name":"first"/s,
    );
    const second = await api.agreed({ op: 'draw', name: 'second' });
    expect(second.result).not.toEqual(first.result);
    expect(up.output.match(/is not deterministic/g)).toHaveLength(1);
    await api.agreed({ op: 'toss', name: 'heads' });
    // It imports that by name: `import { randomInt } from 'node:crypto'`.
    await up.says(/It asked crypto\.randomInt\(\)\..*"name":"heads"/s);
  } finally {
    up.signalGroup('SIGTERM');
    await up.ended;
    await rm(folder, { recursive: true, force: true });
  }
});
