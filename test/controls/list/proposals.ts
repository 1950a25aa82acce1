import type { Control } from '../control.js';

/** What a primary may propose, and what a client may believe (rules 9 to 13). */
export const proposals: readonly Control[] = [
  {
    name: 'signature of bundles unchecked',
    rule: 9,
    scenario: 'a bundle that its gateway never signed',
    edits: [
      {
        file: 'src/replica/batch-book.ts',
        find: 'this.decodeBundle(frame, true)',
        replace: 'this.decodeBundle(frame, false)',
      },
    ],
  },
  {
    name: 'expiry of bundles unchecked',
    rule: 12,
    scenario: 'a proposal with a bundle that has expired',
    edits: [{ file: 'src/pbft/requests.ts', find: "if (!isTimely) return 'expired-request';", replace: '' }],
  },
  {
    name: 'time of batches unchecked',
    rule: 11,
    scenario: 'a proposal at a time that no clock shows',
    edits: [{ file: 'src/pbft/normal-case.ts', find: "if (!isTimely) return 'time-out-of-bounds';", replace: '' }],
  },
  {
    name: 'order of requests unchecked',
    rule: 10,
    scenario: "a proposal with a client's later request first",
    edits: [
      {
        file: 'src/pbft/requests.ts',
        find: "if (!ascends(bundle, newest)) return 'request-out-of-order';\n      if (!this.hasFresh(",
        replace: 'if (!this.hasFresh(',
      },
    ],
  },
  {
    name: 'batch of a proposal unjudged when it comes later',
    rule: 31,
    scenario: 'a bundle that nobody else has, proposed at a time that no clock shows',
    edits: [
      {
        file: 'src/pbft/normal-case.ts',
        find: '  onPhaseMessage(core, proposal);',
        replace:
          "  slot.prePrepare = proposal;\n  core.emit({ kind: 'persist', message: proposal });\n  advance(core, slot);",
      },
    ],
  },
  {
    name: 'batch of a proposal never asked for',
    rule: 31,
    scenario: 'a request that two backups never hear',
    edits: [
      {
        file: 'src/pbft/normal-case.ts',
        find: "core.emit({ kind: 'fetch-batch', sequence: place, digest, from: replica });",
        replace: '',
      },
      {
        file: 'src/pbft/view-change.ts',
        find: 'const { sequence, proposal } of',
        replace: 'const { sequence, prePrepare: proposal } of',
      },
    ],
  },
  {
    name: 'reads at q equal replies',
    rule: 13,
    scenario: 'a read that most answer who are behind',
    edits: [
      {
        file: 'src/client/query-round.ts',
        find: 'return chosen.filter(({ lastExecuted }) => lastExecuted >= floor).length > f;',
        replace: 'return floor >= 0 || f < 0;',
      },
    ],
  },
];
