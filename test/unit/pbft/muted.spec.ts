import { describe, expect, it } from '@jest/globals';
import { sha256 } from '../../../src/crypto/digest.js';
import { Configuration } from '../../../src/pbft/configuration.js';
import { Replica } from '../../../src/pbft/replica.js';
import { digest, replicaIndex, sequence, view } from '../../../src/pbft/types.js';
import { nullBatch } from '../../../src/replica/batch-book.js';

const zeros = digest('0'.repeat(64));

describe('a replica that promised to ask for a view and died before anybody heard it', () => {
  it('asks for the next one when it is back, and so waits for nobody for ever', () => {
    const configuration = new Configuration({
      n: 4,
      self: replicaIndex(2),
      checkpointInterval: 8,
      logSize: 16,
      batchSize: 4,
      instancesInFlightMax: 4,
      resendTicks: 4,
      requestTimeoutTicks: 8,
      viewChangeTimeoutTicks: 16,
    });
    const replica = new Replica(configuration, {
      application: {
        execute: () => ({
          result: Buffer.of(),
          resultDigest: sha256(Buffer.of()),
          operationDigest: sha256(Buffer.of()),
        }),
        afterBatch: () => undefined,
        checkpoint: () => zeros,
      },
      nullBatch,
      digestOfBatch: () => zeros,
      proveReplies: () => ({ root: zeros, path: () => new Uint8Array() }),
    });
    replica.step({
      kind: 'promise',
      promise: { kind: 'view-change', view: view(6), sequence: sequence(0), digest: zeros },
    });
    const effects = replica.step({ kind: 'tick', now: 1_700_000_000_000, isConnected: true });
    const asked = effects.flatMap((effect) => (effect.kind === 'broadcast' ? [effect.message] : []));
    expect(asked).toMatchObject([{ kind: 'view-change', view: 7, replica: 2 }]);
  });
});
