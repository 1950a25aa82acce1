import type { Control } from '../control.js';

/** Checkpoints, the log, and what is left after a crash (rules 23 to 28). */
export const recovery: readonly Control[] = [
  {
    name: 'no persist',
    rule: 27,
    scenario: 'one request',
    edits: [
      {
        file: 'src/pbft/core.ts',
        find: 'if (this.isRestoring && outward.has(effect.kind)) return;',
        replace: "if ((this.isRestoring && outward.has(effect.kind)) || effect.kind === 'persist') return;",
      },
    ],
  },
  {
    name: 'persist after send',
    rule: 27,
    scenario: 'one request',
    edits: [
      {
        file: 'src/pbft/normal-case.ts',
        find: "core.emit({ kind: 'persist', message });\n  core.emit({ kind: 'broadcast', message });",
        replace: "core.emit({ kind: 'broadcast', message });\n  core.emit({ kind: 'persist', message });",
      },
    ],
  },
  {
    name: 'own vote lost on restart and then changed',
    rule: 28,
    scenario: 'another proposal after a restart',
    edits: [
      {
        file: 'src/replica/restore.ts',
        find: "for (const promise of promises.read()) host.step({ kind: 'promise', promise });",
        replace: '',
      },
      { file: 'src/replica/restore.ts', find: '    restoreVotes(options, entry);', replace: '    void entry;' },
    ],
  },
  {
    name: 'vote in an earlier view after a restart',
    rule: 28,
    scenario: 'a proposal in an earlier view, after a restart',
    edits: [
      {
        file: 'src/pbft/promises.ts',
        find: 'if (this.hasSpokenLater(view, place)) return false;',
        replace: '',
      },
      {
        file: 'src/pbft/normal-case.ts',
        find: 'if (slot.prepared !== undefined && slot.prepared.prePrepare.view > prePrepare.view) return;',
        replace: '',
      },
    ],
  },
  {
    name: 'weak checkpoint quorum',
    rule: 23,
    scenario: 'a checkpoint that too few vouch for',
    edits: [
      {
        file: 'src/pbft/checkpointing.ts',
        find: 'core.checkpoints.quorum(place, core.configuration.q)',
        replace: 'core.checkpoints.quorum(place, core.configuration.f + 1)',
      },
      {
        file: 'src/pbft/certificates.ts',
        find: 'return isSame && signers.size === proof.length && signers.size >= q;',
        replace: 'return isSame && signers.size === proof.length && signers.size >= 2;',
      },
    ],
  },
  {
    name: 'checkpoint digest ignored',
    rule: 23,
    scenario: 'a checkpoint that one vouches for with another state',
    edits: [
      {
        file: 'src/pbft/checkpoints.ts',
        find: 'other.digest === digest)).find(({ length }) => length >= q)',
        replace: 'other.digest !== undefined || digest !== undefined)).find(({ length }) => length >= q)',
      },
      {
        file: 'src/pbft/certificates.ts',
        find: 'checkpoint.sequence === sequence && checkpoint.digest === digest',
        replace: 'checkpoint.sequence === sequence && checkpoint.digest !== undefined && digest !== undefined',
      },
    ],
  },
  {
    name: 'collected too early',
    rule: 23,
    scenario: 'a checkpoint that nobody has heard of',
    edits: [
      {
        file: 'src/pbft/checkpointing.ts',
        find: 'if (!core.isCorrupt) sayCheckpoint(core, place, digest);',
        replace: 'if (!core.isCorrupt) sayCheckpoint(core, place, digest);\n  core.log.dropUpTo(place);',
      },
    ],
  },
  {
    name: 'amnesiac votes at once',
    rule: 28,
    scenario: 'a log that is lost after a COMMIT',
    edits: [
      {
        file: 'src/pbft/core.ts',
        find: 'return this.unproven.size > 0 || this.stable.sequence < this.settled;',
        replace: 'return false;',
      },
      {
        file: 'src/pbft/normal-case.ts',
        find: 'return place > core.settled && core.promises.allow(kind, view, place, digest);',
        replace: 'return true;',
      },
    ],
  },
];
