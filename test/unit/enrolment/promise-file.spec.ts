import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PromiseFile } from '../../../src/enrolment/promise-file.js';
import { promise, promiseKeeperSuite } from '../../conformance/promise-keeper.suite.js';

const recordBytes = 51;
/** Records that a file begins with: its format, and up to where promises were forgotten. */
const headRecords = 2;
/** What is appended before a file is written anew. */
const appendedBytesMax = 1024 * 1024;

describe('a file of promises', () => {
  let folder: string;
  let path: string;
  const opened: PromiseFile[] = [];

  const open = (): PromiseFile => {
    const file = new PromiseFile(path);
    opened.push(file);
    return file;
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'quorate-promises-'));
    path = join(folder, 'promises');
    PromiseFile.begin(path);
  });

  afterEach(() => {
    for (const file of opened.splice(0)) file.close();
    rmSync(folder, { recursive: true });
  });

  promiseKeeperSuite(() => ({ keeper: open(), reopen: open }));

  it.each([
    ['that a later release has written', (bytes: Buffer) => bytes.writeBigUInt64BE(4n, 1), 4],
    ['that says of no format', (bytes: Buffer) => bytes.writeUInt8(4, 0), 'of an earlier release'],
  ])('%s is not read as if nothing had been promised, and is left as it is', (_, spoil, found) => {
    open().keep([promise('commit', 1)]);
    const bytes = readFileSync(path);
    spoil(bytes);
    writeFileSync(path, bytes);
    expect(open).toThrow(expect.objectContaining({ code: 'state-format', details: { format: found, expected: 3 } }));
    expect(readFileSync(path)).toEqual(bytes);
  });

  it("is its owner's alone", () => {
    open().keep([promise('commit', 1)]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('has a promise on disk when `keep` is done', () => {
    const file = open();
    file.keep([promise('commit', 1), promise('commit', 2)]);
    expect(readFileSync(path)).toHaveLength((headRecords + 2) * recordBytes);
  });

  it.each([1, recordBytes - 1])('leaves out a last record that a crash has cut off by %i bytes', (bytes) => {
    open().keep([promise('commit', 1), promise('commit', 2)]);
    truncateSync(path, (headRecords + 2) * recordBytes - bytes);
    const again = open();
    expect(again.read()).toEqual([promise('commit', 1)]);
    again.keep([promise('commit', 3)]);
    expect(open().read()).toEqual([promise('commit', 1), promise('commit', 3)]);
  });

  it.each([1, 300])('leaves out a last record whose proof a crash has cut off by %i bytes', (bytes) => {
    const proven = { ...promise('commit', 2), proof: Buffer.alloc(300, 7) };
    open().keep([promise('commit', 1), proven]);
    expect(open().read()).toEqual([promise('commit', 1), proven]);
    truncateSync(path, statSync(path).size - bytes);
    expect(open().read()).toEqual([promise('commit', 1)]);
  });

  it('leaves out a record of no kind, and keeps those around it', () => {
    open().keep([promise('commit', 1), promise('commit', 2), promise('commit', 3)]);
    const bytes = readFileSync(path);
    bytes[(headRecords + 1) * recordBytes] = 0xff;
    writeFileSync(path, bytes);
    expect(open().read()).toEqual([promise('commit', 1), promise('commit', 3)]);
  });

  it('is written anew with what still matters once it has grown', () => {
    const file = open();
    const turn = Array.from({ length: 1000 }, (_, index) => promise('commit', index + 1));
    for (let size = 0; size <= appendedBytesMax; size += turn.length * recordBytes) {
      file.keep(turn);
      file.forget(1000);
    }
    file.keep([promise('commit', 1001)]);
    expect(statSync(path).size).toBe((headRecords + 1) * recordBytes);
    const again = open();
    expect([again.read(), again.settled]).toEqual([[promise('commit', 1001)], 1000]);
    expect(readdirSync(folder)).toEqual(['promises']);
  });

  it('says so when it cannot be written: a vote that is not kept must not leave', () => {
    const file = open();
    file.close();
    opened.pop();
    expect(() => {
      file.keep([promise('commit', 1)]);
    }).toThrow(/EBADF/);
  });

  it('begins empty from an empty file', () => {
    writeFileSync(path, '');
    expect(open().read()).toEqual([]);
  });
});
