import type { Control } from '../control.js';

const restoring = 'src/pbft/restoring.ts';
const vouched = 'return hasPrepared || core.promises.vouchesFor(said, place, digest);';

/** Mistakes that were there, until readers found them. */
export const readersFound: readonly Control[] = [
  {
    name: 'O binds within the window only',
    rule: 16,
    scenario: 'a NEW-VIEW that orders beyond the window of two',
    edits: [
      {
        file: 'src/pbft/normal-case.ts',
        find: "if (message.sequence <= core.orderedUpTo) return 'ordered-by-new-view';",
        replace: '',
      },
    ],
  },
  {
    name: 'an empty O binds nothing',
    rule: 16,
    scenario: 'a view that begins above a checkpoint which two have not heard of',
    edits: [
      {
        file: 'src/pbft/view-change.ts',
        find: 'return order.at(-1)?.sequence ?? stable.sequence;',
        replace: 'return order.at(-1)?.sequence ?? (0 as SequenceNumber);',
      },
    ],
  },
  {
    name: 'logged PRE-PREPARE unjudged',
    rule: 30,
    scenario: 'a proposal that the view does not order, put into two logs',
    edits: [{ file: restoring, find: vouched, replace: 'return true;' }],
  },
  {
    name: 'logged PRE-PREPARE unjudged behind our last vote',
    rule: 30,
    scenario: 'a proposal at a time far off, put into two logs',
    edits: [
      { file: restoring, find: vouched, replace: "return hasPrepared || place > core.promises.last('prepare', said);" },
    ],
  },
  {
    name: 'answers to another question',
    rule: 13,
    scenario: 'a read under the nonce of which another gateway asks something else',
    edits: [
      {
        file: 'src/client/bus-client.ts',
        find: 'if (asked?.question !== reply.question || !this.opener.verify(frame)) return;',
        replace: 'if (asked === undefined || !this.opener.verify(frame)) return;',
      },
    ],
  },
];
