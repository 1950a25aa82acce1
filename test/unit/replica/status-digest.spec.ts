import { expect, it } from '@jest/globals';
import { MemoryBus } from '../../../src/memory/memory-bus.js';
import { decodeFrame, splitPacket } from '../../../src/wire/frame.js';
import { decodeStatus, type Status } from '../../../src/wire/service.js';
import { makeCluster } from '../../support/cluster.js';

it('a status tells the digest of the state, unless many of its keys have changed and more are being changed', async () => {
  const cluster = await makeCluster({ checkpointInterval: 128, logSize: 256 });
  const told: Status[] = [];
  await new MemoryBus(cluster.broker, 'eavesdropper').subscribe(['status'], {
    onPayload: (_, payload) => {
      for (const bytes of splitPacket(payload) as Buffer[]) {
        const frame = decodeFrame(bytes, cluster.founders.membership.digest);
        if (typeof frame !== 'string' && frame.signer === 0) told.push(decodeStatus(frame.body));
      }
    },
    onConnected: () => undefined,
    onDisconnected: () => undefined,
  });
  const { node, service } = cluster.life(0);
  const announced = async (): Promise<Status | undefined> => {
    told.length = 0;
    node.probe();
    await cluster.drain();
    return told.at(-1);
  };
  await announced();

  await cluster.write(130); // a checkpoint, which computes the digest, comes every 128
  expect(await announced()).toMatchObject({ lastExecuted: 130, stateDigest: service.stateDigest() });
  for (let key = 0; key < 65; key++) await cluster.write(1, `key ${key}`);
  expect(await announced()).toMatchObject({ lastExecuted: 195, stateDigest: undefined });
  expect(await announced()).toMatchObject({ lastExecuted: 195, stateDigest: service.stateDigest() });
  await cluster.write(1);
  expect(await announced()).toMatchObject({ lastExecuted: 196, stateDigest: service.stateDigest() });
});
