import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Channel } from '../../src/ports/bus.js';
import { eventually } from '../support/cluster-waiting.js';
import { Ear, listen, text, type MakePorts, type Ports } from './harness.js';

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const large = Buffer.alloc(2 * 1024 * 1024, everyByte);
const cuts = 5;

/** What `Bus` and `Subscription` promise. */
export function busSuite(make: MakePorts): void {
  describe('bus', () => {
    let ports: Ports;

    beforeEach(async () => (ports = await make()));
    afterEach(async () => await ports.close());

    it.each([
      ['every byte', everyByte],
      ['bytes that are no text', Buffer.from('fffe80c0', 'hex')],
      ['nothing', Buffer.alloc(0)],
      ['2 MiB', large],
    ])('delivers %s unchanged', async (_, payload) => {
      const { ear } = await listen(ports, 'a', ['prepare']);
      const publisher = await ports.publisher('b');
      publisher.publish([{ channel: 'prepare', payload }]);
      await eventually('it is heard', () => ear.heard.length > 0);
      expect(ear.heard).toHaveLength(1);
      expect(ear.heard[0]?.channel).toBe('prepare');
      expect(ear.heard[0]?.payload.equals(payload)).toBe(true);
    });

    it('brings what is on its channels and nothing else, each under its name', async () => {
      const channels: readonly Channel[] = ['request', 'status', 'reply:gateway-1'];
      const { ear } = await listen(ports, 'a', channels);
      const publisher = await ports.publisher('b');
      const others: readonly Channel[] = ['commit', 'reply:gateway-2', 'reply:gateway-11'];
      publisher.publish([...others, ...channels].map((channel) => ({ channel, payload: text(channel) })));
      await eventually('all are heard', () => ear.heard.length >= channels.length);
      expect(ear.heard).toEqual(channels.map((channel) => ({ channel, payload: text(channel) })));
    });

    it('keeps the order of what one process publishes, and brings it to everybody', async () => {
      const ears = [await listen(ports, 'a', ['commit']), await listen(ports, 'b', ['commit'])];
      const publisher = await ports.publisher('c');
      const said = Array.from({ length: 200 }, (_, index) => String(index));
      for (const word of said) publisher.publish([{ channel: 'commit', payload: text(word) }]);
      for (const { ear } of ears) {
        await eventually('all are heard', () => ear.heard.length === said.length);
        expect(ear.texts).toEqual(said);
      }
    });

    it('leaves what was heard as it was, whatever comes after it: nobody copies it', async () => {
      const { ear } = await listen(ports, 'a', ['prepare']);
      const publisher = await ports.publisher('b');
      const said = ['first', 'other', large.toString('latin1'), 'after'];
      for (const [index, word] of said.entries()) {
        publisher.publish([{ channel: 'prepare', payload: Buffer.from(word, 'latin1') }]);
        await eventually('it is heard', () => ear.heard.length === index + 1);
      }
      const isAsSaid = ear.heard.map(({ payload }, index) => payload.toString('latin1') === said[index]);
      expect(isAsSaid).toEqual(said.map(() => true));
    });

    it('stands when it is made, and says so once', async () => {
      const { ear, subscription } = await listen(ports, 'a', ['commit']);
      expect(subscription.connected).toBe(true);
      expect([ear.connections, ear.disconnections]).toEqual([1, 0]);
    });

    it('subscribes again by itself whenever the connection is lost, and says so', async () => {
      const { ear, subscription } = await listen(ports, 'a', ['commit', 'status']);
      const publisher = await ports.publisher('b');
      for (let cut = 1; cut <= cuts; cut++) {
        await ports.dropSubscribers();
        await eventually('the loss is told', () => ear.disconnections === cut);
        await eventually('the return is told', () => ear.connections === cut + 1);
        expect(subscription.connected).toBe(true);
        publisher.publish([{ channel: 'status', payload: text(`after ${cut}`) }]);
        await eventually('it hears again', () => ear.has(`after ${cut}`));
      }
      expect([ear.connections, ear.disconnections]).toEqual([cuts + 1, cuts]);
    });

    it('says that it does not stand for as long as it does not', async () => {
      const { ear, subscription } = await listen(ports, 'a', ['commit']);
      ports.cut('a');
      await eventually('the loss is told', () => ear.disconnections === 1);
      expect(subscription.connected).toBe(false);
      ports.heal('a');
      await eventually('the return is told', () => ear.connections === 2);
      expect(subscription.connected).toBe(true);
    });

    it('brings nothing once it is closed, and never comes back', async () => {
      const { ear, subscription } = await listen(ports, 'a', ['commit']);
      const other = await listen(ports, 'b', ['commit']);
      const publisher = await ports.publisher('c');
      await subscription.close();
      expect(subscription.connected).toBe(false);
      publisher.publish([{ channel: 'commit', payload: text('unheard') }]);
      await eventually('somebody else hears it', () => other.ear.has('unheard'));
      await ports.dropSubscribers();
      await eventually('somebody else is back', () => other.ear.connections === 2);
      expect(ear.heard).toEqual([]);
      expect([ear.connections, ear.disconnections]).toEqual([1, 0]);
    });

    it('cannot be made while the bus is out of reach', async () => {
      ports.cut('a');
      await expect(ports.bus('a').subscribe(['commit'], new Ear())).rejects.toMatchObject({ code: 'bus-unavailable' });
    });
  });
}
