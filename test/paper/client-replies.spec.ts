import { describe, expect, it } from '@jest/globals';
import type { Reply } from '../../src/crypto/receipt.js';
import { Submission, type ReplicaReply } from '../../src/client/submission.js';
import { QuorateError } from '../../src/errors.js';
import { digest, sequence, view } from '../../src/pbft/types.js';
import { canonicalJsonBytes } from '../../src/wire/json.js';
import { genuine, type Genuine } from '../vectors/genuine.js';

/** What replica `replica` replies to the genuine request; signatures are verified before a reply is counted. */
function replyOf(replica: number, { said, proven }: Genuine, changes: Partial<ReplicaReply> = {}): ReplicaReply {
  return { replica, signature: `signature of ${replica}`, statement: said, reply: proven, ...changes };
}

function submission({ membership, proven, operation }: Genuine, asked: unknown = operation): Submission {
  const item = proven.executed;
  return new Submission(item.client, item.timestamp, canonicalJsonBytes(asked as never), 0, 1000, membership);
}

async function outcome(submitted: Submission): Promise<Reply | QuorateError | 'none yet'> {
  const settled = submitted.promise.catch((error: unknown) => error as QuorateError);
  return await Promise.race([
    settled,
    Promise.resolve()
      .then(() => Promise.resolve())
      .then(() => 'none yet' as const),
  ]);
}

/** "The client waits for f+1 replies with valid signatures from different replicas, and with the same t and r" (OSDI §4.1). */
describe('a result (OSDI §4.1)', () => {
  it.each([
    { n: 4, f: 1 },
    { n: 6, f: 1 },
    { n: 7, f: 2 },
    { n: 10, f: 3 },
  ])('is accepted on $f + 1 equal replies of $n replicas, not on fewer', async ({ n, f }) => {
    const told = genuine({ n, size: 3, index: 1 });
    const submitted = submission(told);
    for (let replica = 0; replica < f; replica++) submitted.add(replyOf(replica, told));
    expect(await outcome(submitted)).toBe('none yet');
    submitted.add(replyOf(f, told));
    expect(await outcome(submitted)).toMatchObject({ result: { ok: true }, sequence: 42, view: 3 });
    expect(submitted.repliers).toHaveLength(f + 1);
  });

  it('takes each replica once: its first reply counts', async () => {
    const told = genuine({ n: 4, size: 3, index: 1 });
    const submitted = submission(told);
    const liar = replyOf(0, told, { statement: { ...told.said, root: digest('bb'.repeat(32)) } });
    submitted.add(liar);
    submitted.add(liar);
    submitted.add(replyOf(0, told));
    submitted.add(replyOf(1, told));
    expect(await outcome(submitted)).toBe('none yet');
    submitted.add(replyOf(2, told));
    const reply = (await outcome(submitted)) as Reply;
    expect(reply.receipt.signatures.map(({ replica }) => replica)).toEqual(expect.not.arrayContaining(['replica-1']));
    expect(reply.receipt.signatures).toHaveLength(2);
  });

  it.each([
    { what: 'view', change: ({ said }: Genuine) => ({ statement: { ...said, view: view(4) } }) },
    { what: 'place in the order', change: ({ said }: Genuine) => ({ statement: { ...said, sequence: sequence(43) } }) },
    {
      what: 'batch of replies',
      change: ({ said }: Genuine) => ({ statement: { ...said, root: digest('cc'.repeat(32)) } }),
    },
    {
      what: 'place in the batch',
      change: ({ proven }: Genuine) => ({ reply: { ...proven, executed: { ...proven.executed, index: 0 } } }),
    },
  ])('takes no reply with another $what for an equal one', async ({ change }) => {
    const told = genuine({ n: 4, size: 3, index: 1 });
    const submitted = submission(told);
    submitted.add(replyOf(0, told));
    submitted.add(replyOf(1, told, change(told)));
    expect(await outcome(submitted)).toBe('none yet');
  });

  it('of another operation under the same name is told apart', async () => {
    const told = genuine({ n: 4, size: 3, index: 1 });
    const submitted = submission(told, { op: 'get', key: 'another' });
    submitted.add(replyOf(0, told));
    submitted.add(replyOf(1, told));
    expect(await outcome(submitted)).toMatchObject({ code: 'idempotency-conflict' });
  });

  it('that is given up stays given up', async () => {
    const told = genuine({ n: 4, size: 3, index: 1 });
    const submitted = submission(told);
    submitted.fail(new QuorateError('no-quorum', 'nobody there'));
    submitted.add(replyOf(0, told));
    submitted.add(replyOf(1, told));
    expect(await outcome(submitted)).toMatchObject({ code: 'no-quorum' });
    expect(submitted.isSettled).toBe(true);
  });
});
