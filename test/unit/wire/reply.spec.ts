import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { sha256 } from '../../../src/crypto/digest.js';
import { limits } from '../../../src/pbft/configuration.js';
import type { BatchReplies, CachedReply, Executed, ReplyStatement } from '../../../src/pbft/effects.js';
import { sequence, view } from '../../../src/pbft/types.js';
import { digestOfRequest } from '../../../src/wire/bundle.js';
import { Malformed } from '../../../src/wire/bytes.js';
import { decoded } from '../../../src/wire/frame.js';
import {
  decodeReplyAttachment,
  decodeReplyBody,
  encodeCachedAttachments,
  encodeReplyAttachments,
  encodeReplyBody,
  proveReplies,
} from '../../../src/wire/reply.js';
import { executedBatch } from './codecs.js';

/** A batch of requests with results of this size. */
function batchOf(count: number, resultBytes: number): { replies: BatchReplies; items: Executed[] } {
  const items = Array.from({ length: count }, (_, index): Executed => {
    const operationDigest = sha256(Buffer.from(`operation ${index}`));
    const requestDigest = digestOfRequest('c', index, operationDigest);
    const result = Buffer.alloc(resultBytes, index);
    return { client: 'c', timestamp: index, operationDigest, requestDigest, result, index };
  });
  const leaves = items.map(({ requestDigest, result }) => ({ requestDigest, resultDigest: sha256(result) }));
  const statement = { view: view(0), sequence: sequence(1), size: count, root: proveReplies(leaves).root };
  return { replies: { statement, leaves }, items };
}

function executedIn(attachment: Buffer, statement: ReplyStatement): Executed[] {
  return decodeReplyAttachment(attachment, statement).map(({ executed }) => executed);
}

/** The same replies as the cache keeps them. */
function cached({ replies: { statement, leaves }, items }: ReturnType<typeof batchOf>): CachedReply[] {
  const { path } = proveReplies(leaves);
  return items.map((executed, index) => {
    return { executed, resultDigest: leaves[index]!.resultDigest, statement, path: path(index) };
  });
}

describe('replies that are given again', () => {
  it('come with their paths alone, which lead to the root that was signed', () => {
    for (const size of [1, 2, 3, 7, 64, 100]) {
      const { replies, items } = batchOf(size, 10);
      const some = cached({ replies, items }).filter((_, index) => index % 3 === 0);
      const found = encodeCachedAttachments(some).flatMap((one) => decodeReplyAttachment(one, replies.statement));
      expect(found.map(({ executed }) => executed)).toEqual(some.map(({ executed }) => executed));
      const again = encodeReplyAttachments(replies, items).flatMap((one) =>
        decodeReplyAttachment(one, replies.statement),
      );
      for (const reply of found) expect(reply.path()).toEqual(again[reply.executed.index]!.path());
    }
  });

  it('are refused after a change of any one byte, and under another statement', () => {
    const { replies, items } = batchOf(5, 5);
    const [attachment] = encodeCachedAttachments(cached({ replies, items }).slice(1, 3));
    const isRefused = (bytes: Buffer, statement = replies.statement): boolean =>
      decoded(() => decodeReplyAttachment(bytes, statement)) === 'malformed-frame';
    for (let at = 0; at < attachment!.length; at++) {
      const changed = Buffer.from(attachment!);
      changed[at]! ^= 1 + (at % 255);
      expect([at, isRefused(changed)]).toEqual([at, true]);
    }
    expect(isRefused(attachment!, batchOf(6, 5).replies.statement)).toBe(true);
    expect(isRefused(attachment!)).toBe(false);
  });
});

describe('replies', () => {
  it('give back what was executed, bound to the statement', () => {
    fc.assert(
      fc.property(executedBatch, ({ replies, items }) => {
        const statement = decodeReplyBody(encodeReplyBody(replies.statement));
        expect(statement).toEqual(replies.statement);
        const attachments = encodeReplyAttachments(replies, items);
        expect(attachments).toHaveLength(1);
        expect(executedIn(attachments[0]!, statement)).toEqual(items);
      }),
      { numRuns: 50 },
    );
  });

  it('are refused after a change of any one byte, cut off anywhere, and with anything after them', () => {
    const { replies, items } = batchOf(3, 5);
    const statement = decodeReplyBody(encodeReplyBody(replies.statement));
    const attachment = encodeReplyAttachments(replies, items)[0]!;
    const isRefused = (bytes: Buffer): boolean =>
      decoded(() => decodeReplyAttachment(bytes, statement)) === 'malformed-frame';
    for (let at = 0; at < attachment.length; at++) {
      const changed = Buffer.from(attachment);
      changed[at]! ^= 1 + (at % 255);
      expect([at, isRefused(changed), isRefused(attachment.subarray(0, at))]).toEqual([at, true, true]);
    }
    expect(isRefused(Buffer.concat([attachment, Buffer.of(0)]))).toBe(true);
    expect(isRefused(attachment)).toBe(false);
  });

  it('are refused under the statement of another batch', () => {
    const one = batchOf(2, 10);
    const two = batchOf(3, 10);
    const statement = decodeReplyBody(encodeReplyBody(two.replies.statement));
    expect(() => decodeReplyAttachment(encodeReplyAttachments(one.replies, one.items)[0]!, statement)).toThrow(
      Malformed,
    );
  });

  it("are refused when another request's leaf is not the one that was signed", () => {
    const { replies, items } = batchOf(4, 10);
    const statement = decodeReplyBody(encodeReplyBody(replies.statement));
    const leaves = replies.leaves.map((leaf, index) => (index === 3 ? replies.leaves[0]! : leaf));
    const forged = encodeReplyAttachments({ ...replies, leaves }, [items[1]!])[0]!;
    expect(() => decodeReplyAttachment(forged, statement)).toThrow(Malformed);
  });

  it('may be for some of the requests: a gateway gets its own only', () => {
    const { replies, items } = batchOf(5, 10);
    const own = [items[1]!, items[4]!];
    const statement = decodeReplyBody(encodeReplyBody(replies.statement));
    expect(executedIn(encodeReplyAttachments(replies, own)[0]!, statement)).toEqual(own);
  });

  it('have the digests of their results, whether or not those are what came before', () => {
    const { items } = batchOf(8, 0);
    const long = [Buffer.alloc(2_000, 1), Buffer.alloc(2_000, 2)] as const;
    const results = ['a', 'a', 'b', long[0], long[0], long[1], 'b', 'a'].map((result) => Buffer.from(result));
    const given = items.map((item, index) => ({ ...item, result: results[index]! }));
    const leaves = given.map(({ requestDigest, result }) => ({ requestDigest, resultDigest: sha256(result) }));
    const statement = { view: view(0), sequence: sequence(1), size: 8, root: proveReplies(leaves).root };
    const replies = encodeReplyAttachments({ statement, leaves }, given).flatMap((attachment) => {
      return decodeReplyAttachment(attachment, statement);
    });
    expect(replies.map(({ executed }) => executed)).toEqual(given);
    expect(replies.map(({ resultDigest }) => resultDigest)).toEqual(results.map(sha256));
  });

  it('are spread over as many frames as large results need, each bound to the same statement', () => {
    const { replies, items } = batchOf(40, limits.resultBytesMax);
    const statement = decodeReplyBody(encodeReplyBody(replies.statement));
    const attachments = encodeReplyAttachments(replies, items);
    expect(attachments.length).toBeGreaterThan(1);
    const found = attachments.flatMap((attachment) => executedIn(attachment, statement));
    const summary = ({ result, ...rest }: Executed) => ({ ...rest, result: sha256(result) });
    expect(found.map(summary)).toEqual(items.map(summary));
  });
});
