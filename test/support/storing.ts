import { Ed25519Signer, Ed25519Verifier } from '../../src/crypto/signatures.js';
import { EventQueue } from '../../src/memory/event-queue.js';
import { MemoryBroker } from '../../src/memory/memory-broker.js';
import { MemoryMessageLog } from '../../src/memory/memory-message-log.js';
import { MemoryOutbox } from '../../src/memory/memory-outbox.js';
import { sequence, type Digest } from '../../src/pbft/types.js';
import { loadCheckpoint } from '../../src/replica/checkpoint-loader.js';
import { CheckpointStore, type StoredState } from '../../src/replica/checkpoint-store.js';
import { TurnBuilder } from '../../src/replica/turn-builder.js';
import { Opener, Sealer } from '../../src/wire/envelope.js';
import { encodeCheckpoint } from '../../src/wire/views.js';
import { testCluster, testMembership } from '../unit/crypto/support.js';
import { Holding } from './state-transfer.js';

const membership = testMembership(4);
const { identities } = testCluster(4);
const context = { genesisDigest: membership.digest, epoch: 0, n: 4 };
const opener = new Opener(context, new Ed25519Verifier(membership));
export const sealers = identities.map((identity, index) => new Sealer(context, new Ed25519Signer(identity), index));

export const stateKey = 'state:a';
export const ownKey = 'replica:a';
export const recordField = 'stored-checkpoint';

/** The CHECKPOINT frames of these replicas. */
export function proofOf(place: number, of: Digest, signers: readonly number[] = [0, 1, 2]): Buffer[] {
  return signers.map((signer) =>
    sealers[signer]!.seal('checkpoint', encodeCheckpoint({ sequence: sequence(place), digest: of })),
  );
}

/** Each store is of a process of its own. */
let processes = 0;

/** A replica whose store writes to a Redis in memory, one turn for each tick. */
export class Storing {
  readonly broker: MemoryBroker;
  readonly log: MemoryMessageLog;
  store: CheckpointStore;
  /** How often a checkpoint that was stored could not be read. */
  unreadable = 0;
  private readonly outbox: MemoryOutbox;
  private readonly turn = new TurnBuilder();

  constructor(
    readonly holding = new Holding(),
    broker = new MemoryBroker(new EventQueue('microtask')),
    found?: StoredState,
  ) {
    this.broker = broker;
    this.log = new MemoryMessageLog(broker, 'a');
    this.outbox = new MemoryOutbox(broker, 'a');
    this.store = new CheckpointStore(holding.state, `process ${processes++}`, found);
  }

  /** The state as it is now becomes a stable checkpoint. */
  stabilise(place: number): Digest {
    const { digest: of } = this.holding.freeze(place);
    this.store.onStable(place, of, proofOf(place, of));
    this.holding.state.dropBelow(place);
    return of;
  }

  /** @returns whether there was anything to do */
  async tick(): Promise<boolean> {
    const isIdle = this.store.isIdle;
    if (this.store.wantsList) await this.store.list(this.log.scanState());
    this.store.tick(this.turn);
    if (!this.turn.isEmpty) await this.outbox.send(this.turn.take());
    return !isIdle;
  }

  async settle(afterTurn: () => Promise<void> = async () => undefined): Promise<void> {
    while (await this.tick()) await afterTurn();
  }

  /** What a process finds that starts now. */
  async restarted(): Promise<{ readonly storing: Storing; readonly found: StoredState | undefined }> {
    const holding = new Holding();
    const logger = { error: () => this.unreadable++ };
    const found = await loadCheckpoint({ log: this.log, state: holding.state, opener, n: 4, logger });
    return { storing: new Storing(holding, this.broker, found), found };
  }

  get fields(): ReadonlyMap<string, Buffer> {
    return this.broker.store.read(stateKey);
  }
}

/** Changes between one checkpoint and the next: keys that come, change, go, and come back. */
export function change(storing: Storing, round: number): void {
  storing.holding.write([
    [`key ${String(round)}`, `round ${String(round)}`],
    [`key ${String(round + 1)}`, undefined],
    [`key ${String(round - 1)}`, 'back'],
    [`round ${String(round)}`, round],
    [`round ${String(round - 1)}`, undefined],
  ]);
}
