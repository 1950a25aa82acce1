import type { StandardSchemaV1 } from './standard-schema.js';
import type { Json } from '../wire/json.js';

/** What a state machine may read. Values are deeply frozen: change one by `set`ting another. */
export interface ReadonlyState {
  /** `undefined`: the key is not there. */
  get(key: string): Json | undefined;
  /** Whether the key is there. */
  has(key: string): boolean;
}

/** What an operation may read and write. Writes of an operation that throws are undone. */
export interface State extends ReadonlyState {
  /**
   * A key has at most 1,024 bytes of UTF-8, a value 65,536 of canonical JSON, nested at most 64 deep.
   * @throws {OperationRejected} `invalid-key`, `key-too-long`, `value-too-large`, `value-too-deep`, `state-full`
   * @throws {TypeError} when `value` is no JSON, or no operation is being executed
   */
  set(key: string, value: Json): void;
  /** @returns whether the key was there. */
  delete(key: string): boolean;
}

/** All that an operation knows of the world besides the state: every replica sees the same (rule 11). */
export interface OperationContext {
  readonly state: State;
  /** Agreed time, milliseconds since 1970: proposed by the primary, checked by the backups, never goes back. */
  readonly time: number;
  /** The sequence number of the batch in which the operation is ordered. */
  readonly sequence: number;
  /** The client that submitted the operation. */
  readonly client: string;
  /** The public key, canonical base64, of the user who has signed the operation; `undefined` when nobody has. */
  readonly signer: string | undefined;
  /**
   * A number from 0 to below 1, as `Math.random` gives, but the same at every replica; another with each call. It follows from
   * the agreed order and time and from the request, so whoever proposes these can try until they like what comes out: good for
   * spreading and sampling, no lottery and no secret.
   */
  readonly random: () => number;
  /**
   * That many bytes from the same source.
   * @throws {RangeError} unless `count` is a whole number from 0 to 65,536
   */
  readonly randomBytes: (count: number) => Uint8Array;
}

/**
 * A replicated service is one class that implements this. Its state lives in `context.state`, so digests, snapshots
 * and state transfer come with it; the class itself keeps nothing between calls. `apply` must be a function of its
 * arguments alone: no clock but `context.time`, no chance but `context.random`, no I/O.
 */
export interface StateMachine<Operation = Json> {
  /** Goes into genesis: replicas that run different machines never form one cluster. `name@version` by custom. */
  readonly name: string;
  /** Checks operations at the gateway and again at every backup. Must be synchronous, and refuse unknown fields. */
  readonly operation: StandardSchemaV1<unknown, Operation>;
  /**
   * Whether users may (`optional`) or must (`required`) sign operations with keys of their own; `context.signer` is then who has. Every
   * replica checks each signature, and that it is for this cluster and this very request. Without it nobody can. A rule
   * like all others: where it changes, `name` must.
   */
  readonly signatures?: 'optional' | 'required' | undefined;
  /**
   * Executes one operation that `operation` has accepted.
   * @throws {OperationRejected} to answer with an error and leave the state as it was.
   */
  apply(operation: Operation, context: OperationContext): Json;
  /**
   * What an operation that `operation` has accepted does, and to which keys: gateways grant rights by it. Without it the
   * name is the operation's member `op` or `type`, and there are no keys. Must be a function of its argument alone.
   */
  touches?(operation: Operation): readonly { readonly operation: string; readonly key?: string | undefined }[];
  /** Answers a question without changing anything, hence without ordering. `undefined`: there is no such thing. */
  query?(query: Json, state: ReadonlyState): Json | undefined;
}

/**
 * Thrown by `apply`: the operation's result is `{ ok: false, error: { code, message, details? } }` and its writes are undone.
 * Details are JSON, and like everything in a result the same at every replica.
 */
export class OperationRejected extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly details?: Readonly<Record<string, Json>>,
  ) {
    super(message);
    this.name = 'OperationRejected';
  }
}
