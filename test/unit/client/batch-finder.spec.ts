import { describe, expect, it } from '@jest/globals';
import { BatchFinder } from '../../../src/client/batch-finder.js';
import { Ed25519Signer, Ed25519Verifier } from '../../../src/crypto/signatures.js';
import { QuorateError } from '../../../src/errors.js';
import { Opener, Sealer } from '../../../src/wire/envelope.js';
import { decodeFrame, gatewaySigner, type Frame } from '../../../src/wire/frame.js';
import { encodeDecided } from '../../../src/wire/service.js';
import { identityNamed, testCluster, testMembership } from '../crypto/support.js';

const membership = testMembership(4);
const { identities } = testCluster(4);
const context = { genesisDigest: membership.digest, epoch: 0, n: 4 };

/** What these replicas say of sequence number 1, which they have executed. */
async function outcomeOf(attachment: Buffer, ...replicas: readonly number[]): Promise<unknown> {
  const finder = new BatchFinder({
    membership,
    credential: { name: 'gateway-1', publicKey: Buffer.alloc(32), enrolment: Buffer.alloc(64) },
    opener: new Opener(context, new Ed25519Verifier(membership)),
    sealer: new Sealer(context, new Ed25519Signer(identityNamed('gateway-1')), gatewaySigner),
    publish: () => undefined,
  });
  const found = finder.find(1, 1_000, () => new QuorateError('no-quorum', 'nobody knows'));
  const outcome = found.catch((error: unknown) => (error as QuorateError).code);
  for (const index of replicas) {
    const sealer = new Sealer(context, new Ed25519Signer(identities[index]!), index);
    const bytes = sealer.seal('decided', encodeDecided({ sequence: 1, lastExecuted: 9 }), attachment);
    finder.onDecided(decodeFrame(bytes, membership.digest) as Frame);
  }
  finder.tick(1_000);
  return await outcome;
}

describe('a batch that is looked for', () => {
  it('is collected when n−f say that their logs no longer go back so far', async () => {
    expect(await outcomeOf(Buffer.alloc(0), 0, 1, 2)).toBe('log-collected');
    expect(await outcomeOf(Buffer.alloc(0), 0, 1)).toBe('no-quorum');
    expect(await outcomeOf(Buffer.alloc(0), 0, 1, 1)).toBe('no-quorum');
  });

  it('is not collected because n−f show what proves nothing', async () => {
    expect(await outcomeOf(Buffer.from('no certificate'), 0, 1, 2)).toBe('no-quorum');
  });
});
