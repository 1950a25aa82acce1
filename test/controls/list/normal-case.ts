import type { Control } from '../control.js';

/** The three phases, and what they rest on (rules 2 to 10). */
export const normalCase: readonly Control[] = [
  {
    name: 'q−1 prepares',
    rule: 2,
    scenario: 'a primary that votes for what it has proposed',
    edits: [
      {
        file: 'src/pbft/slot.ts',
        find: 'votesFor(this.prepares, this.prePrepare.digest).length >= q - 1',
        replace: 'votesFor(this.prepares, this.prePrepare.digest).length >= q - 2',
      },
      { file: 'src/pbft/certificates.ts', find: 'signers.size < q - 1', replace: 'signers.size < q - 2' },
    ],
  },
  {
    name: 'q−1 commits',
    rule: 3,
    scenario: 'a batch that one too few have committed',
    edits: [
      {
        file: 'src/pbft/slot.ts',
        find: 'votesFor(this.commits, this.prePrepare.digest).length >= q;',
        replace: 'votesFor(this.commits, this.prePrepare.digest).length >= q - 1;',
      },
    ],
  },
  {
    name: 'digest unchecked in pre-prepare',
    rule: 10,
    scenario: 'a batch that is not what its PRE-PREPARE says',
    edits: [
      {
        file: 'src/pbft/normal-case.ts',
        find: "if (digest !== batch.digest) return 'digest-mismatch';",
        replace: '',
      },
      {
        file: 'src/replica/batch-book.ts',
        find: 'if (digestOfBatchBytes(encodeBatch(proposal.view, proposal.time, frames)) !== agreed)',
        replace: 'if (false)',
      },
    ],
  },
  {
    name: 'digest unchecked in votes',
    rule: 2,
    scenario: 'a primary that votes for what it has proposed',
    edits: [
      {
        file: 'src/pbft/slot.ts',
        find: '[...votes.values()].filter((vote) => vote.digest === digest)',
        replace: '[...votes.values()]',
      },
    ],
  },
  {
    name: 'PREPARE taken from the primary',
    rule: 2,
    scenario: 'a primary that votes for what it has proposed',
    edits: [
      {
        file: 'src/pbft/normal-case.ts',
        find: "if (kind === 'prepare' && replica === core.primary) return 'vote-from-primary';",
        replace: '',
      },
      { file: 'src/pbft/certificates.ts', find: 'signers.has(primary) || ', replace: '' },
    ],
  },
  {
    name: 'pre-prepare from a backup',
    rule: 2,
    scenario: 'a proposal of a backup',
    edits: [
      {
        file: 'src/pbft/normal-case.ts',
        find: "if (kind === 'pre-prepare' && replica !== core.primary) return 'not-primary';",
        replace: '',
      },
      {
        file: 'src/pbft/certificates.ts',
        find: 'if (primary !== primaryOf(view, n)) return false;\n  const signers',
        replace: 'const signers',
      },
    ],
  },
  {
    name: 'pre-prepare overwritten',
    rule: 4,
    scenario: 'a second proposal for one sequence number',
    edits: [
      {
        file: 'src/pbft/normal-case.ts',
        find: 'const first = slot.proposal;\n  if (first !== undefined) {',
        replace:
          'const first = slot.prePrepare;\n  if (first !== undefined && first.digest !== message.digest) slot.enterView();\n  else if (first !== undefined) {',
      },
      {
        file: 'src/pbft/normal-case.ts',
        find: 'return place > core.settled && core.promises.allow(kind, view, place, digest);',
        replace: 'return true;',
      },
    ],
  },
  {
    name: 'commit without prepared',
    rule: 3,
    scenario: 'a primary that votes for what it has proposed',
    edits: [
      { file: 'src/pbft/normal-case.ts', find: 'if (!slot.isPrepared(q)) return;', replace: '' },
      {
        file: 'src/pbft/slot.ts',
        find: 'if (this.prePrepare === undefined || !this.isPrepared(q)) return false;',
        replace: 'if (this.prePrepare === undefined) return false;',
      },
    ],
  },
  {
    name: 'votes counted by message and not by signer',
    rule: 4,
    scenario: 'a COMMIT that is said twice',
    edits: [
      {
        file: 'src/pbft/normal-case.ts',
        find: 'const first = votes.get(vote.replica);',
        replace: 'const first = votes.get(-1 as V["replica"]);',
      },
      {
        file: 'src/pbft/normal-case.ts',
        find: 'votes.set(vote.replica, vote);',
        replace: 'votes.set((votes.size + 1000) as V["replica"], vote);',
      },
      {
        file: 'src/pbft/replica.ts',
        find: "return first?.digest === header.digest ? 'duplicate' : undefined;",
        replace: 'return undefined;',
      },
    ],
  },
  {
    name: 'high water mark unchecked',
    rule: 23,
    scenario: 'votes for sequence numbers far off',
    edits: [
      {
        file: 'src/pbft/normal-case.ts',
        find: "if (place > core.highWaterMark) return 'outside-window';",
        replace: '',
      },
    ],
  },
  {
    name: 'no dedup',
    rule: 12,
    scenario: 'a request that two gateways have sent',
    edits: [
      {
        file: 'src/pbft/execution.ts',
        find: "if (now === undefined && core.clients.standing(request) === 'fresh') {",
        replace: 'if (now === undefined) {',
      },
    ],
  },
  {
    name: 'last-timestamp dedup',
    rule: 12,
    scenario: 'a later request of a client that is ordered first',
    edits: [
      {
        file: 'src/pbft/client-table.ts',
        find: 'timestamp <= this.header.forgotten',
        replace: 'timestamp <= this.newest',
      },
    ],
  },
  {
    name: 'execution out of order',
    rule: 3,
    scenario: 'a batch that is committed before the one below it',
    edits: [
      {
        file: 'src/pbft/execution.ts',
        find: 'const slot = core.log.get(next);\n    if (slot?.committed === undefined) return;\n    execute(core, next, slot.committed);',
        replace:
          'const slot = [...core.log.values()].find((one) => one.sequence >= next && one.committed !== undefined);\n    if (slot?.committed === undefined) return;\n    execute(core, slot.sequence, slot.committed);',
      },
    ],
  },
];
