import type { IncomingMessage } from 'node:http';
import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { QuorateError } from '../errors.js';
import { Connections } from './connections.js';
import { CLIENT_GRACE_MS, GATEWAY_OPTIONS, type GatewayOptions } from './options.js';
import { Places } from './places.js';

/** What an admitted request takes up while anybody holds it: a batch whose client has left may begin with a line once more. */
class Place {
  #holders = 0;

  /** @param count is told how many places more are taken: one, or minus one. */
  constructor(private readonly count: (more: number) => void) {}

  hold(): void {
    if (this.#holders === 0) this.count(1);
    this.#holders += 1;
  }

  letGo(): void {
    this.#holders -= 1;
    if (this.#holders === 0) this.count(-1);
  }
}

/** Where a request has its place. */
const placeOf = Symbol('place');
type Admitted = IncomingMessage & { [placeOf]?: Place };

/**
 * Counts the requests on their way through the cluster, from before their body is read until both the answer is sent
 * and the cluster's work on it is over: a client that hangs up frees nothing as long as its operation runs on.
 */
@Injectable()
export class Admission {
  readonly #places: Places;
  #inFlight = 0;
  readonly #count = (more: number): void => {
    this.#inFlight += more;
  };

  constructor(
    @Inject(GATEWAY_OPTIONS) private readonly options: GatewayOptions,
    @Inject(Connections) private readonly connections: Connections,
  ) {
    this.#places = new Places(options.inFlightMax, options.deadlineMs);
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Requests that may be in flight at once, as long as answers take what they take now. */
  get places(): number {
    return this.#places.count;
  }

  get isFull(): boolean {
    return this.#inFlight >= this.#places.count;
  }

  /** What is said to a request for which there is no place. */
  refusal(): QuorateError {
    const { inFlightMax } = this.options;
    const detail = 'As many requests are in flight already as can be answered in time.';
    return new QuorateError('overloaded', detail, { inFlightMax });
  }

  /** @throws {QuorateError} `overloaded` */
  enter(request: IncomingMessage): void {
    if (this.isFull) throw this.refusal();
    const place = new Place(this.#count);
    (request as Admitted)[placeOf] = place;
    place.hold();
    const letGo = (): void => {
      place.letGo();
    };
    const exchange = this.connections.of(request);
    if (exchange === undefined) letGo();
    else exchange.onEnd(letGo);
  }

  /**
   * Hands an admitted request to the cluster. From here on it is accepted: neither the client's hanging up nor a
   * shutdown of the gateway ends it.
   * @param work gets its deadline in milliseconds, and should settle by then.
   * @throws {QuorateError} `shutting-down` if it was not handed on; `no-quorum` if `work` does not settle; and what
   *   `work` throws
   */
  async run<T>(request: IncomingMessage, work: (deadlineMs: number) => Promise<T>): Promise<T> {
    if (this.connections.draining) {
      throw new QuorateError('shutting-down', 'The gateway takes no more requests. This one was not executed.');
    }
    const place = (request as Admitted)[placeOf];
    place?.hold();
    const startedAt = performance.now();
    try {
      return await withinDeadline(work(this.options.deadlineMs), this.options.deadlineMs + CLIENT_GRACE_MS);
    } finally {
      this.#places.onEnd(startedAt, performance.now(), this.#inFlight);
      place?.letGo();
    }
  }
}

/** What `work` gives, unless it takes longer. */
function withinDeadline<T>(work: Promise<T>, deadlineMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const details = { answered: [], mayStillCommit: true };
      reject(new QuorateError('no-quorum', 'No answer came within the deadline. It may still commit.', details));
    }, deadlineMs);
    work.then(
      (result) => {
        clearTimeout(timer);
        resolve(result);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error instanceof Error ? error : new Error('not an error', { cause: error }));
      },
    );
  });
}

/** On the controllers whose requests go through the cluster. Guards run before pipes, hence before a body is read. */
@Injectable()
export class AdmissionGuard implements CanActivate {
  constructor(@Inject(Admission) private readonly admission: Admission) {}

  canActivate(context: ExecutionContext): boolean {
    this.admission.enter(context.switchToHttp().getRequest<IncomingMessage>());
    return true;
  }
}
