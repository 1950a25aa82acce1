import { describe, expect, it } from '@jest/globals';
import { Bundler } from '../../../src/client/bundler.js';
import { Submission } from '../../../src/client/submission.js';
import { QuorateError } from '../../../src/errors.js';
import { limits } from '../../../src/pbft/configuration.js';
import type { RequestBundle } from '../../../src/pbft/messages.js';
import { decodeBundleBody } from '../../../src/wire/bundle.js';
import { Sealer } from '../../../src/wire/envelope.js';
import { decodeFrame, gatewaySigner, splitPacket, type Frame } from '../../../src/wire/frame.js';
import { Ed25519Signer } from '../../../src/crypto/signatures.js';
import { identityNamed, testMembership } from '../crypto/support.js';

const membership = testMembership(4);
const key = identityNamed('gateway-1');
const credential = { name: 'gateway-1', publicKey: key.rawPublicKey, enrolment: Buffer.alloc(64) };
const context = { genesisDigest: membership.digest, epoch: 0, n: 4 };
const keyed = `key:${'a'.repeat(64)}`;

/** A bundler, what it has sent, and a clock. */
class Bench {
  reached = 0;
  readonly sent: { readonly frame: Buffer; readonly bundle: RequestBundle }[] = [];
  readonly bundler = new Bundler({
    credential,
    sealer: new Sealer(context, new Ed25519Signer(key), gatewaySigner),
    publish: (publications) => {
      for (const { channel, payload } of publications) {
        expect(channel).toBe('request');
        for (const frame of splitPacket(Buffer.from(payload)) as Buffer[]) {
          const { body } = decodeFrame(frame, membership.digest) as Frame;
          this.sent.push({ frame, bundle: decodeBundleBody(body, frame.length).bundle });
        }
      }
    },
    reached: () => this.reached,
  });

  submit(timestamp: number, client = 'gateway-1', bytes = 10, now = 0): Submission {
    const submission = new Submission(client, timestamp, Buffer.alloc(bytes, 'x'), now, 10_000, membership);
    submission.promise.catch(() => undefined);
    this.bundler.add(submission);
    return submission;
  }

  /** The timestamps of each bundle that was sent since the last look. */
  take(): number[][] {
    return this.sent.splice(0).map(({ bundle }) => bundle.requests.map(({ timestamp }) => timestamp));
  }
}

const given = (submission: Submission): void => {
  submission.fail(new QuorateError('no-quorum', 'given up'));
};

describe('the bundler', () => {
  it('sends what was submitted together as one bundle, in its order, once', () => {
    const bench = new Bench();
    for (const timestamp of [1, 2, 3]) bench.submit(timestamp);
    expect(bench.take()).toEqual([]);
    bench.bundler.flush(0);
    expect(bench.take()).toEqual([[1, 2, 3]]);
    bench.bundler.flush(0);
    expect(bench.take()).toEqual([]);
  });

  it('lets requests gather while a bundle is unanswered: until it is answered, or for a while', () => {
    const bench = new Bench();
    const first = bench.submit(1);
    bench.bundler.flush(0);
    expect(bench.take()).toEqual([[1]]);
    for (const timestamp of [5, 6]) {
      bench.submit(timestamp);
      bench.bundler.flush(10);
    }
    expect([bench.take(), bench.bundler.isHolding]).toEqual([[], true]);
    given(first);
    bench.bundler.flush(11);
    expect([bench.take(), bench.bundler.isHolding]).toEqual([[[5, 6]], false]);
    bench.submit(7);
    bench.bundler.flush(24);
    expect(bench.take()).toEqual([]);
    bench.bundler.flush(25);
    expect(bench.take()).toEqual([[7]]);
    for (let count = 0; count < 100; count++) bench.bundler.onAnswered(200); // as long as answers take
    bench.submit(8);
    bench.bundler.flush(199);
    expect(bench.take()).toEqual([]);
    bench.bundler.flush(200);
    expect(bench.take()).toEqual([[8]]);
  });

  it('waits for no bundle that is overdue, as one is that a primary leaves out', () => {
    const bench = new Bench();
    bench.submit(1);
    bench.bundler.flush(0);
    for (const [timestamp, now] of [
      [2, 500],
      [3, 540],
    ] as const) {
      bench.take();
      const submission = bench.submit(timestamp, 'gateway-1', 10, now);
      bench.bundler.flush(now);
      expect(bench.take()).toEqual([[timestamp]]);
      given(submission);
    }
  });

  it('waits for no request with an idempotency key', () => {
    const bench = new Bench();
    bench.submit(1, keyed);
    bench.bundler.flush(0);
    bench.submit(2);
    bench.bundler.flush(1);
    expect(bench.take()).toEqual([[1], [2]]);
  });

  it('sends a full bundle whatever is unanswered', () => {
    const bench = new Bench();
    for (let bundle = 0; bundle < 6; bundle++) {
      for (let index = 0; index < limits.bundleOperationsMax; index++) bench.submit(bundle * 1000 + index + 1);
      bench.bundler.flush(0);
    }
    expect(bench.take().map((timestamps) => timestamps.length)).toEqual(Array(6).fill(limits.bundleOperationsMax));
  });

  it('sends a request with an idempotency key alone', () => {
    const bench = new Bench();
    bench.submit(1);
    bench.submit(1, keyed);
    bench.submit(2);
    bench.submit(1, `key:${'b'.repeat(64)}`);
    bench.bundler.flush(25);
    expect(bench.take().sort((a, b) => a.length - b.length)).toEqual([[1], [1], [1, 2]]);
  });

  it('makes no bundle that is refused for its size, by number or by bytes', () => {
    const bench = new Bench();
    for (let timestamp = 1; timestamp <= limits.bundleOperationsMax + 1; timestamp++) bench.submit(timestamp);
    bench.bundler.flush(0);
    bench.bundler.flush(25);
    expect(bench.sent.map(({ bundle }) => bundle.requests.length)).toEqual([limits.bundleOperationsMax, 1]);
    bench.take();
    for (let timestamp = 1; timestamp <= 20; timestamp++)
      bench.submit(timestamp, 'gateway-1', limits.operationBytesMax);
    bench.bundler.flush(50);
    expect(bench.sent.length).toBeGreaterThan(2);
    for (const { frame } of bench.sent) expect(frame.length).toBeLessThanOrEqual(limits.bundleBytesMax);
    expect(bench.take().flat()).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  });

  it('lets a bundle be ordered for a lifetime from where the cluster is', () => {
    const bench = new Bench();
    bench.reached = 7;
    bench.submit(1);
    bench.bundler.flush(0);
    expect(bench.sent[0]?.bundle.lastSequence).toBe(7 + limits.bundleLifetime - limits.bundleLifetimeMargin);
  });

  it('sends a bundle again, the same bytes, more and more rarely, until all of it is answered', () => {
    const bench = new Bench();
    const [one, two] = [bench.submit(1), bench.submit(2)];
    bench.bundler.flush(0);
    const [first] = bench.sent.splice(0);
    const sentAt: number[] = [];
    for (let now = 0; now <= 12_000; now += 100) {
      bench.bundler.resend(now);
      for (const { frame } of bench.sent.splice(0)) {
        expect(frame.equals(first!.frame)).toBe(true);
        sentAt.push(now);
      }
      if (now === 5_000) given(one);
    }
    expect(sentAt).toEqual([400, 1200, 2800, 6000, 9200]);
    given(two);
    for (let now = 12_000; now <= 30_000; now += 100) bench.bundler.resend(now);
    expect(bench.take()).toEqual([]);
  });

  it('asks again at least every 3.2 s, however patient faults have made it', () => {
    const bench = new Bench();
    for (let count = 0; count < 20; count++) bench.bundler.onAnswered(60_000);
    bench.submit(1);
    bench.bundler.flush(0);
    bench.take();
    const sentAt: number[] = [];
    for (let now = 0; now <= 16_000; now += 100) {
      bench.bundler.resend(now);
      if (bench.take().length > 0) sentAt.push(now);
    }
    expect(sentAt).toEqual([3_200, 6_400, 9_600, 12_800, 16_000]);
  });

  it('signs a bundle near its end anew, with what is unanswered in it', () => {
    const bench = new Bench();
    const [one] = [bench.submit(1), bench.submit(2)];
    bench.bundler.flush(0);
    bench.take();
    given(one);
    bench.reached = limits.bundleLifetime / 2 - limits.bundleLifetimeMargin;
    bench.bundler.resend(400);
    expect(bench.take()).toEqual([[1, 2]]); // half of its lifetime is left
    bench.reached++;
    bench.bundler.resend(1_200);
    expect(bench.sent[0]?.bundle.lastSequence).toBe(
      bench.reached + limits.bundleLifetime - limits.bundleLifetimeMargin,
    );
    expect(bench.take()).toEqual([[2]]);
    bench.bundler.resend(1_300);
    expect(bench.take()).toEqual([]);
    bench.bundler.resend(1_600);
    expect(bench.take()).toEqual([[2]]);
  });
});
