import type {
  AgreedBatch,
  ClusterClient,
  ClusterStatus,
  QueryAnswer,
  SubmitOptions,
} from '../../src/client/cluster-client.js';
import type { MembershipDocument } from '../../src/crypto/membership.js';
import type { Reply } from '../../src/crypto/receipt.js';
import type { StateProof } from '../../src/crypto/state-proof.js';
import { stateTreeWayLength } from '../../src/crypto/state-tree.js';
import type { Json } from '../../src/wire/json.js';

const HEX = '0123456789abcdef'.repeat(4);
const SIGNATURE = Buffer.alloc(64, 7).toString('base64');
const REPLICAS = ['replica-1', 'replica-2', 'replica-3', 'replica-4'];

/** A reply in which everything is well-formed and nothing is true. */
export function exampleReply(result: Json = { ok: true }): Reply {
  return {
    id: HEX,
    client: 'gateway-1',
    timestamp: 12,
    view: 0,
    sequence: 42,
    result,
    receipt: {
      cluster: 'quorate',
      epoch: 0,
      view: 0,
      sequence: 42,
      client: 'gateway-1',
      timestamp: 12,
      operationDigest: HEX,
      requestDigest: HEX,
      resultDigest: HEX,
      proof: { index: 0, size: 2, path: [HEX] },
      signatures: REPLICAS.slice(0, 2).map((replica) => ({ replica, signature: SIGNATURE })),
    },
  };
}

export function exampleBatch(sequence: number): AgreedBatch {
  return {
    sequence,
    view: 0,
    digest: HEX,
    time: 1_700_000_000_000,
    requests: [{ id: HEX, client: 'gateway-1', timestamp: 12, operation: { op: 'put', key: 'a', value: 1 } }],
    batch: 'AAAA',
    certificate: REPLICAS.slice(0, 3).map((replica) => ({ replica, frame: 'AAAA' })),
  };
}

export function exampleProof(key: string): StateProof {
  return {
    cluster: 'quorate',
    epoch: 0,
    key,
    found: true,
    value: 8888,
    checkpoint: {
      sequence: 128,
      time: 1_700_000_000_000,
      roots: [HEX, HEX],
      signatures: REPLICAS.slice(0, 3).map((replica) => ({ replica, signature: SIGNATURE })),
    },
    hashes: [HEX],
    path: Array.from({ length: stateTreeWayLength }, () => HEX),
  };
}

export function exampleStatus(connected = 4): ClusterStatus {
  return {
    cluster: 'quorate',
    epoch: 0,
    view: 0,
    primary: 'replica-1',
    n: 4,
    f: 1,
    quorum: 3,
    replicas: REPLICAS.map((replica, index) => ({
      replica,
      connected: index < connected,
      view: 0,
      lastExecuted: 42 + index,
      stableCheckpoint: 0,
      stateDigest: index < connected ? HEX : null,
      voting: index < connected ? true : null,
      notVoting: null,
      refused: { 'wrong-view': index },
    })),
  };
}

function exampleMembership(): MembershipDocument {
  const key = Buffer.alloc(32, 3).toString('base64');
  return {
    cluster: 'quorate',
    epoch: 0,
    n: 4,
    f: 1,
    quorum: 3,
    genesis: {
      digest: HEX,
      stateMachine: 'key-value@1',
      checkpointInterval: 128,
      logSize: 256,
      authority: key,
      signatures: REPLICAS.map((replica) => ({ replica, signature: SIGNATURE })),
    },
    replicas: REPLICAS.map((id) => ({ id, publicKey: key, enrolment: SIGNATURE })),
  };
}

/** A promise that a test settles, and that counts how often it was asked for. */
export class Gate<T> {
  readonly #waiting: { resolve: (value: T) => void; reject: (error: Error) => void }[] = [];
  /** How many have come to the gate since it was made. */
  arrivals = 0;

  wait(): Promise<T> {
    this.arrivals += 1;
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  open(value: T): void {
    for (const { resolve } of this.#waiting.splice(0)) resolve(value);
  }

  fail(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}

/** A cluster that does what a test says. By default everything works. */
export class FakeClusterClient implements ClusterClient {
  connected = true;
  readonly inFlight = 0;
  closed = false;
  /** How often it was attended to. */
  attended = 0;
  readonly submitted: { operation: Json; options: SubmitOptions | undefined }[] = [];
  readonly queried: { query: Json; consistency: string; deadlineMs: number | undefined }[] = [];

  onSubmit: (operation: Json, options?: SubmitOptions) => Promise<Reply> = () => Promise.resolve(exampleReply());
  onQuery: (query: Json, consistency: 'linearizable' | 'local') => Promise<QueryAnswer> = (_query, consistency) =>
    Promise.resolve({ value: 8888, sequence: 42, consistency, replicas: REPLICAS.slice(0, 3) });
  onAgreedBatch: (sequence: number) => Promise<AgreedBatch | undefined> = (sequence) =>
    Promise.resolve(sequence <= 42 ? exampleBatch(sequence) : undefined);
  onProve: (key: string) => Promise<StateProof | undefined> = (key) => Promise.resolve(exampleProof(key));
  onStatus: () => ClusterStatus = () => exampleStatus();

  attend(): void {
    this.attended++;
  }

  submit(operation: Json, options?: SubmitOptions): Promise<Reply> {
    this.submitted.push({ operation, options });
    return this.onSubmit(operation, options);
  }

  query(query: Json, consistency: 'linearizable' | 'local', deadlineMs?: number): Promise<QueryAnswer> {
    this.queried.push({ query, consistency, deadlineMs });
    return this.onQuery(query, consistency);
  }

  agreedBatch(sequence: number): Promise<AgreedBatch | undefined> {
    return this.onAgreedBatch(sequence);
  }

  prove(key: string): Promise<StateProof | undefined> {
    return this.onProve(key);
  }

  status(): ClusterStatus {
    return this.onStatus();
  }

  membership(): MembershipDocument {
    return exampleMembership();
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}
