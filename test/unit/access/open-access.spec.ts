import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { digestOfKey, newApiKey } from '../../../src/access/api-key.js';
import { openAccess, type OpenAccess } from '../../../src/access/open-access.js';
import { eventually } from '../../support/cluster-waiting.js';

const patienceMs = 20_000;
const limiter = { take: () => Promise.resolve(0) };

function fileOf(clients: Readonly<Record<string, string>>): string {
  const entries = Object.entries(clients).map(([name, key]) => ({
    name,
    keys: [{ sha256: digestOfKey(key).toString('hex') }],
    rights: [{ operations: ['*'] }],
  }));
  return JSON.stringify({ clients: entries });
}

describe('the file of clients', () => {
  const [alice, bob] = [newApiKey(), newApiKey()];
  let folder: string;
  let file: string;
  let access: OpenAccess;
  let complaints: string[];

  const isKnown = async (key: string): Promise<boolean> =>
    await access.control.identify(`Bearer ${key}`).then(
      () => true,
      () => false,
    );

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quorate-tmp-'));
    file = join(folder, 'access.json');
    complaints = [];
    await writeFile(file, fileOf({ alice }));
    const log = () => undefined;
    const settings = { accessFile: file, jwt: undefined, requestsPerMinute: 60, operatorKey: undefined };
    const error = (_facts: object, message: string) => void complaints.push(message);
    access = (await openAccess(settings, limiter, { info: log, warn: log, error }))!;
  });

  afterEach(async () => {
    access.close();
    await rm(folder, { recursive: true });
  });

  it('is read again when it was changed: who is new is let in, who is gone is not', async () => {
    expect([await isKnown(alice), await isKnown(bob)]).toEqual([true, false]);
    await writeFile(file, fileOf({ bob }));
    await eventually('bob is known', () => isKnown(bob), patienceMs);
    expect(await isKnown(alice)).toBe(false);
  });

  it('holds as it was while it is wrong, and that is said', async () => {
    await writeFile(file, '{"clients": [');
    await eventually('it is said', () => complaints.length > 0, patienceMs);
    expect(await isKnown(alice)).toBe(true);
    await writeFile(file, fileOf({ alice, bob }));
    await eventually('bob is known', () => isKnown(bob), patienceMs);
  });
});
