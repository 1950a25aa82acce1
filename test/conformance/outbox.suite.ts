import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Turn } from '../../src/ports/outbox.js';
import { asFields } from '../support/as-fields.js';
import { eventually } from '../support/cluster-waiting.js';
import { fieldsOf, listen, text, type MakePorts, type Ports } from './harness.js';

const rounds = 100;

function turn(sequence: number, said: string): Turn {
  return {
    removals: [],
    writes: [{ place: sequence, fields: asFields({ said: text(said) }) }],
    publications: [{ channel: 'commit', payload: text(said) }],
  };
}

/** What `Outbox` promises. */
export function outboxSuite(make: MakePorts): void {
  describe('outbox', () => {
    let ports: Ports;

    beforeEach(async () => (ports = await make()));
    afterEach(async () => await ports.close());

    describe.each(['one Redis for log and bus', 'two'])('%s', (how) => {
      const isOne = how !== 'two';
      const outboxOf = (replica: string) => (isOne ? ports.outbox(replica) : ports.outboxOfTwo(replica));
      const logOf = (replica: string) => (isOne ? ports.messageLog(replica) : ports.messageLogOfTwo(replica));

      it('writes a turn and publishes it', async () => {
        const outbox = await outboxOf('a');
        const { ear } = await listen(ports, 'b', ['commit']);
        await outbox.send(turn(1, 'said'));
        expect(outbox.trouble).toBeUndefined();
        expect(await (await logOf('a')).read(1)).toEqual({ said: text('said') });
        await eventually('it is heard', () => ear.has('said'));
        expect(ear.heard).toEqual([{ channel: 'commit', payload: text('said') }]);
      });

      it('has written a turn before anybody hears of it', async () => {
        const outbox = await outboxOf('a');
        const log = await logOf('a');
        const { ear } = await listen(ports, 'b', ['commit']);
        const found: Promise<Readonly<Record<string, Buffer>>>[] = [];
        ear.onHeard = (payload) => found.push(log.read(Number(payload.toString())));
        for (let sequence = 1; sequence <= rounds; sequence++) await outbox.send(turn(sequence, String(sequence)));
        await eventually('all are heard', () => found.length === rounds);
        const said = (await Promise.all(found)).map((hash) => hash['said']?.toString());
        expect(said).toEqual(ear.texts);
      });

      it('carries turns out in their order', async () => {
        const outbox = await outboxOf('a');
        const { ear } = await listen(ports, 'b', ['commit', 'prepare']);
        const expected: string[] = [];
        for (let round = 0; round < rounds; round++) {
          const first = { channel: 'prepare', payload: text(`${round} first`) } as const;
          const second = { channel: 'commit', payload: text(`${round} second`) } as const;
          await outbox.send({ removals: [], writes: [], publications: [first, second] });
          expected.push(`${round} first`, `${round} second`);
        }
        await eventually('all are heard', () => ear.heard.length === expected.length);
        expect(ear.texts).toEqual(expected);
      });

      it('publishes nothing of a turn whose write is refused, says why, and goes on once it is taken', async () => {
        const outbox = await outboxOf('a');
        const { ear } = await listen(ports, 'b', ['commit', 'status']);
        const { interruptions } = outbox;
        await ports.refuseWrites(true);
        const sent = outbox.send(turn(1, 'refused'));
        await eventually('the trouble shows', () => outbox.trouble !== undefined);
        expect(outbox.trouble).toMatch(/^Redis refuses writes: .*OOM/);
        outbox.announce([{ channel: 'status', payload: text('marker') }]);
        await eventually('what promises nothing is heard', () => ear.has('marker'));
        expect(ear.texts).toEqual(['marker']);
        expect(await (await logOf('a')).read(1)).toEqual({});

        await ports.refuseWrites(false);
        await sent;
        expect(outbox.trouble).toBeUndefined();
        expect(outbox.interruptions).toBeGreaterThan(interruptions);
        expect(await (await logOf('a')).read(1)).toEqual({ said: text('refused') });
        await eventually('the turn is heard', () => ear.has('refused'));
      });

      it('counts an interruption that nothing was under way in, before the next turn is out', async () => {
        const outbox = await outboxOf('a');
        await outbox.send(turn(1, 'before'));
        await outbox.send(turn(2, 'before'));
        const { interruptions } = outbox;
        ports.cut('a');
        ports.heal('a');
        await outbox.send(turn(3, 'after'));
        expect(outbox.interruptions).toBeGreaterThan(interruptions);
      });

      it('carries out a turn without writes while writes are refused', async () => {
        const outbox = await outboxOf('a');
        const { ear } = await listen(ports, 'b', ['commit']);
        await ports.refuseWrites(true);
        await outbox.send({
          removals: [],
          writes: [],
          publications: [{ channel: 'commit', payload: text('only said') }],
        });
        await eventually('it is heard', () => ear.has('only said'));
        await ports.refuseWrites(false);
      });

      it('repeats a turn until a lost connection stands again', async () => {
        const outbox = await outboxOf('a');
        const { ear } = await listen(ports, 'b', ['commit']);
        await outbox.send(turn(1, 'early'));
        const { interruptions } = outbox;
        ports.cut('a');
        const sent = outbox.send(turn(2, 'late'));
        await eventually('the trouble shows', () => outbox.trouble !== undefined);
        expect(outbox.trouble).toMatch(/^Redis cannot be reached/);
        expect(ear.texts).toEqual(['early']);
        ports.heal('a');
        await sent;
        expect(outbox.trouble).toBeUndefined();
        expect(outbox.interruptions).toBeGreaterThan(interruptions);
        await eventually('the turn is heard', () => ear.has('late'));
      });

      it('removes what a turn removes before it writes, and removes nothing while writes are refused', async () => {
        const outbox = await outboxOf('a');
        const log = await logOf('a');
        const state = { one: text('1'), two: text('2') };
        await outbox.send({
          removals: [],
          writes: [1, 2].map((place) => turn(place, 'old').writes).flat(),
          publications: [],
        });
        await outbox.send({ removals: [], writes: [{ place: 'state', fields: asFields(state) }], publications: [] });
        await ports.refuseWrites(true);
        const sent = outbox.send({
          removals: [{ place: 1 }, { place: 'state', fields: ['one', 'none'] }],
          writes: [{ place: 'state', fields: asFields({ three: text('3') }) }],
          publications: [],
        });
        await eventually('the trouble shows', () => outbox.trouble !== undefined);
        expect(await log.read(1)).toEqual({ said: text('old') });
        expect(await fieldsOf(log)).toEqual(state);
        await ports.refuseWrites(false);
        await sent;
        expect([await log.read(1), await log.read(2)]).toEqual([{}, { said: text('old') }]);
        expect(await fieldsOf(log)).toEqual({ two: text('2'), three: text('3') });
        await outbox.send({
          removals: [{ place: 'state', fields: 'all' }],
          writes: [{ place: 'state', fields: asFields({ two: text('new') }) }],
          publications: [],
        });
        expect(await fieldsOf(log)).toEqual({ two: text('new') });
      });

      it('makes room while writes are refused, where it is not to write', async () => {
        const outbox = await outboxOf('a');
        const log = await logOf('a');
        await outbox.send(turn(1, 'old'));
        await ports.refuseWrites(true);
        await outbox.send({ removals: [{ place: 1 }], writes: [], publications: [] });
        expect(await log.read(1)).toEqual({});
        await ports.refuseWrites(false);
      });

      it('rejects what was not sent when it is closed, and everything after', async () => {
        const outbox = await outboxOf('a');
        await ports.refuseWrites(true);
        const sent = outbox.send(turn(1, 'never'));
        const outcome = expect(sent).rejects.toMatchObject({ code: 'shutting-down' });
        await eventually('the trouble shows', () => outbox.trouble !== undefined);
        await outbox.close();
        await outcome;
        await ports.refuseWrites(false);
        await expect(outbox.send(turn(2, 'never'))).rejects.toMatchObject({ code: 'shutting-down' });
        expect(await (await logOf('a')).read(2)).toEqual({});
      });
    });

    it('adds fields to a hash that is there, and replaces those of the same name', async () => {
      const outbox = await ports.outbox('a');
      const write = (fields: Record<string, Buffer>) =>
        outbox.send({ removals: [], writes: [{ place: 7, fields: asFields(fields) }], publications: [] });
      await write({ one: text('1'), two: text('2') });
      await write({ two: text('II'), three: Buffer.alloc(0) });
      expect(await (await ports.messageLog('a')).read(7)).toEqual({
        one: text('1'),
        two: text('II'),
        three: Buffer.alloc(0),
      });
    });

    it('announces past the turns: at once, or never', async () => {
      const outbox = await ports.outbox('a');
      const { ear } = await listen(ports, 'b', ['status']);
      outbox.announce([{ channel: 'status', payload: text('one') }]);
      await eventually('it is heard', () => ear.has('one'));
      ports.cut('a');
      outbox.announce([{ channel: 'status', payload: text('lost') }]);
      ports.heal('a');
      await eventually('it speaks again', () => {
        outbox.announce([{ channel: 'status', payload: text('two') }]);
        return ear.has('two');
      });
      expect(ear.has('lost')).toBe(false);
    });
  });
}
