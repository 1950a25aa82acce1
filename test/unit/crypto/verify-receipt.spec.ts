import { describe, expect, it } from '@jest/globals';
import { isDeepStrictEqual } from 'node:util';
import { membershipDocument } from '../../../src/crypto/membership.js';
import { buildReply } from '../../../src/crypto/receipt.js';
import { verifyReceipt, verifyReceiptText } from '../../../src/crypto/verify-receipt.js';
import { genuine } from '../../vectors/genuine.js';
import { testMembership } from './support.js';

const made = genuine({ n: 4, size: 3, index: 1, result: { ok: true, value: ['é', 0.5, null] } });
const { membership, reply } = made;
const membershipText = JSON.stringify(membershipDocument(membership));

/** What a byte is replaced by: a neighbour, the other case, a digit, white space, the end of a string. */
function replacements(byte: number): number[] {
  return [byte ^ 1, byte ^ 0x20, ...Buffer.from('07 "')].filter((other) => other !== byte);
}

/** The JSON value of a text, or `undefined` when it has none. */
function valueOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

/** Texts that differ from this one in a byte, and in what they say; for each byte the first `count` of them. */
function* alterations(text: string, count: number): Generator<[place: number, altered: Buffer]> {
  const original: unknown = JSON.parse(text);
  const bytes = Buffer.from(text);
  for (const [place, byte] of bytes.entries()) {
    const altered = replacements(byte)
      .map((other) => Buffer.from(bytes).fill(other, place, place + 1))
      .filter((other) => !isDeepStrictEqual(valueOf(other), original));
    for (const each of altered.slice(0, count)) yield [place, each];
  }
}

describe('verifying a receipt', () => {
  it('says what a genuine reply proves, and who says so', () => {
    expect(verifyReceiptText(JSON.stringify(reply), membershipText)).toEqual({
      valid: true,
      summary: {
        cluster: 'test-4',
        genesisDigest: membership.digestHex,
        epoch: 0,
        view: 3,
        sequence: 42,
        client: 'gateway-1',
        timestamp: 1001,
        requestDigest: reply.id,
        operationDigest: reply.receipt.operationDigest,
        resultDigest: reply.receipt.resultDigest,
        replicas: ['replica-3', 'replica-4'],
        result: { ok: true, value: ['é', 0.5, null] },
      },
    });
  });

  it('says the same of the receipt alone, but for the result', () => {
    const verdict = verifyReceiptText(JSON.stringify(reply.receipt), membershipText);
    expect(verdict).toMatchObject({
      valid: true,
      summary: { requestDigest: reply.id, replicas: ['replica-3', 'replica-4'] },
    });
    expect(verdict.valid && Object.hasOwn(verdict.summary, 'result')).toBe(false);
  });

  it('takes bytes, and a membership that was read before', () => {
    const bytes = Buffer.from(JSON.stringify(reply));
    expect(verifyReceiptText(bytes, membership).valid).toBe(true);
    expect(verifyReceiptText(bytes, Buffer.from(membershipText)).valid).toBe(true);
    expect(verifyReceipt(reply, membership).valid).toBe(true);
  });

  it('refuses a membership of other replicas', () => {
    expect(verifyReceiptText(JSON.stringify(reply), testMembership(7))).toMatchObject({ code: 'other-cluster' });
  });

  it('refuses what is not UTF-8, and what is over a mebibyte', () => {
    const text = JSON.stringify(reply);
    const ill = Buffer.from(text.replace('gateway-1', 'gateway-\u00e9'), 'latin1');
    expect(verifyReceiptText(ill, membership)).toMatchObject({ valid: false, code: 'malformed' });
    const padded = text + ' '.repeat(1024 * 1024 - Buffer.byteLength(text));
    expect(verifyReceiptText(padded, membership).valid).toBe(true);
    expect(verifyReceiptText(`${padded} `, membership)).toMatchObject({ valid: false, code: 'malformed' });
    expect(verifyReceiptText(Buffer.from(`${padded} `), membership)).toMatchObject({ code: 'malformed' });
    expect(verifyReceiptText(text, membershipText.padEnd(1024 * 1024 + 1))).toMatchObject({
      code: 'invalid-membership',
    });
  });

  it.each<[string, unknown]>([
    ['reply', reply],
    ['receipt', reply.receipt],
  ])('refuses a %s after a change of any one byte', (_, original) => {
    const text = JSON.stringify(original);
    expect(verifyReceiptText(text, membership).valid).toBe(true);
    const accepted: string[] = [];
    const places = new Set<number>();
    for (const [place, altered] of alterations(text, 4)) {
      places.add(place);
      if (verifyReceiptText(altered, membership).valid) accepted.push(altered.toString());
    }
    expect(accepted).toEqual([]);
    expect(places.size).toBe(Buffer.byteLength(text)); // every byte was changed
  });

  it('refuses a membership after a change of any one byte', () => {
    const text = JSON.stringify(reply);
    const accepted: string[] = [];
    const places = new Set<number>();
    for (const [place, altered] of alterations(membershipText, 1)) {
      places.add(place);
      if (verifyReceiptText(text, altered).valid) accepted.push(altered.toString());
    }
    expect(accepted).toEqual([]);
    expect(places.size).toBe(Buffer.byteLength(membershipText));
  });

  it('judges whatever JSON it is given', () => {
    for (const value of [null, true, 0, 'receipt', [], {}, { receipt: null }, { receipt: {} }, [reply]]) {
      expect(verifyReceiptText(JSON.stringify(value), membership)).toMatchObject({ valid: false, code: 'malformed' });
    }
  });
});

describe('building a reply', () => {
  const { said, proven } = made;
  const signatures = reply.receipt.signatures.map(({ replica, signature }) => {
    return { replica: membership.indexOf(replica) ?? 0, signature };
  });

  it('orders the signatures as the membership is ordered', () => {
    const [first, second] = signatures;
    const reversed = first && second ? [second, first] : [];
    expect(buildReply({ membership, statement: said, reply: proven, signatures: reversed })).toEqual(reply);
  });

  it('needs replicas that are there', () => {
    const stranger = [{ replica: 4, signature: '' }];
    expect(() => buildReply({ membership, statement: said, reply: proven, signatures: stranger })).toThrow(RangeError);
  });
});
