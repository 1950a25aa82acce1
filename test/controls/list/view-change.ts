import type { Control } from '../control.js';

const viewChange = 'src/pbft/view-change.ts';
const certificates = 'src/pbft/certificates.ts';

/** Who leaves a view with what, and how the next one begins (rules 15 to 21). */
export const viewChanges: readonly Control[] = [
  {
    name: 'empty P',
    rule: 15,
    scenario: 'a batch that one replica alone has prepared',
    edits: [
      { file: viewChange, find: 'if (slot.prepared !== undefined) prepared.push(slot.prepared);', replace: '{}' },
    ],
  },
  {
    name: 'certificates in VIEW-CHANGE unverified',
    rule: 16,
    scenario: 'a certificate that nobody has prepared',
    edits: [
      {
        file: certificates,
        find: 'return isInWindow && prePrepare.view < view && isPreparedProven(certificate, configuration);',
        replace: 'return isInWindow && prePrepare.view < view;',
      },
    ],
  },
  {
    name: 'an invalid VIEW-CHANGE masking valid certificates',
    rule: 16,
    scenario: 'a certificate that nobody has prepared',
    edits: [
      {
        file: certificates,
        find: 'return isInWindow && prePrepare.view < view && isPreparedProven(certificate, configuration);',
        replace: 'return isInWindow && prePrepare.view < view;',
      },
      {
        file: certificates,
        find: 'for (const { prePrepare } of viewChanges.flatMap(({ prepared }) => prepared)) {',
        replace: `for (const { prePrepare, prepares } of viewChanges.flatMap(({ prepared }) => prepared)) {
    const isProven = new Set(prepares.map(({ replica }) => replica)).size >= Math.ceil((2 * viewChanges.length) / 3);`,
      },
      {
        file: certificates,
        find: 'best.set(sequence, { view, digest });',
        replace: 'best.set(sequence, { view, digest: isProven ? digest : nullDigest });',
      },
    ],
  },
  {
    name: 'NEW-VIEW unverified',
    rule: 16,
    scenario: 'a new primary that forgets what has prepared, with nothing to show for it',
    edits: [
      {
        file: viewChange,
        find: 'if (!isSoundNewView(message, core.configuration, core.environment.nullBatch.digest)) {',
        replace: 'if (false) {',
      },
    ],
  },
  {
    name: 'NEW-VIEW from too few',
    rule: 16,
    scenario: 'a new primary that asks too few',
    edits: [
      {
        file: certificates,
        find: 'senders.size < configuration.q)',
        replace: 'senders.size < configuration.q - 1)',
      },
    ],
  },
  {
    name: 'O not recomputed',
    rule: 16,
    scenario: 'a new primary that forgets what the VIEW-CHANGEs show',
    edits: [
      { file: certificates, find: 'if (order.length !== prePrepares.length) return false;', replace: '' },
      {
        file: certificates,
        find: 'return due?.sequence === sequence && due.digest === digest && ordered === view && signer === replica;',
        replace: 'return due !== null && ordered === view && signer === replica;',
      },
    ],
  },
  {
    name: 'lowest instead of highest view in O',
    rule: 16,
    scenario: 'two certificates for one sequence number',
    edits: [{ file: certificates, find: 'view > known.view', replace: 'view < known.view' }],
  },
  {
    name: 'first-seen instead of highest view in O',
    rule: 16,
    scenario: 'two certificates for one sequence number',
    edits: [{ file: certificates, find: 'known === undefined || view > known.view', replace: 'known === undefined' }],
  },
  {
    name: 'lowest min-s',
    rule: 16,
    scenario: 'two checkpoints, and a batch above the higher one',
    edits: [
      { file: certificates, find: '(b.sequence > a.sequence ? b : a)', replace: '(b.sequence < a.sequence ? b : a)' },
    ],
  },
  {
    name: 'min-s from the matching subset',
    rule: 16,
    scenario: 'two checkpoints, and a batch above the higher one',
    edits: [
      {
        file: certificates,
        find: 'viewChanges.map((message) => message.stable).reduce((a, b) => (b.sequence > a.sequence ? b : a))',
        replace: `viewChanges.map((message) => message.stable).reduce((a, b, _, all) => {
    const alike = (one: StableCheckpoint) => all.filter(({ sequence }) => sequence === one.sequence).length;
    return alike(b) > alike(a) ? b : a;
  })`,
      },
    ],
  },
  {
    name: 'no null request',
    rule: 16,
    scenario: 'a gap before a prepared batch',
    edits: [
      {
        file: certificates,
        find: 'order.push({ sequence, digest: best.get(sequence)?.digest ?? nullDigest });',
        replace:
          'const due = best.get(sequence)?.digest;\n    if (due !== undefined) order.push({ sequence, digest: due });',
      },
    ],
  },
  {
    name: 'NEW-VIEW taken after a higher VIEW-CHANGE',
    rule: 18,
    scenario: 'a NEW-VIEW that comes after the next view was asked for',
    edits: [
      {
        file: viewChange,
        find: 'message.view > core.view || (message.view === core.view && core.isChangingView)',
        replace: 'message.view > core.view || core.isChangingView',
      },
      {
        file: 'src/pbft/replica.ts',
        find: "if (asked < core.view) return 'old-view';",
        replace: "if (asked < core.view && !core.isChangingView) return 'old-view';",
      },
    ],
  },
  {
    name: 'join on one far-off view',
    rule: 17,
    scenario: 'one replica that asks for a view far off',
    edits: [{ file: viewChange, find: 'above.length > core.configuration.f', replace: 'above.length > 0' }],
  },
  {
    name: 'view modulo n',
    rule: 5,
    scenario: 'more views that fail than there are replicas',
    edits: [
      {
        file: viewChange,
        find: '  core.timers.failures++;\n  startViewChange(core, view(core.view + 1));',
        replace: '  core.timers.failures++;\n  startViewChange(core, view((core.view + 1) % core.configuration.n));',
      },
    ],
  },
  {
    name: 'timer not doubled',
    rule: 19,
    scenario: 'messages that take longer than the timers',
    edits: [
      {
        file: 'src/pbft/timers.ts',
        find: 'return baseTicks * 2 ** Math.min(this.failures, doublingsMax);',
        replace: 'return baseTicks;',
      },
    ],
  },
];
