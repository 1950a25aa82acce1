import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { enrolmentsMax } from '../../src/ports/enrolment-board.js';
import { asFields } from '../support/as-fields.js';
import { eventually } from '../support/cluster-waiting.js';
import { fieldsOf, listen, text, type MakePorts, type Ports } from './harness.js';

/** What `MessageLog` promises. */
export function messageLogSuite(make: MakePorts): void {
  describe('message log', () => {
    let ports: Ports;

    beforeEach(async () => (ports = await make()));
    afterEach(async () => await ports.close());

    it('is empty where nothing was written', async () => {
      const log = await ports.messageLog('a');
      expect(await log.read(1)).toEqual({});
      expect(await log.readReplica()).toEqual({});
    });

    it("gives each replica's writes back by their places, bytes unchanged", async () => {
      const bytes = Buffer.from('00ff80c328', 'hex');
      for (const replica of ['a', 'b']) {
        const outbox = await ports.outbox(replica);
        const writes = [
          { place: 1, fields: asFields({ 'prepare:0:a': bytes, 'commit:0:b': text(replica) }) },
          { place: 11, fields: asFields({ batch: text(`${replica} 11`) }) },
          { place: 'replica' as const, fields: asFields({ view: text('0') }) },
        ];
        await outbox.send({ removals: [], writes, publications: [] });
      }
      for (const replica of ['a', 'b']) {
        const log = await ports.messageLog(replica);
        expect(await log.read(1)).toEqual({ 'prepare:0:a': bytes, 'commit:0:b': text(replica) });
        expect(await log.read(11)).toEqual({ batch: text(`${replica} 11`) });
        expect(await log.readReplica()).toEqual({ view: text('0') });
        expect(await log.read(2)).toEqual({});
      }
    });

    it("gives each replica's whole checkpointed state back, however large, apart from the log", async () => {
      const entries = (replica: string): Record<string, Buffer> =>
        Object.fromEntries(
          Array.from({ length: 3000 }, (_, index) => [`0:12:${replica}\0ключ ${index}`, text(`${index}`)]),
        );
      for (const replica of ['a', 'b']) {
        const outbox = await ports.outbox(replica);
        await outbox.send({
          removals: [],
          writes: [{ place: 'state', fields: asFields(entries(replica)) }],
          publications: [],
        });
      }
      expect(await fieldsOf(await ports.messageLog('c'))).toEqual({});
      for (const replica of ['a', 'b']) {
        const log = await ports.messageLog(replica);
        expect(await fieldsOf(log)).toEqual(entries(replica));
        expect(await log.readReplica()).toEqual({});
      }
    });

    it('says so when it cannot be read: an unread log is not an empty one', async () => {
      const log = await ports.messageLog('a');
      ports.cut('a');
      await eventually('the cut is felt', () =>
        log.read(1).then(
          () => false,
          () => true,
        ),
      );
      await expect(log.readReplica()).rejects.toThrow();
      await expect(fieldsOf(log)).rejects.toThrow();
    });
  });
}

/** What `EnrolmentBoard` promises. */
export function enrolmentBoardSuite(make: MakePorts): void {
  describe('enrolment board', () => {
    let ports: Ports;

    beforeEach(async () => (ports = await make()));
    afterEach(async () => await ports.close());

    it('keeps the first record of a field', async () => {
      const board = await ports.board();
      expect(await board.post('replica-1', text('first'))).toEqual(text('first'));
      expect(await board.post('replica-1', text('second'))).toEqual(text('first'));
      expect(await board.post('replica-2', text('other'))).toEqual(text('other'));
      expect(await board.records()).toEqual(
        new Map([
          ['replica-1', text('first')],
          ['replica-2', text('other')],
        ]),
      );
    });

    it('keeps one of those that come at once, and tells all of them which', async () => {
      const board = await ports.board();
      const words = Array.from({ length: 20 }, (_, index) => text(String(index)));
      const answers = await Promise.all(words.map((word) => board.post('name', word)));
      const kept = (await board.records()).get('name');
      expect(answers).toEqual(words.map(() => kept));
    });

    it('keeps the first proposal', async () => {
      const board = await ports.board();
      expect(await board.proposal()).toBeUndefined();
      await board.propose(text('first'));
      await board.propose(text('second'));
      expect(await board.proposal()).toEqual({ genesis: text('first'), signatures: new Map() });
    });

    it('holds signatures by name, and none before there is a proposal', async () => {
      const board = await ports.board();
      await board.sign('early', text('signature of early'));
      expect(await board.proposal()).toBeUndefined();
      await board.propose(text('genesis'));
      await board.sign('genesis', text('of one who is called genesis'));
      await board.sign('signature:a', text('nested'));
      expect(await board.proposal()).toEqual({
        genesis: text('genesis'),
        signatures: new Map([
          ['early', text('signature of early')],
          ['genesis', text('of one who is called genesis')],
          ['signature:a', text('nested')],
        ]),
      });
    });

    it('is not read once somebody has filled it', async () => {
      const board = await ports.board();
      const names = Array.from({ length: enrolmentsMax }, (_, index) => `name-${index}`);
      await Promise.all(names.map((name) => board.post(name, text(name))));
      expect((await board.records()).size).toBe(enrolmentsMax);
      await board.post('one more', text('one more'));
      await expect(board.records()).rejects.toMatchObject({ code: 'enrolment-refused' });

      await board.propose(text('genesis'));
      await Promise.all(names.map((name) => board.sign(name, text(name))));
      await expect(board.proposal()).rejects.toMatchObject({ code: 'enrolment-refused' });
    });
  });
}

/** What `Publisher` promises. */
export function publisherSuite(make: MakePorts): void {
  describe('publisher', () => {
    let ports: Ports;

    beforeEach(async () => (ports = await make()));
    afterEach(async () => await ports.close());

    it('publishes to everybody who listens', async () => {
      const { ear } = await listen(ports, 'a', ['request']);
      const publisher = await ports.publisher('b');
      expect(publisher.connected).toBe(true);
      publisher.publish([
        { channel: 'request', payload: text('one') },
        { channel: 'request', payload: text('two') },
      ]);
      await eventually('both are heard', () => ear.heard.length === 2);
      expect(ear.texts).toEqual(['one', 'two']);
    });

    it('loses what it publishes while the bus is out of reach, and throws nothing', async () => {
      const { ear } = await listen(ports, 'a', ['request']);
      const publisher = await ports.publisher('b');
      ports.cut('b');
      await eventually('the cut is felt', () => !publisher.connected);
      publisher.publish([{ channel: 'request', payload: text('lost') }]);
      ports.heal('b');
      await eventually('it is back', () => publisher.connected);
      publisher.publish([{ channel: 'request', payload: text('found') }]);
      await eventually('it is heard again', () => ear.has('found'));
      expect(ear.texts).toEqual(['found']);
    });

    it('is not connected once it is closed', async () => {
      const publisher = await ports.publisher('b');
      await publisher.close();
      expect(publisher.connected).toBe(false);
      publisher.publish([{ channel: 'request', payload: text('lost') }]);
    });
  });
}
