import type { Json } from '../../src/wire/json.js';
import { CheckpointedState, type StateSnapshot } from '../../src/replica/checkpointed-state.js';
import { type StateFetcher } from '../../src/replica/state-fetcher.js';
import { StateServer } from '../../src/replica/state-server.js';
import { MerkleState } from '../../src/state-machine/merkle-state.js';
import { decodeFetchState, encodeFetchState, type FetchState } from '../../src/wire/state-transfer.js';

/** One replica's checkpointed state: two parts, each of which a test can write to. */
export class Holding {
  readonly first = new MerkleState();
  readonly second = new MerkleState();
  readonly state = new CheckpointedState([this.first, this.second]);

  constructor(content: Iterable<readonly [string, Json]> = []) {
    this.write(content);
  }

  /** Replicas that all have this state. */
  servers(peers: readonly number[]): Map<number, StateServer> {
    return new Map(peers.map((peer) => [peer, new StateServer(this.state)]));
  }

  /** Writes to both parts; the second gets only its keys. */
  write(content: Iterable<readonly [string, Json | undefined]>): this {
    for (const part of [this.first, this.second]) {
      part.begin();
      for (const [key, value] of content) {
        if (value === undefined) part.delete(key);
        else part.set(key, part === this.first ? value : true);
      }
      part.commit();
    }
    return this;
  }

  freeze(sequence: number): StateSnapshot {
    return this.state.freeze(sequence, sequence * 10);
  }

  get digests(): readonly string[] {
    return [this.first.digest(), this.second.digest()];
  }
}

/** What becomes of an answer: other bytes, or `undefined` for none. */
export type Behaviour = (answer: Buffer | undefined, request: FetchState, peer: number) => Buffer | undefined;

const honest: Behaviour = (answer) => answer;

/** Drives a fetcher against peers, who answer at once or never. */
export class Transferring {
  readonly requests: FetchState[] = [];
  /** Reasons why chunks were refused, by peer. */
  readonly refusals: (readonly [peer: number, reason: string])[] = [];
  bytes = 0;
  ticks = 0;
  outstandingMax = 0;

  constructor(
    readonly fetcher: StateFetcher,
    private readonly peers: ReadonlyMap<number, StateServer>,
    private readonly behaviour: Behaviour = honest,
  ) {}

  /** Runs until the transfer is complete. @returns whether it is, within so many ticks */
  run(ticksMax = 500): boolean {
    for (let tick = 0; tick < ticksMax; tick++) {
      this.answerAll();
      if (this.fetcher.transfer !== undefined) return true;
      this.tick();
    }
    return false;
  }

  tick(): void {
    this.ticks++;
    this.fetcher.onTick();
    for (const server of this.peers.values()) server.onTick();
  }

  /** At most so many answers, then time passes. */
  answerSome(count: number): void {
    for (const request of this.fetcher.takeRequests().slice(0, count)) this.answer(request);
    this.tick();
  }

  /** Until nobody has anything more to say in this tick. */
  answerAll(): void {
    for (;;) {
      const requests = this.fetcher.takeRequests();
      this.outstandingMax = Math.max(this.outstandingMax, requests.length);
      if (requests.length === 0) return;
      for (const request of requests) this.answer(request);
    }
  }

  private answer(request: FetchState): void {
    this.requests.push(request);
    const { target, nonce } = request;
    const asked = decodeFetchState(encodeFetchState(request));
    const answer = this.behaviour(this.peers.get(target)?.answer(99, asked), asked, target);
    if (answer === undefined) return;
    this.bytes += answer.length;
    const reason = this.fetcher.onChunk(target, nonce, answer);
    if (reason !== undefined) this.refusals.push([target, reason]);
  }
}

/** So many entries with values of some length. */
export function entries(count: number, valueBytes = 20): [string, Json][] {
  return Array.from({ length: count }, (_, index) => [
    `key ${String(index)}`,
    `${String(index)} `.padEnd(valueBytes, 'x'),
  ]);
}
