import type { ReplicaStatus } from '../../src/client/cluster-client.js';

/** Whether all answer, vote, and have executed the same, at least up to `sequence`, to the same effect. */
export function areInAgreement(replicas: readonly ReplicaStatus[], sequence = 0): boolean {
  const [first] = replicas;
  return replicas.every(
    ({ connected, voting, lastExecuted, stateDigest }) =>
      connected &&
      voting === true &&
      stateDigest !== null &&
      (lastExecuted ?? 0) >= sequence &&
      lastExecuted === first?.lastExecuted &&
      stateDigest === first.stateDigest,
  );
}
