import { planNewView } from '../../src/pbft/certificates.js';
import type { Configuration } from '../../src/pbft/configuration.js';
import type { Input } from '../../src/pbft/inputs.js';
import type {
  Checkpoint,
  NewView,
  Prepare,
  PreparedCertificate,
  PrePrepare,
  ReplicaMessage,
  RequestBundle,
  StableCheckpoint,
  ViewChange,
} from '../../src/pbft/messages.js';
import { primaryOf } from '../../src/pbft/quorum.js';
import { Replica } from '../../src/pbft/replica.js';
import { digest, sequence, view, type ReplicaIndex, type View } from '../../src/pbft/types.js';
import {
  batch,
  digestOfBatch,
  nullBatch,
  commit,
  prepare,
  checkpoint,
  proveReplies,
} from '../support/core-messages.js';
import { RecordingApplication } from '../support/recording-application.js';
import type { World } from './world.js';

/** How many PREPAREs one PRE-PREPARE has got. */
interface Support {
  readonly prePrepare: PrePrepare;
  readonly prepares: Map<ReplicaIndex, Prepare>;
}

/**
 * All Byzantine replicas together. Each runs a correct core, which keeps it in the game, and tells its messages to whom it
 * likes. Besides, they hear everything that anybody says, and say whatever they can sign: whatever they like in their own
 * names, and what correct replicas have really said.
 */
export class Adversary {
  private readonly cores = new Map<number, Replica>();
  private readonly identities: readonly ReplicaIndex[];
  private readonly support = new Map<string, Support>();
  private readonly proposals = new Map<string, PrePrepare>();
  private readonly checkpoints = new Map<string, Map<ReplicaIndex, Checkpoint>>();
  private readonly viewChanges = new Map<View, Map<ReplicaIndex, ViewChange>>();
  private readonly said: ReplicaMessage[] = [];
  private readonly bundles: RequestBundle[] = [];
  private highestView = 0;
  private highestPlace = 0;

  constructor(
    private readonly world: World,
    configurations: readonly Configuration[],
  ) {
    this.identities = configurations.map(({ self }) => self);
    for (const configuration of configurations) {
      const environment = { application: new RecordingApplication(), nullBatch, digestOfBatch, proveReplies };
      this.cores.set(configuration.self, new Replica(configuration, environment));
    }
  }

  private get n(): number {
    return this.world.profile.n;
  }

  private get q(): number {
    return this.world.configuration.q;
  }

  /** What happens to a Byzantine replica's own core. */
  input(identity: number, input: Input): void {
    this.world.carryOut(identity, this.cores.get(identity)?.step(input) ?? []);
  }

  /** Whether this sender's message goes to one of the others: a Byzantine one leaves out whom it likes. */
  isTold(from: number): boolean {
    return !this.cores.has(from) || this.world.random.chance(this.world.profile.candour);
  }

  onBundle(bundle: RequestBundle): void {
    this.bundles.push(bundle);
  }

  /** Hears what somebody says to everybody. */
  hear(message: ReplicaMessage): void {
    this.said.push(message);
    switch (message.kind) {
      case 'pre-prepare':
        this.note(message);
        break;
      case 'prepare':
        this.supportOf(message)?.prepares.set(message.replica, message);
        break;
      case 'checkpoint': {
        const name = `${message.sequence}/${message.digest}`;
        const signers = this.checkpoints.get(name) ?? new Map<ReplicaIndex, Checkpoint>();
        this.checkpoints.set(name, signers.set(message.replica, message));
        break;
      }
      case 'view-change': {
        const all = this.viewChanges.get(message.view) ?? new Map<ReplicaIndex, ViewChange>();
        this.viewChanges.set(message.view, all.set(message.replica, message));
        this.highestView = Math.max(this.highestView, message.view);
        break;
      }
      case 'new-view':
        for (const prePrepare of message.prePrepares) this.note(prePrepare);
        this.highestView = Math.max(this.highestView, message.view);
        break;
      case 'commit':
        break;
    }
  }

  /** Now and then they do something besides. */
  pass(): void {
    const { random, profile } = this.world;
    if (
      this.identities.length === 0 ||
      !random.chance(this.world.network.isCalm ? profile.mischief / 10 : profile.mischief)
    )
      return;
    const mischief = random.pick([
      () => this.equivocate(),
      () => this.equivocate(),
      () => this.voteForAnything(),
      () => this.voteForAnything(),
      () => this.askForAnotherView(),
      () => this.beginView(),
      () => this.beginView(),
      () => this.lieAboutState(),
      () => this.repeat(),
    ]);
    mischief();
  }

  /** Two proposals for one sequence number, to each its own. */
  private equivocate(): void {
    const { random } = this.world;
    const current = random.pick([this.highestView, this.highestView, Math.max(0, this.highestView - 1)]);
    const primary = primaryOf(view(current), this.n);
    if (!this.identities.includes(primary) || this.bundles.length === 0) return;
    const place = sequence(Math.max(1, this.highestPlace + random.below(4) - 1));
    const choices = [0, 1].map((later) => {
      const content = batch([random.pick(this.bundles.slice(-6))], { view: current, time: this.world.now + later });
      const message: PrePrepare = {
        kind: 'pre-prepare',
        view: view(current),
        sequence: place,
        digest: content.digest,
        replica: primary,
        batch: content,
      };
      this.note(message);
      return message;
    });
    for (let to = 0; to < this.n; to++) this.world.send(primary, to, random.pick(choices));
  }

  /** PREPAREs and COMMITs for whatever was proposed. */
  private voteForAnything(): void {
    const { random } = this.world;
    const recent = [...this.proposals.values()].slice(-8);
    if (recent.length === 0) return;
    const about = random.pick(recent);
    const primary = primaryOf(about.view, this.n);
    for (const identity of this.identities) {
      for (let to = 0; to < this.n; to++) {
        if (!random.chance(0.7)) continue;
        if (identity !== primary) this.world.send(identity, to, prepare(identity, about));
        this.world.send(identity, to, commit(identity, about));
      }
    }
  }

  /** VIEW-CHANGEs for the next view, or one far off, which say of the past what suits them. */
  private askForAnotherView(): void {
    const { random } = this.world;
    const target = view(this.highestView + (random.chance(0.1) ? 1 + random.below(1000) : random.below(2)));
    if (target === 0) return;
    for (const identity of this.identities) {
      const message = this.viewChangeOf(identity, target);
      for (let to = 0; to < this.n; to++) if (random.chance(0.7)) this.world.send(identity, to, message);
    }
  }

  /** NEW-VIEWs: from other VIEW-CHANGEs to each, from too few, or with an O that does not follow. */
  private beginView(): void {
    const { random } = this.world;
    const candidates = [...this.viewChanges.keys()].filter((asked) =>
      this.identities.includes(primaryOf(asked, this.n)),
    );
    const target = candidates.sort((a, b) => a - b).at(-1);
    if (target === undefined) return;
    const primary = primaryOf(target, this.n);
    const messages = [this.newViewOf(primary, target), this.newViewOf(primary, target)];
    for (let to = 0; to < this.n; to++) if (random.chance(0.8)) this.world.send(primary, to, random.pick(messages));
  }

  private newViewOf(primary: ReplicaIndex, target: View): NewView {
    const { random } = this.world;
    const heard = [...(this.viewChanges.get(target)?.values() ?? [])].filter(
      ({ replica }) => !this.identities.includes(replica),
    );
    const own = this.identities.map((identity) => this.viewChangeOf(identity, target));
    const few = random.chance(0.2) ? 1 : 0;
    const viewChanges = random.shuffled([...own, ...heard]).slice(0, this.q - few);
    const { order } = planNewView(viewChanges, nullBatch.digest);
    const prePrepares = order.map(({ sequence: place, digest: due }): PrePrepare => {
      const isWrong = random.chance(0.05);
      const wrong = isWrong
        ? random.pick([nullBatch.digest, ...[...this.proposals.values()].map((one) => one.digest)])
        : due;
      return { kind: 'pre-prepare', view: target, sequence: place, digest: wrong, replica: primary, batch: undefined };
    });
    if (random.chance(0.05)) prePrepares.pop();
    const message: NewView = { kind: 'new-view', view: target, replica: primary, viewChanges, prePrepares };
    this.hear(message);
    return message;
  }

  private viewChangeOf(identity: ReplicaIndex, target: View): ViewChange {
    const { random } = this.world;
    const stable = this.someCheckpoint();
    const high = stable.sequence + this.world.profile.options.logSize;
    const certificates = new Map<number, PreparedCertificate>();
    for (const { prePrepare, prepares } of this.support.values()) {
      const { sequence: place, view: proposedIn } = prePrepare;
      if (place <= stable.sequence || place > high || proposedIn >= target || random.chance(0.4)) continue;
      const certificate = this.certificateOf(prePrepare, prepares);
      if (certificate !== undefined && (!certificates.has(place) || random.chance(0.5)))
        certificates.set(place, certificate);
    }
    const isEmpty = random.chance(0.3);
    const prepared = isEmpty ? [] : [...certificates.values()];
    return { kind: 'view-change', view: target, replica: identity, stable, prepared };
  }

  private certificateOf(
    prePrepare: PrePrepare,
    heard: ReadonlyMap<ReplicaIndex, Prepare>,
  ): PreparedCertificate | undefined {
    const primary = primaryOf(prePrepare.view, this.n);
    const prepares = new Map(heard);
    for (const identity of this.identities) prepares.set(identity, prepare(identity, prePrepare));
    prepares.delete(primary);
    return prepares.size < this.q - 1
      ? undefined
      : { prePrepare, prepares: [...prepares.values()].slice(0, this.q - 1) };
  }

  private someCheckpoint(): StableCheckpoint {
    const { random } = this.world;
    const proven = [...this.checkpoints.values()].flatMap((signers) => {
      const [first] = signers.values();
      if (first === undefined) return [];
      const all = new Map(signers);
      for (const identity of this.identities) all.set(identity, checkpoint(identity, first.sequence, first.digest));
      return all.size < this.q ? [] : { sequence: first.sequence, proof: [...all.values()].slice(0, this.q) };
    });
    const nothing = { sequence: sequence(0), proof: [] };
    return random.chance(0.7) ? (proven.at(-1) ?? nothing) : random.pick([nothing, ...proven]);
  }

  /** CHECKPOINTs with a wrong state, or for a sequence number far off. */
  private lieAboutState(): void {
    const { random } = this.world;
    const { checkpointInterval } = this.world.profile.options;
    const near = Math.ceil(Math.max(1, this.highestPlace) / checkpointInterval) * checkpointInterval;
    const place = random.chance(0.8) ? near : near * 1000;
    for (const identity of this.identities) {
      for (let to = 0; to < this.n; to++) {
        this.world.send(identity, to, checkpoint(identity, place, digest(`a lie of ${identity} to ${to}`)));
      }
    }
  }

  /** Whatever anybody has said, once more, to anybody. */
  private repeat(): void {
    const { random } = this.world;
    for (let count = 0; count < 4 && this.said.length > 0; count++) {
      this.world.send(this.identities[0] ?? 0, random.below(this.n), random.pick(this.said.slice(-200)));
    }
  }

  private note(message: PrePrepare): void {
    this.supportOf(message);
    if (message.batch !== undefined || !this.proposals.has(message.digest)) this.proposals.set(message.digest, message);
    this.highestPlace = Math.max(this.highestPlace, message.sequence);
  }

  private supportOf(about: PrePrepare | Prepare): Support | undefined {
    const name = `${about.view}/${about.sequence}/${about.digest}`;
    const known = this.support.get(name);
    if (known !== undefined || about.kind === 'prepare') return known;
    const made: Support = { prePrepare: { ...about, batch: undefined }, prepares: new Map() };
    this.support.set(name, made);
    return made;
  }
}
