import { ScriptedCluster } from '../../src/simulator/scripted-cluster.js';
import { spellOut } from './state-transfer-lines.js';

/** What is said in one of the papers' figures, for people to read. */
export interface Conversation {
  /** Its file, without the ending. */
  readonly name: string;
  /** What one sees, and where the papers show it. */
  readonly heading: string;
  readonly play: () => Promise<ScriptedCluster>;
}

const increment = { op: 'increment', key: 'key', by: 1 };

/** Ends what is said in one place, so that the next thing stands apart. */
function remark(cluster: ScriptedCluster, text: string): void {
  cluster.trace.push('');
  cluster.note(text);
}

async function normalCase(): Promise<ScriptedCluster> {
  const cluster = await ScriptedCluster.start();
  cluster.kill(3);
  remark(
    cluster,
    'A client asks: its gateway tells everybody. replica-1 is the primary of view 0 and gives the batch number 1.',
  );
  await cluster.submit(increment);
  remark(cluster, 'The gateway has f+1 = 2 equal replies of different replicas, and answers its client.');
  return cluster;
}

async function viewChange(): Promise<ScriptedCluster> {
  const cluster = await ScriptedCluster.start();
  cluster.note('Messages get lost: all PREPAREs but those to replica-3, and all COMMITs.');
  const heal = cluster.lose(({ frame, to }) => {
    return frame.kind === 'commit' || (frame.kind === 'prepare' && to !== 'replica-3');
  });
  const request = cluster.send(increment);
  await cluster.until('prepared at replica-3', () => cluster.core(2).lastPrepared === 1);
  await cluster.runFor(10);
  remark(cluster, 'replica-3 alone has prepared the batch. It cannot know whether somebody has executed it.');
  cluster.kill(0);
  heal();
  await cluster.until(
    'somebody asks for view 1',
    () => cluster.core(1).isChangingView || cluster.core(3).isChangingView,
  );
  remark(cluster, 'The request was not executed in time: each asks for view 1 and shows what it has prepared.');
  await cluster.until('view 1 begins', () => cluster.core(1).view === 1 && !cluster.core(1).isChangingView);
  remark(
    cluster,
    'replica-2, the primary of view 1, has q = 3 of them. One shows the batch: it is ordered again, under its old digest.',
  );
  await cluster.outcome(request);
  await cluster.runFor(10);
  return cluster;
}

async function stateTransfer(): Promise<ScriptedCluster> {
  const cluster = await ScriptedCluster.start({ checkpointInterval: 4, logSize: 8 });
  spellOut(cluster);
  cluster.kill(3);
  for (let count = 0; count < 11; count++) await cluster.submit(increment);
  cluster.trace.splice(1);
  cluster.note('11 requests are executed without it, as in normal-case.txt. The twelfth completes a checkpoint:');
  await cluster.submit(increment);
  remark(cluster, "What lay below the checkpoint is no longer in anybody's memory.");
  await cluster.revive(3);
  await cluster.until('it has the state', () => cluster.core(3).lastExecuted === 12);
  remark(cluster, 'replica-4 has the state of checkpoint 12, every piece of which it has verified, and takes part:');
  await cluster.submit(increment);
  return cluster;
}

export const conversations: readonly Conversation[] = [
  {
    name: 'normal-case',
    heading: `The normal case with one replica down (OSDI '99, figure 1)

Four replicas, of which f = 1 may be faulty; replica-4 says nothing. Three phases: PRE-PREPARE gives the batch a number,
PREPAREs of the backups show that no other batch has that number in this view, COMMITs that enough replicas know this.`,
    play: normalCase,
  },
  {
    name: 'view-change',
    heading: `A view change with a request that has prepared (OSDI '99, section 4.4)

The primary dies while one replica alone has prepared a batch. The next primary must order the same batch under the same
number, since somebody might have executed it; that one VIEW-CHANGE in a quorum shows it is enough.`,
    play: viewChange,
  },
  {
    name: 'state-transfer',
    heading: `A replica that was away fetches the state (TOCS 2002, section 5.3)

K = 4: a checkpoint every four sequence numbers, and L = 8. replica-4 is down until the others have moved on to checkpoint
12. The state has two parts, the service's (0) and the replies (1). Each is a tree of hashes over buckets of items, so that
each piece is verified on arrival, whoever it comes from, and what is equal is not fetched.`,
    play: stateTransfer,
  },
];

const legend = `Each line: virtual milliseconds, who says something → who hears it: what. Votes are named VIEW/NUMBER and the beginning
of their batch's digest; what was not signed by who says it has its signer behind it.`;

/** The file's whole text. */
export async function textOf({ heading, play }: Conversation): Promise<string> {
  const cluster = await play();
  if (cluster.violation !== undefined) throw new Error(cluster.violation.what);
  return `${[heading, '', legend, '', ...cluster.trace.map(plain)].join('\n').trimEnd()}\n`;
}

/** Without the signer's index where it says the same as the speaker's name. */
function plain(line: string): string {
  const [, speaker, , signer] = /replica-(\d+) → (.*) by (\d+)/.exec(line) ?? [];
  if (signer === undefined) return line;
  const isOwn = Number(speaker) === Number(signer) + 1;
  return line.replace(/ by \d+/, isOwn ? '' : ` (signed by replica-${Number(signer) + 1})`);
}
