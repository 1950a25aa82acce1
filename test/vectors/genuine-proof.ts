import { stateProofOf } from '../../src/client/proof-finder.js';
import { sign } from '../../src/crypto/ed25519.js';
import { preamble } from '../../src/crypto/genesis.js';
import type { StateProof } from '../../src/crypto/state-proof.js';
import type { Checkpoint } from '../../src/pbft/messages.js';
import { replicaIndex, sequence } from '../../src/pbft/types.js';
import { proveKey } from '../../src/replica/state-prover.js';
import { bucketOf } from '../../src/state-machine/hash-tree.js';
import { decodeProofParts } from '../../src/wire/state-proof.js';
import { encodeCheckpoint } from '../../src/wire/views.js';
import type { Holding } from '../support/state-transfer.js';
import { testCluster, testMembership } from '../unit/crypto/support.js';

/** The first keys of this form, by their numbers, that lie in the place of the state's tree where `like` lies. */
export function keysInPlaceOf(like: string, form: (index: number) => string, count: number): string[] {
  const keys: string[] = [];
  const place = bucketOf(like);
  for (let index = 0; keys.length < count; index++) {
    if (bucketOf(form(index)) === place) keys.push(form(index));
  }
  return keys;
}

/** What these of `n` replicas would hand out for a key of the state at 128, which is frozen there unless it was before. */
export function genuineProof(n: number, state: Holding, key: string, signers: readonly number[]): StateProof {
  const { identities } = testCluster(n);
  const membership = testMembership(n);
  const { digest } = state.state.snapshotAt(128) ?? state.freeze(128);
  const checkpoint = { sequence: sequence(128), digest };
  const bytes = Buffer.concat([preamble(membership.digest, 0, 'checkpoint'), encodeCheckpoint(checkpoint)]);
  const signatures = signers.map((signer) => ({ signer, signature: sign(identities[signer]!.privateKey, bytes) }));
  const proof = signers.map((signer): Checkpoint => {
    return { kind: 'checkpoint', ...checkpoint, replica: replicaIndex(signer) };
  });
  return stateProofOf(key, decodeProofParts(proveKey(state.state, proof, signatures, key)!), membership);
}
