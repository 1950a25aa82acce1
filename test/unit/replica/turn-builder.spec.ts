import { describe, expect, it } from '@jest/globals';
import { RefusalCounter } from '../../../src/replica/refusal-counter.js';
import { TurnBuilder } from '../../../src/replica/turn-builder.js';
import { packetFramesMax, splitPacket } from '../../../src/wire/frame.js';
import { asFields } from '../../support/as-fields.js';

const bytes = (text: string): Buffer => Buffer.from(text);

describe('a turn', () => {
  it('begins empty, and is empty again once it was taken', () => {
    const turn = new TurnBuilder();
    expect([turn.isEmpty, turn.bytes]).toEqual([true, 0]);
    turn.write(1, 'a', bytes('12345'));
    turn.publish('commit', bytes('123'));
    expect([turn.isEmpty, turn.bytes]).toEqual([false, 8]);
    turn.take();
    expect([turn.isEmpty, turn.bytes]).toEqual([true, 0]);
    expect(turn.take()).toEqual({ removals: [], writes: [], publications: [] });
  });

  it('has one write for each place, and of each field what was written last', () => {
    const turn = new TurnBuilder();
    turn.write(2, 'a', bytes('two'));
    turn.write(1, 'a', bytes('one'));
    turn.write('replica', 'view', bytes('0'));
    turn.write(2, 'b', bytes('more'));
    turn.write('replica', 'view', bytes('1'));
    expect(turn.take().writes).toEqual([
      { place: 2, fields: asFields({ a: bytes('two'), b: bytes('more') }) },
      { place: 1, fields: asFields({ a: bytes('one') }) },
      { place: 'replica', fields: asFields({ view: bytes('1') }) },
    ]);
  });

  it('has one packet for each channel, its frames in their order', () => {
    const turn = new TurnBuilder();
    turn.publish('prepare', bytes('p1'));
    turn.publish('commit', bytes('c1'));
    turn.publish('prepare', bytes('p2'));
    const { publications } = turn.take();
    const read = publications.map(({ channel, payload }) => [channel, splitPacket(Buffer.from(payload)).toString()]);
    expect(read).toEqual([
      ['prepare', 'p1,p2'],
      ['commit', 'c1'],
    ]);
  });

  it('has several packets where one would be refused', () => {
    const turn = new TurnBuilder();
    for (let frame = 0; frame <= packetFramesMax; frame++) turn.publish('commit', bytes(String(frame)));
    const { publications } = turn.take();
    expect(publications.map(({ payload }) => splitPacket(Buffer.from(payload)).length)).toEqual([packetFramesMax, 1]);
  });

  it('that is being built is not touched by one that was taken', () => {
    const turn = new TurnBuilder();
    turn.write(1, 'a', bytes('first'));
    const first = turn.take();
    turn.write(1, 'a', bytes('second'));
    expect(first.writes).toEqual([{ place: 1, fields: asFields({ a: bytes('first') }) }]);
  });

  it('removes places and fields, each once, and is empty again', () => {
    const turn = new TurnBuilder();
    turn.remove({ place: 3 });
    expect(turn.isEmpty).toBe(false);
    turn.remove({ place: 3 });
    turn.remove({ place: 'state', fields: ['a', 'b'] });
    turn.remove({ place: 'state', fields: ['b'] });
    expect(turn.take().removals).toEqual([{ place: 3 }, { place: 'state', fields: ['a', 'b'] }]);
    expect([turn.isEmpty, turn.take().removals]).toEqual([true, []]);
  });

  it('does not write what is removed afterwards, and writes what comes after a removal', () => {
    const turn = new TurnBuilder();
    turn.write('state', 'a', bytes('old'));
    turn.write('state', 'b', bytes('kept'));
    turn.write(1, 'a', bytes('old'));
    turn.remove({ place: 'state', fields: ['a'] });
    turn.remove({ place: 1 });
    expect(turn.take()).toEqual({
      removals: [{ place: 1 }, { place: 'state', fields: ['a'] }],
      writes: [{ place: 'state', fields: asFields({ b: bytes('kept') }) }],
      publications: [],
    });
    turn.write('state', 'a', bytes('old'));
    turn.remove({ place: 'state', fields: ['b'] });
    turn.remove({ place: 'state', fields: 'all' });
    turn.write('state', 'b', bytes('new'));
    expect(turn.take()).toEqual({
      removals: [{ place: 'state', fields: 'all' }],
      writes: [{ place: 'state', fields: asFields({ b: bytes('new') }) }],
      publications: [],
    });
    turn.write('state', 'a', bytes('old'));
    turn.remove({ place: 'state', fields: ['a'] });
    expect(turn.take().writes).toEqual([]);
  });

  it('can be empty of writes, or of publications', () => {
    const turn = new TurnBuilder();
    turn.write(1, 'a', bytes(''));
    expect(turn.isEmpty).toBe(false);
    expect(turn.take().publications).toEqual([]);
    turn.publish('commit', bytes(''));
    expect(turn.isEmpty).toBe(false);
    expect(turn.take().writes).toEqual([]);
  });
});

describe('refusals', () => {
  it('are counted by their reasons, and those that never happened are not listed', () => {
    const counter = new RefusalCounter();
    expect(counter.entries()).toEqual([]);
    counter.add('bad-signature');
    counter.add('duplicate');
    counter.add('bad-signature');
    expect(new Map(counter.entries())).toEqual(
      new Map([
        ['duplicate', 1],
        ['bad-signature', 2],
      ]),
    );
  });
});
