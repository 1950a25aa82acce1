import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { verifyStateProof } from '../../../src/crypto/state-proof.js';
import { joinPacket, splitPacket } from '../../../src/wire/frame.js';
import { makeCluster, type MemoryCluster } from '../../support/cluster.js';

/** K = 8: see test/support/cluster.ts. */
const checkpointInterval = 8;

describe('what a client wants proven of the state', () => {
  let cluster: MemoryCluster;

  beforeEach(async () => {
    cluster = await makeCluster();
  });

  afterEach(() => {
    expect(cluster.violations).toEqual([]);
  });

  /** The client's answer, while time passes. */
  async function proven(key: string) {
    const answer = cluster.client.prove(key, 5_000);
    let isSettled = false;
    const settle = (): void => void (isSettled = true);
    answer.then(settle, settle);
    await cluster.until('it is answered', () => isSettled);
    return await answer;
  }

  it('is so at the last stable checkpoint, whichever replica is asked', async () => {
    await cluster.submit({ op: 'put', key: 'k', value: [1] });
    await cluster.write(2 * checkpointInterval);
    for (let count = 0; count < cluster.seats.length; count++) {
      const found = await proven('k');
      expect(found).toMatchObject({ key: 'k', found: true, value: [1], checkpoint: { sequence: 16 } });
      expect(verifyStateProof(found, cluster.founders.membership).valid).toBe(true);
    }
    const absent = await proven('nothing');
    expect(verifyStateProof(absent, cluster.founders.membership)).toMatchObject({ valid: true });
    expect(absent?.found).toBe(false);
  });

  it('is not known before the first checkpoint', async () => {
    await cluster.write(1);
    expect(await proven('k')).toBeUndefined();
  });

  it('is asked of another replica when one lies or is silent', async () => {
    await cluster.submit({ op: 'put', key: 'k', value: 'truth' });
    await cluster.write(checkpointInterval);
    await cluster.crash(2);
    cluster.broker.tamper = (message) => {
      const isLie = message.from === 'replica-2' && message.channel === 'reply:gateway-1';
      if (!isLie) return [message];
      const frames = (splitPacket(message.payload) as Buffer[]).map((frame) => {
        const altered = Buffer.from(frame);
        const at = altered.indexOf('truth');
        if (at >= 0) altered.write('a lie', at);
        return altered;
      });
      return [{ ...message, payload: joinPacket(frames) }];
    };
    for (let count = 0; count < 4; count++) expect((await proven('k'))?.value).toBe('truth');
  });

  it('is refused for what is no key', async () => {
    expect(() => cluster.client.prove('x'.repeat(1025))).toThrow('a key is');
  });
});
