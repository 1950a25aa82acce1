import type { Control } from '../control.js';

const signedPart = `kind === 'pre-prepare' || kind === 'prepare' || kind === 'commit' ? said.subarray(8) : said`;

/** Signatures, and what clients and new replicas are told (rules 6, 12, 13, 25). */
export const onTheWire: readonly Control[] = [
  {
    name: 'no signature check',
    rule: 6,
    scenario: 'PREPAREs that are passed off as COMMITs',
    edits: [
      {
        file: 'src/wire/envelope.ts',
        find: 'if (signer !== gatewaySigner) return this.verifier.verifyReplica(replicaIndex(signer), message, signature);',
        replace: 'if (signer !== gatewaySigner) return true;',
      },
    ],
  },
  {
    name: 'kind missing from the signed bytes',
    rule: 6,
    scenario: 'PREPAREs that are passed off as COMMITs',
    edits: [{ file: 'src/crypto/genesis.ts', find: '.u8(signedKinds[kind]).done()', replace: '.u8(0).done()' }],
  },
  {
    name: 'view missing from the signed bytes',
    rule: 6,
    scenario: 'a PREPARE that is passed off as one of a later view',
    edits: [
      {
        file: 'src/wire/envelope.ts',
        find: 'return Buffer.concat([bytes, said], bytes.length + said.length);',
        replace: `return Buffer.concat([bytes, ${signedPart}]);`,
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
