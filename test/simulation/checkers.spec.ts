import { beforeEach, describe, expect, it } from '@jest/globals';
import { digest, replicaIndex, sequence, view } from '../../src/pbft/types.js';
import { ExecutionChecker } from '../../src/simulator/checkers/execution-checker.js';
import { KeyValueModel } from '../../src/simulator/checkers/key-value-model.js';
import { RepliesChecker, type Observed } from '../../src/simulator/checkers/replies-checker.js';
import { SpeechChecker } from '../../src/simulator/checkers/speech-checker.js';
import { Violations } from '../../src/simulator/checkers/violations.js';
import { foundersOf } from '../../src/simulator/founders.js';
import { modelledSignatures } from '../../src/simulator/modelled-signatures.js';
import { Sealer } from '../../src/wire/envelope.js';
import { joinPacket } from '../../src/wire/frame.js';
import { canonicalJsonBytes, type Json } from '../../src/wire/json.js';
import { encodePhaseBody } from '../../src/wire/phase.js';
import { encodeCheckpoint } from '../../src/wire/views.js';
import { digestOfRequest } from '../../src/wire/bundle.js';
import { sha256 } from '../../src/crypto/digest.js';

const founders = foundersOf({ n: 4, checkpointInterval: 4, logSize: 8 });
const { membership } = founders;
const signatures = modelledSignatures(founders);
const [a, b] = [digest('a'.repeat(64)), digest('b'.repeat(64))];

function request(timestamp: number, operation: Json = { op: 'put', key: 'k', value: timestamp }) {
  const bytes = Buffer.from(canonicalJsonBytes(operation));
  const operationDigest = sha256(bytes);
  const digest = digestOfRequest('c', timestamp, operationDigest);
  return { client: 'c', timestamp, operation: bytes, operationDigest, digest };
}

describe('what watches executions', () => {
  let violations: Violations;
  let checker: ExecutionChecker;
  const made = new Set([1, 2, 3, 4].map((timestamp) => request(timestamp).digest as string));

  beforeEach(() => {
    violations = new Violations();
    checker = new ExecutionChecker(violations, (name) => made.has(name));
    checker.onClock(0);
  });

  const run = (...places: readonly (readonly [place: number, timestamp: number, result?: string, time?: number])[]) => {
    const execution = checker.begin('r');
    for (const [place, timestamp, result = a, time = 0] of places) {
      checker.onExecuted(execution, request(timestamp), { sequence: sequence(place), time }, result);
    }
    execution.executed = places.at(-1)?.[0] ?? 0;
    checker.finish(execution, execution.executed);
  };

  it('has nothing against the same twice', () => {
    run([1, 1], [2, 2]);
    run([1, 1], [2, 2]);
    expect(violations.first).toBeUndefined();
  });

  it.each<[string, string, () => void]>([
    ['another request', 'agreement', () => run([1, 2])],
    ['another result', 'agreement', () => run([1, 1, b])],
    ['another time', 'agreement', () => run([1, 1, a, 1])],
    ['a request too many', 'agreement', () => run([1, 1], [1, 3])],
    ['a request too few', 'agreement', () => run([2, 2])],
    ['a request twice', 'exactly-once', () => run([1, 1], [2, 2], [3, 1])],
    ['a request that nobody made', 'validity', () => run([1, 1], [2, 2], [3, 9])],
    ['a later request first', 'validity', () => run([1, 1], [2, 2], [3, 4], [3, 3])],
    ['a time that no clock has shown', 'validity', () => run([1, 1], [2, 2], [3, 3, a, 60_001])],
    ['a time long ago', 'validity', () => run([1, 1], [2, 2], [3, 3, a, -60_001])],
    ['a time that goes back', 'validity', () => run([1, 1], [2, 2], [3, 3, a, 2], [4, 4, a, 1])],
  ])('objects to %s', (_, objection, executeWrongly) => {
    run([1, 1], [2, 2]);
    executeWrongly();
    expect(violations.first?.checker).toBe(objection);
  });
});

describe('what listens to correct replicas', () => {
  let violations: Violations;
  let checker: SpeechChecker;
  const sealer = new Sealer({ genesisDigest: membership.digest, epoch: 0, n: 4 }, signatures.signerOf('replica-2'), 1);
  const vote = (place: number, of = a) => ({ view: view(0), sequence: sequence(place), digest: of });
  const say = (place: number, of = a) => {
    checker.onPublished(1, 'prepare', joinPacket([sealer.seal('prepare', encodePhaseBody(vote(place, of)))]));
  };
  const keep = (place: number, of = a) => {
    checker.onPromised(1, [{ kind: 'prepare', ...vote(place, of) }]);
    checker.onWritten(1, [{ place, fields: new Map([['prepare:0:replica-2', Buffer.alloc(0)]]) }]);
  };

  beforeEach(() => {
    violations = new Violations();
    const onAnswered = (): void => undefined;
    checker = new SpeechChecker(membership, violations, () => true, onAnswered);
  });

  it('has nothing against a vote that is kept, said once and once more', () => {
    keep(1);
    say(1);
    say(1);
    expect(violations.first).toBeUndefined();
  });

  it.each<[string, string, () => void]>([
    ['a vote that is not promised', 'persistence', () => say(2)],
    [
      'a vote for something else',
      'promises',
      () => {
        keep(1, b);
        say(1, b);
      },
    ],
    [
      'a vote of a view that it has left',
      'promises',
      () => {
        checker.onPromised(1, [{ kind: 'view-change', view: view(1), sequence: sequence(0), digest: a }]);
        keep(2);
      },
    ],
    [
      'a COMMIT that shows a PREPARE which it never said',
      'certificates',
      () => {
        checker.onPromised(1, [{ kind: 'commit', ...vote(2) }]);
        checker.onWritten(1, [{ place: 2, fields: new Map([['commit:0:replica-2', Buffer.alloc(0)]]) }]);
        checker.onPublished(1, 'commit', joinPacket([sealer.seal('commit', encodePhaseBody(vote(2)))]));
      },
    ],
    [
      'another state at one sequence number',
      'state-digests',
      () => {
        const checkpoint = (of: typeof a) =>
          sealer.seal('checkpoint', encodeCheckpoint({ sequence: sequence(4), digest: of }));
        checker.onPublished(1, 'checkpoint', joinPacket([checkpoint(a)]));
        const other = new Sealer(
          { genesisDigest: membership.digest, epoch: 0, n: 4 },
          signatures.signerOf('replica-3'),
          2,
        );
        const frame = other.seal('checkpoint', encodeCheckpoint({ sequence: sequence(4), digest: b }));
        checker.onPublished(2, 'checkpoint', joinPacket([frame]));
      },
    ],
  ])('objects to %s', (_, objection, speakWrongly) => {
    keep(1);
    say(1);
    speakWrongly();
    expect(violations.first?.checker).toBe(objection);
  });

  it('objects to a proof with words that were never said', () => {
    checker.checkQuorum([{ signer: 0 }, { signer: 2 }, { signer: 3 }], 3, 'prepare', '0 7', a, 'in a test');
    expect(violations.first?.checker).toBe('certificates');
  });
});

describe('what reads the answers', () => {
  const executed = (operations: readonly Json[]) => {
    const violations = new Violations();
    const execution = new ExecutionChecker(violations, () => true);
    execution.onClock(0);
    const run = execution.begin('r');
    for (const [index, operation] of operations.entries()) {
      const place = sequence(index + 1);
      execution.onExecuted(run, request(index + 1, operation), { sequence: place, time: 0 }, a);
    }
    run.executed = operations.length;
    execution.finish(run, operations.length);
    const checker = new RepliesChecker(membership, signatures.verifier, false, execution, violations);
    return { checker, violations };
  };
  const read = (start: number, end: number, value: Json | undefined): Observed => {
    return { what: `read at ${start}`, start, end, read: { key: 'k', value } };
  };
  const puts = [1, 2].map((value): Json => ({ op: 'put', key: 'k', value }));

  it('has nothing against reads that see what happened in its order', () => {
    const { checker, violations } = executed(puts);
    for (const one of [read(0, 9, undefined), read(1, 2, 1), read(3, 4, 1), read(5, 6, 2)]) checker.onReply(one);
    checker.finish();
    expect(violations.first).toBeUndefined();
  });

  it.each<[string, readonly Observed[]]>([
    ['a read that goes back', [read(1, 2, 2), read(3, 4, 1)]],
    ['a read of what never was', [read(1, 2, 7)]],
  ])('objects to %s', (_, observed) => {
    const { checker, violations } = executed(puts);
    for (const one of observed) checker.onReply(one);
    checker.finish();
    expect(violations.first?.checker).toBe('linearizability');
  });

  it('knows what the key-value service answers', () => {
    const model = new KeyValueModel();
    const answers = [
      { op: 'increment', key: 'k', by: 2 },
      { op: 'compare-and-set', key: 'k', expected: 1, value: 3 },
      { op: 'get', key: 'k' },
      { op: 'delete', key: 'k' },
      { op: 'get', key: 'k' },
    ].map((operation) => model.apply(operation as Json));
    expect(answers).toMatchObject([
      { ok: true, value: 2 },
      { ok: false, actual: 2 },
      { found: true, value: 2 },
      { existed: true },
      { found: false },
    ]);
  });
});

describe('modelled signatures', () => {
  it('are worth something for whoever signed, under what was signed, alone', () => {
    const message = Buffer.from('a message of some length');
    const signature = signatures.signerOf('replica-1').sign(message);
    const { verifier } = signatures;
    expect(verifier.verifyReplica(replicaIndex(0), message, signature)).toBe(true);
    expect(verifier.verifyReplica(replicaIndex(1), message, signature)).toBe(false);
    for (let bit = 0; bit < 8 * message.length; bit++) {
      const other = Buffer.from(message);
      other[bit >> 3]! ^= 1 << (bit & 7);
      expect(verifier.verifyReplica(replicaIndex(0), other, signature)).toBe(false);
    }
    expect(verifier.verifyReplica(replicaIndex(0), message.subarray(1), signature)).toBe(false);
  });
});
