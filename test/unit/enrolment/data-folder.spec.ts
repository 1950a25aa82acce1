import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataFolder, healthOfHolders } from '../../../src/enrolment/data-folder.js';
import { TimestampFile } from '../../../src/enrolment/timestamp-file.js';
import { eventually } from '../../support/cluster-waiting.js';

describe('a data folder', () => {
  let dataDir: string;
  const held: DataFolder[] = [];

  const claim = async (name?: string, role: 'replicas' | 'gateways' = 'replicas'): Promise<DataFolder> => {
    const folder = await DataFolder.claim(dataDir, role, name);
    held.push(folder);
    return folder;
  };
  const keyOf = ({ identity }: DataFolder): string => identity.rawPublicKey.toString('hex');

  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'quorate-folders-'));
  });
  afterEach(() => {
    for (const folder of held.splice(0)) folder.release();
    rmSync(dataDir, { recursive: true });
  });

  /** Another process that listens at the folder's lock as ours do. @returns how to send it a signal */
  async function startHolder(path: string): Promise<(signal: NodeJS.Signals) => Promise<void>> {
    mkdirSync(path, { recursive: true });
    const socket = join(path, 'other.sock');
    const program = `require('net').createServer().listen({ path: ${JSON.stringify(socket)}, backlog: 1 })`;
    const child = spawn(process.execPath, ['-e', program], { stdio: 'ignore', env: {} });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await eventually('it listens', () => existsSync(socket));
    symlinkSync('other.sock', join(path, 'lock'));
    return async (signal) => {
      child.kill(signal);
      if (signal === 'SIGKILL') await ended;
    };
  }

  /** A process that held the folder was killed: its lock is still there. */
  async function leaveDeadLock(path: string): Promise<void> {
    const send = await startHolder(path);
    await send('SIGKILL');
  }

  it('makes a key of its own, which stays, and which nobody else may read', async () => {
    const first = await claim('Apple');
    const path = join(dataDir, 'replicas', 'Apple');
    expect(first.path).toBe(path);
    expect(statSync(join(path, 'key.pem')).mode & 0o777).toBe(0o600);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    first.release();
    expect(keyOf(await claim('Apple'))).toBe(keyOf(first));
    expect(keyOf(await claim('MS'))).not.toBe(keyOf(first));
    expect(keyOf(await claim('Apple', 'gateways'))).not.toBe(keyOf(first));
  });

  it('has one living holder', async () => {
    const first = await claim('Apple');
    await expect(claim('Apple')).rejects.toMatchObject({ code: 'identity-in-use' });
    expect(first.isHeld).toBe(true);
    first.release();
    expect((await claim('Apple')).isHeld).toBe(true);
  });

  it('is taken over from a process that was killed', async () => {
    await leaveDeadLock(join(dataDir, 'replicas', 'Apple'));
    const folder = await claim('Apple');
    expect(folder.isHeld).toBe(true);
    expect(existsSync(join(folder.path, 'other.sock'))).toBe(false);
    await expect(claim('Apple')).rejects.toMatchObject({ code: 'identity-in-use' });
  });

  it('is not taken from a process that is stopped, or too busy to accept anybody', async () => {
    const path = join(dataDir, 'replicas', 'Apple');
    const send = await startHolder(path);
    await send('SIGSTOP');
    await expect(claim('Apple')).rejects.toMatchObject({ code: 'identity-in-use' });
    const waiting = Array.from({ length: 10 }, () => connect(join(path, 'other.sock')).on('error', () => undefined));
    await expect(claim('Apple')).rejects.toMatchObject({ code: 'identity-in-use' });
    for (const socket of waiting) socket.destroy();
    await send('SIGKILL');
    expect((await claim('Apple')).isHeld).toBe(true);
  });

  it('is left to whoever is taking it over just now, unless that one has died over it', async () => {
    const path = join(dataDir, 'replicas', 'Apple');
    await leaveDeadLock(path);
    const heir = await claim('heir');
    symlinkSync(join('..', 'heir', readlinkSync(join(heir.path, 'lock'))), join(path, 'other.sock.heir'));
    await expect(claim('Apple')).rejects.toMatchObject({ code: 'identity-in-use' });
    heir.release();
    expect((await claim('Apple')).isHeld).toBe(true);
    expect(readdirSync(path).filter((name) => name.endsWith('.heir'))).toEqual([]);
  });

  it.each(['nobody', 'a process that was killed'])('goes to one of many who come at once after %s', async (before) => {
    if (before !== 'nobody') await leaveDeadLock(join(dataDir, 'replicas', 'Apple'));
    const outcomes = await Promise.allSettled(Array.from({ length: 12 }, () => claim('Apple')));
    const winners = outcomes.filter(({ status }) => status === 'fulfilled');
    expect(winners).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'identity-in-use' });
    }
    expect(held[0]?.isHeld).toBe(true);
  });

  it('without a name is the first that no living process holds, with its key', async () => {
    const [one, two] = [await claim(), await claim()];
    expect([one.path, two.path]).toEqual([join(dataDir, 'replicas', 'slot-1'), join(dataDir, 'replicas', 'slot-2')]);
    expect(one.requestedName).toBe('');
    one.release();
    const again = await claim();
    expect([again.path, keyOf(again)]).toEqual([one.path, keyOf(one)]);
  });

  it('goes to as many at once as come without a name, each its own', async () => {
    const folders = await Promise.all(Array.from({ length: 7 }, () => claim()));
    expect(new Set(folders.map(({ path }) => path)).size).toBe(7);
    expect(new Set(folders.map(keyOf)).size).toBe(7);
  });

  it('may lie deeper than the path of a socket may be long', async () => {
    const deep = join(dataDir, ...Array.from({ length: 12 }, () => 'a-folder-in-a-folder'));
    expect(deep.length).toBeGreaterThan(200);
    const folder = await DataFolder.claim(deep, 'replicas', 'Apple');
    held.push(folder);
    folder.health = { ...folder.health, ready: true };
    expect(await healthOfHolders(deep, 'replicas')).toEqual([folder.health]);
    await expect(DataFolder.claim(deep, 'replicas', 'Apple')).rejects.toMatchObject({ code: 'identity-in-use' });
    folder.release();
    expect(await healthOfHolders(deep, 'replicas')).toEqual([]);
    const again = await DataFolder.claim(deep, 'replicas', 'Apple');
    held.push(again);
    expect(keyOf(again)).toBe(keyOf(folder));
    expect(
      readdirSync(tmpdir()).filter((name) => name.startsWith('quorate-') && isDangling(join(tmpdir(), name))),
    ).toEqual([]);
  });

  it('leaves nothing of its lock behind when it is released', async () => {
    const folder = await claim('Apple');
    folder.release();
    expect(readdirSync(folder.path)).toEqual(['key.pem']);
  });

  it('notices that it was deleted under its holder', async () => {
    const folder = await claim('Apple');
    rmSync(folder.path, { recursive: true });
    expect(folder.isHeld).toBe(false);
  });

  it("tells its holder's health to whoever asks, and nothing when nobody holds it", async () => {
    expect(await healthOfHolders(dataDir, 'replicas')).toEqual([]);
    const folder = await claim('Apple');
    folder.health = { name: 'Apple', host: 'here', ready: true, detail: 'executed 7' };
    await leaveDeadLock(join(dataDir, 'replicas', 'MS'));
    expect(await healthOfHolders(dataDir, 'replicas')).toEqual([
      { name: 'Apple', host: 'here', ready: true, detail: 'executed 7' },
    ]);
    expect(await healthOfHolders(dataDir, 'gateways')).toEqual([]);
  });

  it('replaces files as a whole, readable for its owner alone', async () => {
    const folder = await claim('Apple');
    expect(folder.read('note')).toBeUndefined();
    folder.write('note', 'a long first text');
    folder.write('note', 'short');
    expect(folder.read('note')?.toString()).toBe('short');
    expect(statSync(join(folder.path, 'note')).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder.path).filter((name) => name.startsWith('note'))).toEqual(['note']);
  });

  it('gives out timestamps once each, ascending over restarts', async () => {
    const folder = await claim('gateway', 'gateways');
    const seen: number[] = [];
    for (let start = 0; start < 3; start++) {
      const timestamps = new TimestampFile(folder);
      for (let count = 0; count < 10_050; count += 1) seen.push(timestamps.next());
    }
    expect(seen[0]).toBe(1);
    expect(seen.every((timestamp, index) => index === 0 || timestamp > seen[index - 1]!)).toBe(true);
  });
});

function isDangling(path: string): boolean {
  try {
    return !existsSync(readlinkSync(path));
  } catch {
    return false;
  }
}
