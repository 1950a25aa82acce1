import { describe, expect, it } from '@jest/globals';
import { Submission, type ReplicaReply } from '../../../src/client/submission.js';
import type { Reply } from '../../../src/crypto/receipt.js';
import { QuorateError } from '../../../src/errors.js';
import { settled } from '../../support/cluster-waiting.js';
import { testMembership } from '../crypto/support.js';
import { operation, replyOf } from './support.js';

function submit(replies: readonly ReplicaReply[], n = 4): Submission {
  const submission = new Submission('gateway-1', 1, operation, 0, 1000, testMembership(n));
  submission.promise.catch(() => undefined);
  for (const reply of replies) submission.add(reply);
  return submission;
}

async function outcome({ promise }: Submission): Promise<Reply | string> {
  const answer = promise.catch((error: unknown) => (error as QuorateError).code);
  return await Promise.race([answer, settled().then(() => 'none yet')]);
}

describe('a submission', () => {
  it.each([
    [4, 1],
    [6, 1],
    [7, 2],
    [10, 3],
  ])('of %i replicas needs equal replies of %i + 1', async (n, f) => {
    const replies = Array.from({ length: f + 1 }, (_, replica) => replyOf(replica));
    expect(await outcome(submit(replies.slice(1), n))).toBe('none yet');
    expect(await outcome(submit(replies, n))).toMatchObject({ result: { ok: true }, view: 0, sequence: 1 });
  });

  it('counts the first reply of each replica, and no other of it', async () => {
    expect(await outcome(submit([replyOf(0), replyOf(0)]))).toBe('none yet');
    const lie = replyOf(0, { result: { ok: false } });
    expect(await outcome(submit([lie, replyOf(0), replyOf(1)]))).toBe('none yet');
    expect(await outcome(submit([lie, replyOf(0), replyOf(1), replyOf(2)]))).toMatchObject({ result: { ok: true } });
  });

  it.each([
    ['result', { result: { ok: false } }],
    ['view', { view: 1 }],
    ['sequence number', { sequence: 2 }],
    ['place in the batch', { before: 1 }],
  ])('takes no reply with another %s for an equal one', async (_, other) => {
    expect(await outcome(submit([replyOf(0), replyOf(1, other)]))).toBe('none yet');
    expect(await outcome(submit([replyOf(0), replyOf(1, other), replyOf(2)]))).toMatchObject({ sequence: 1 });
  });

  it('puts into the receipt those who said the same, in their order, and nobody else', async () => {
    const reply = await outcome(submit([replyOf(3), replyOf(2, { result: 1 }), replyOf(1)]));
    expect(reply).toMatchObject({
      receipt: { signatures: [{ replica: 'replica-2' }, { replica: 'replica-4' }] },
    });
  });

  it('is in conflict when f+1 replicas have executed another operation under its name', async () => {
    const other = { operation: Buffer.from('{}') };
    expect(await outcome(submit([replyOf(0, other)]))).toBe('none yet');
    expect(await outcome(submit([replyOf(0, other), replyOf(1, other)]))).toBe('idempotency-conflict');
  });

  it('does not take for the same what is signed of another number of replies', async () => {
    const submission = submit([]);
    const honest = replyOf(0, { before: 2 });
    const size = honest.statement.size + 1; // the root is the same, and so may be a path
    submission.add({ ...replyOf(1, { before: 2 }), statement: { ...honest.statement, size } });
    submission.add(honest);
    expect(submission.isSettled).toBe(false);
    submission.add(replyOf(2, { before: 2 }));
    expect((await submission.promise).receipt.signatures).toHaveLength(2);
  });

  it('tells who has replied in whatever way', () => {
    expect(submit([replyOf(2), replyOf(0, { result: null })]).repliers).toEqual([2, 0]);
  });

  it('stays as it is once it is settled', async () => {
    const settled = submit([replyOf(0), replyOf(1)]);
    settled.fail(new QuorateError('no-quorum', 'too late'));
    settled.add(replyOf(2));
    expect(await outcome(settled)).toMatchObject({ receipt: { signatures: [{}, {}] } });
    const failed = submit([replyOf(0)]);
    failed.fail(new QuorateError('no-quorum', 'in time'));
    failed.add(replyOf(1));
    expect(failed.isSettled).toBe(true);
    expect(await outcome(failed)).toBe('no-quorum');
  });
});
