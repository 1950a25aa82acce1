import { BusClient, clientTickMs, gatewayChannels } from '../client/bus-client.js';
import { QuorateError } from '../errors.js';
import type { Json } from '../wire/json.js';
import type { ClusterParts } from './simulated-replica.js';
import type { RepliesChecker } from './checkers/replies-checker.js';
import type { Profile } from './profile.js';
import type { Random } from './random.js';
import { epochMs } from './simulated-replica.js';

/** Longer than any run: a correct client goes on asking until it is answered. */
const patienceMs = 3_600_000;
/** What a client waits that gives up early, milliseconds. */
const hasteMs = 300;

const keys = ['a', 'b', 'c'];
const idempotencyKeys = ['first', 'second', 'third', 'fourth', 'fifth'];

/** A correct gateway with the real client in it. */
export class SimulatedGateway {
  readonly client: BusClient;
  private timestamp = 0;

  constructor(
    readonly name: string,
    { time, network, founders, signatures, busRedis }: ClusterParts,
    nonces: Random,
  ) {
    this.client = new BusClient({
      membership: founders.membership,
      credential: signatures.credentialOf(name),
      signer: signatures.signerOf(name),
      verifier: signatures.verifier,
      publisher: {
        connected: true,
        publish: (publications) => {
          if (busRedis.outage === undefined) network.publish(name, publications);
        },
        close: () => Promise.resolve(),
      },
      timestamps: { next: () => ++this.timestamp },
      deadlineMs: patienceMs,
      inFlightMax: 1024,
      now: () => epochMs + Math.floor(time.now),
      defer: (run) => {
        time.after(0, run);
      },
      drawNonce: () => nonces.below(2 ** 32),
    });
    this.client.attach(network.subscribe(name, gatewayChannels(name), this.client));
    const tick = (): void => {
      this.client.tick();
      time.after(clientTickMs, tick);
    };
    time.after(clientTickMs, tick);
  }
}

/** What correct clients do: all sorts of operations at random times, each until it is answered. */
export class Workload {
  /** Requests that wait for their answers, and since when. */
  readonly waiting = new Map<number, { readonly what: string; readonly since: number }>();
  submitted = 0;
  answered = 0;
  gaveUp = 0;
  failed = 0;

  constructor(
    private readonly parts: ClusterParts,
    private readonly gateways: readonly SimulatedGateway[],
    private readonly random: Random,
    private readonly replies: RepliesChecker,
  ) {}

  /** Spreads the profile's requests over its time. */
  schedule({ requests, durationMs }: Pick<Profile, 'requests' | 'durationMs'>): void {
    for (let index = 0; index < requests; index++) {
      this.parts.time.after(this.random.next() * durationMs, () => {
        this.submitOne();
      });
    }
  }

  /** One operation of some kind. */
  submitOne(): void {
    const { random } = this;
    const key = random.pick(keys);
    const gateway = random.pick(this.gateways);
    if (random.chance(0.2)) {
      this.track(`read of ${key}`, async (start) => {
        const { value } = await gateway.client.query({ op: 'get', key }, 'linearizable', patienceMs);
        this.replies.onReply({
          what: `read of ${key} at ${start}`,
          start,
          end: this.parts.time.now,
          read: { key, value },
        });
      });
      return;
    }
    const operation = this.drawOperation(key);
    const isKeyed = random.chance(0.15);
    const isHasty = random.chance(0.1);
    const options = {
      ...(isHasty ? { deadlineMs: hasteMs } : {}),
      // Whoever sends a key again sends the same operation, perhaps to another gateway.
      ...(isKeyed ? { idempotencyKey: random.pick(idempotencyKeys) } : {}),
    };
    const sent: Json = isKeyed ? { op: 'increment', key: `key ${options.idempotencyKey ?? ''}`, by: 1 } : operation;
    // A user who hears nothing may ask another gateway, while the first one is still at it.
    const asked = isKeyed && random.chance(0.6) ? this.gateways : [gateway];
    for (const { client } of asked) {
      this.track(JSON.stringify(sent), async (start) => {
        const reply = await client.submit(sent, options);
        const what = `${JSON.stringify(sent)} at ${start}`;
        this.replies.onReply({ what, start, end: this.parts.time.now, reply, isKeyed });
      });
    }
  }

  private drawOperation(key: string): Json {
    const { random } = this;
    const value = random.below(5);
    switch (random.below(5)) {
      case 0:
        return { op: 'put', key, value };
      case 1:
        return { op: 'get', key };
      case 2:
        return { op: 'delete', key };
      case 3:
        return { op: 'compare-and-set', key, expected: random.below(3), value };
      default:
        return { op: 'increment', key, by: 1 };
    }
  }

  private track(what: string, run: (start: number) => Promise<void>): void {
    const start = this.parts.time.now;
    const id = this.submitted++;
    this.waiting.set(id, { what, since: start });
    run(start).then(
      () => {
        this.answered++;
        this.waiting.delete(id);
      },
      (error: unknown) => {
        this.waiting.delete(id);
        if (error instanceof QuorateError && error.code === 'no-quorum') this.gaveUp++;
        else if (error instanceof QuorateError && error.code === 'bus-unavailable') this.failed++;
        else this.parts.onClientFailure(error);
      },
    );
  }
}
