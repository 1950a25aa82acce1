import type { Control } from '../control.js';

/** Signatures, and what clients and new replicas are told (rules 6, 12, 13, 25). */
export const onTheWire: readonly Control[] = [
  {
    name: 'no signature check',
    rule: 6,
    scenario: 'PREPAREs that are passed off as COMMITs',
    edits: [
      {
        file: 'src/wire/pledges.ts',
        find: 'if (!this.verifier.verifyReplica(replicaIndex(signer), message, signature)) return false;',
        replace: 'if (message.length === 0) return false;',
      },
    ],
  },
  {
    name: 'kind missing from the signed bytes',
    rule: 6,
    scenario: 'a BATCH that is passed off as a CHECKPOINT',
    edits: [{ file: 'src/crypto/genesis.ts', find: '.u8(signedKinds[kind]).done()', replace: '.u8(0).done()' }],
  },
  {
    name: 'view missing from the signed bytes',
    rule: 6,
    scenario: 'a PREPARE that is passed off as one of a later view',
    edits: [
      {
        file: 'src/wire/pledges.ts',
        find: 'Buffer.concat([this.preambleOf(giver), body, pledgeOf(opening)])',
        replace: 'Buffer.concat([this.preambleOf(giver), body.subarray(8), pledgeOf(opening)])',
      },
      {
        file: 'src/wire/pledges.ts',
        find: 'Buffer.concat([this.preambleOf(giver), body, pledge])',
        replace: 'Buffer.concat([this.preambleOf(giver), body.subarray(8), pledge])',
      },
    ],
  },
  {
    name: 'state chunks unverified',
    rule: 25,
    scenario: 'a state that is handed out with another value in it',
    edits: [
      {
        file: 'src/replica/state-part-fetch.ts',
        find: 'list.slice(start, start + hashBytes) === hash && (',
        replace: '(start >= 0 || hash === list) && (',
      },
      {
        file: 'src/replica/checkpointed-state.ts',
        find: "invariant(installed.digest === digest, 'a state was installed that is not the one that was verified');",
        replace: '',
      },
    ],
  },
  {
    name: 'reply cache not transferred',
    rule: 12,
    scenario: 'what was executed before a state was fetched',
    edits: [{ file: 'src/pbft/state-transfer.ts', find: 'core.clients.restore(replies);', replace: '' }],
  },
  {
    name: 'reads at one reply',
    rule: 13,
    scenario: 'a read that a replica answers first which is behind',
    edits: [
      {
        file: 'src/client/query-round.ts',
        find: 'if (same.length < q) return false;',
        replace: 'if (same.length > 0 && q > 0) return true;',
      },
    ],
  },
];
