import { describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { digest, sequence, type Digest } from '../../../src/pbft/types.js';
import { encodeStoredRecord, fieldOf, parseField } from '../../../src/replica/state-fields.js';
import { encodeCheckpoint } from '../../../src/wire/views.js';
import { entries, Holding } from '../../support/state-transfer.js';
import { change, ownKey, proofOf, recordField, sealers, stateKey, Storing } from '../../support/storing.js';

describe('a stored checkpoint', () => {
  async function stored(): Promise<Storing> {
    const storing = new Storing(new Holding(entries(10)));
    storing.stabilise(128);
    await storing.settle();
    storing.holding.write([['key 3', 'changed']]);
    storing.stabilise(256);
    await storing.settle();
    return storing;
  }

  async function expectRefused(storing: Storing): Promise<void> {
    const before = storing.unreadable;
    const { storing: next, found } = await storing.restarted();
    expect([found, storing.unreadable]).toEqual([undefined, before + 1]);
    expect([next.holding.first.map.size, next.holding.second.map.size]).toEqual([0, 0]);
    // It is cleared away, and the next one stored as if there had been nothing.
    next.holding.write(entries(4));
    next.stabilise(384);
    await next.settle();
    expect((await next.restarted()).storing.holding.digests).toEqual(next.holding.digests);
    expect(next.fields.size).toBe(8);
  }

  it('has a format that was settled with this version of frames, which are in it', () => {
    const [frame] = proofOf(128, digest('a'.repeat(64)));
    const record = encodeStoredRecord({ sequence: 128, time: 0, since: 0, proof: [frame!] });
    // With another version of frames the record needs another format: it would look like nothing, and be cleared away.
    expect([frame![0], record.readUInt16BE(0)]).toEqual([3, 3]);
  });

  it('is not taken when any of its fields is altered, missing, or another one’s', async () => {
    const genuine = await stored();
    const before = genuine.broker.store.snapshot();
    for (const [field, value] of genuine.fields) {
      const altered = Buffer.from(value);
      altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1;
      for (const instead of [altered, Buffer.alloc(0), Buffer.from('junk'), undefined]) {
        genuine.broker.store.rollBack(before);
        if (instead === undefined) genuine.broker.store.deleteField(stateKey, field);
        else genuine.broker.store.write(stateKey, field, instead);
        expect((await genuine.restarted()).found).toBeUndefined();
      }
      genuine.broker.store.rollBack(before);
      genuine.broker.store.deleteField(stateKey, field);
      genuine.broker.store.write(stateKey, field.replace('key', 'kez'), value);
      expect((await genuine.restarted()).found).toBeUndefined();
    }
    await expectRefused(genuine);
  });

  it('is not taken with a key more', async () => {
    const storing = await stored();
    storing.broker.store.write(
      stateKey,
      fieldOf(0, 256, 'more'),
      storing.holding.first.encode(storing.holding.first.map.get('key 1')!),
    );
    await expectRefused(storing);
    const again = await stored();
    const [extra] = [...new Holding([['more', 1]]).first.map.items()];
    again.broker.store.write(stateKey, fieldOf(0, 128, 'more'), again.holding.first.encode(extra!));
    await expectRefused(again);
  });

  it('is cleaned of fields that are not its own', async () => {
    const storing = await stored();
    const strangers = [
      '',
      '0',
      '0:1',
      'x:1:a',
      '9:1:a',
      '01:1:a',
      '0:0256:key 1',
      '0:99999999999999999999:a',
      fieldOf(0, 257, 'key 1'),
    ];
    for (const field of strangers) storing.broker.store.write(stateKey, field, Buffer.from('junk'));
    const { storing: next, found } = await storing.restarted();
    expect(new Set(found?.stale)).toEqual(new Set(strangers));
    await next.settle();
    expect(next.fields.size).toBe(20);
    expect((await next.restarted()).found?.stale).toEqual([]);
  });

  it('is taken when it is an older one as a whole, but not one’s record with the other’s fields', async () => {
    const storing = new Storing(new Holding(entries(10)));
    storing.stabilise(128);
    await storing.settle();
    const old = storing.broker.store.snapshot();
    storing.holding.write([['key 3', 'changed']]);
    storing.stabilise(256);
    await storing.settle();
    const newRecord = storing.broker.store.get(ownKey, recordField)!;
    const oldRecord = old.get(ownKey)!.get(recordField)!;
    storing.broker.store.write(ownKey, recordField, oldRecord);
    expect((await storing.restarted()).found).toBeUndefined();
    storing.broker.store.rollBack(old);
    expect((await storing.restarted()).storing.store.sequence).toBe(128);
    storing.broker.store.write(ownKey, recordField, newRecord);
    await expectRefused(storing);
  });

  it.each<[string, (of: Digest) => Buffer[]]>([
    ['none', () => []],
    ['too few', (of) => proofOf(256, of, [0, 1])],
    ['one replica’s thrice', (of) => proofOf(256, of, [0, 0, 0])],
    ['another sequence number’s', (of) => proofOf(128, of)],
    ['another digest’s', () => proofOf(256, digest('a'.repeat(64)))],
    ['those that do not agree', (of) => [...proofOf(256, of, [0, 1]), ...proofOf(256, digest('a'.repeat(64)), [2])]],
    [
      'a forged one',
      (of) => [
        ...proofOf(256, of, [0, 1]),
        sealers[0]!.wrap(
          'checkpoint',
          encodeCheckpoint({ sequence: sequence(256), digest: of }),
          Buffer.alloc(64),
          Buffer.alloc(0),
          2,
        ),
      ],
    ],
    ['another kind', () => [sealers[0]!.seal('status', Buffer.alloc(4))]],
    ['no frame', () => [Buffer.from('junk')]],
  ])('is not taken when its proof is %s', async (_, proof) => {
    const storing = new Storing(new Holding(entries(10)));
    const { digest: of } = storing.holding.freeze(256);
    storing.store.onStable(256, of, proof(of));
    await storing.settle();
    expect((await storing.restarted()).found).toBeUndefined();
  });

  it('is not taken when its record is cut off, or none', async () => {
    const storing = await stored();
    const record = storing.broker.store.get(ownKey, recordField)!;
    for (const length of [0, 1, 8, 16, 18, record.length - 1]) {
      storing.broker.store.write(ownKey, recordField, record.subarray(0, length));
      expect((await storing.restarted()).found).toBeUndefined();
    }
    await expectRefused(storing);
  });

  it('of another release is left alone, and the replica does not start', async () => {
    const storing = await stored();
    const record = storing.broker.store.get(ownKey, recordField)!;
    for (const format of [0, 1, 65_535]) {
      const body = Buffer.from(record.subarray(0, -8));
      body.writeUInt16BE(format);
      const other = Buffer.concat([body, createHash('sha256').update(body).digest().subarray(0, 8)]);
      storing.broker.store.write(ownKey, recordField, other);
      const before = storing.broker.store.snapshot();
      await expect(storing.restarted()).rejects.toMatchObject({
        code: 'state-format',
        details: { format, expected: 3 },
      });
      expect(storing.broker.store.snapshot()).toEqual(before);
      // By chance, or by somebody who has altered it, it is not another release's.
      other[other.length - 1]! ^= 1;
      storing.broker.store.write(ownKey, recordField, other);
      expect((await storing.restarted()).found).toBeUndefined();
    }
  });

  it('that cannot be read is not one that is not there', async () => {
    const storing = await stored();
    storing.broker.cut('a');
    await expect(storing.restarted()).rejects.toMatchObject({ code: 'bus-unavailable' });
  });

  it('has one name for each field', () => {
    expect(parseField(fieldOf(1, 128, 'g:a\n7'))).toEqual({ part: 1, generation: 128, key: 'g:a\n7' });
    expect(parseField(fieldOf(0, 0, ''))).toEqual({ part: 0, generation: 0, key: '' });
  });

  it('is written anew when it was deleted or set back while its replica lives', async () => {
    const storing = new Storing(new Holding(entries(100)));
    storing.stabilise(128);
    await storing.settle();
    expect(storing.store.onReadBack(await storing.log.readReplica())).toBe(false);
    const old = storing.broker.store.snapshot();
    change(storing, 3);
    storing.stabilise(256);
    await storing.settle();
    for (const state of [old, new Map<string, ReadonlyMap<string, Buffer>>()]) {
      storing.broker.store.rollBack(state);
      expect(storing.store.onReadBack(await storing.log.readReplica())).toBe(true);
      expect(storing.store.sequence).toBe(0);
      await storing.settle();
      expect(storing.store.sequence).toBe(256);
      const { storing: next } = await storing.restarted();
      expect(next.holding.digests).toEqual(storing.holding.digests);
    }
    expect(storing.holding.first.map.snapshotCount).toBe(1);
  });
});
