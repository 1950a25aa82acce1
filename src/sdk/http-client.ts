import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { keyOfOwner } from '../client/idempotency-keys.js';
import type { ClusterStatus, QueryAnswer } from '../client/cluster-client.js';
import type { MembershipDocument } from '../crypto/membership.js';
import type { Reply } from '../crypto/receipt.js';
import type { StateProof, StateProofSummary } from '../crypto/state-proof.js';
import type { ReceiptSummary } from '../crypto/verify-receipt.js';
import { QuorateError } from '../errors.js';
import type { Json } from '../wire/json.js';
import { checkDeadline, checkIdempotencyKey, deadlineDefaultMs, keyInPath, textOf } from './calls.js';
import {
  QuorateClient,
  type CallOptions,
  type ClusterEvent,
  type EventsOptions,
  type QueryCallOptions,
  type SubmitCallOptions,
} from './client.js';
import { checkAfter, followEvents } from './event-feed.js';
import { Http, type HttpCall } from './http.js';
import { signedOperation } from './signing.js';
import { pinned, ReceiptChecker, type Trust } from './receipts.js';

/** A gateway, who asks, and whom to believe. */
export interface HttpConnection extends Trust {
  /** A gateway: `http://HOST:PORT` or `https://HOST:PORT`, with a path before `/v1` where there is one. */
  readonly url: string;
  /** Sent as a bearer token. */
  readonly apiKey?: string | undefined;
  /**
   * The name by which the gateway knows whose key that is. Idempotency keys are then its own, and receipts name them so: without
   * it genuine replies are refused as another request's.
   */
  readonly client?: string | undefined;
  /** Milliseconds for each call with its retries, where the call says nothing else: 30,000 by default. */
  readonly deadlineMs?: number | undefined;
  /** Instead of Node's own, for a proxy or a client certificate. */
  readonly fetch?: typeof fetch | undefined;
}

const valueSchema = z.object({
  value: z.json(),
  sequence: z.number(),
  consistency: z.enum(['linearizable', 'local']),
  replicas: z.array(z.string()),
});

/** @throws {QuorateError} `invalid-setting`, `invalid-membership`, and what a call throws when it asks for the membership */
export async function connectByHttp(connection: HttpConnection): Promise<QuorateClient> {
  const { url, apiKey, deadlineMs = deadlineDefaultMs } = connection;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new QuorateError(
      'invalid-setting',
      `url is ${JSON.stringify(url)}: it should be http://HOST:PORT or https://HOST:PORT`,
    );
  }
  checkDeadline(deadlineMs);
  const http = new Http({ url: url.replace(/\/+$/, ''), apiKey, fetch: connection.fetch ?? fetch });
  const membership = await pinned(connection, async () =>
    parsed(await http.ask({ path: '/v1/membership', deadlineMs, signals: [] })),
  );
  return new HttpClient(http, new ReceiptChecker(membership), deadlineMs, connection.client);
}

class HttpClient extends QuorateClient {
  private readonly closing = new AbortController();

  constructor(
    private readonly http: Http,
    private readonly receipts: ReceiptChecker,
    private readonly deadlineMs: number,
    private readonly owner: string | undefined,
  ) {
    super();
  }

  override get membership(): MembershipDocument {
    return this.receipts.document;
  }

  override async submit(operation: Json, options: SubmitCallOptions = {}): Promise<Reply> {
    const { idempotencyKey = randomUUID() } = options;
    checkIdempotencyKey(idempotencyKey);
    const executedUnder = this.owner === undefined ? idempotencyKey : keyOfOwner(this.owner, idempotencyKey);
    const sent = await this.signed(operation, executedUnder, options);
    const headers = { 'content-type': 'application/json', 'idempotency-key': idempotencyKey };
    const init = { method: 'POST', headers, body: `{"operation":${textOf(sent)}}` };
    const text = await this.ask({ path: '/v1/requests', init }, options);
    this.receipts.checkReply(text, sent, executedUnder);
    return JSON.parse(text) as Reply;
  }

  override async query(key: string, options: QueryCallOptions = {}): Promise<QueryAnswer> {
    const { consistency = 'linearizable' } = options;
    const path = `/v1/kv/${keyInPath(key)}?consistency=${consistency}`;
    try {
      return understood(valueSchema, await this.ask({ path }, options));
    } catch (error) {
      if (!(error instanceof QuorateError) || error.code !== 'not-found') throw error;
      const answer = valueSchema.omit({ value: true }).safeParse(error.details);
      if (!answer.success) throw error; // the gateway has no such path
      return { value: undefined, ...answer.data };
    }
  }

  override events(options: EventsOptions = {}): AsyncIterableIterator<ClusterEvent> {
    this.assertOpen();
    checkAfter(options.after);
    return followEvents(this.http, this.receipts, options, this.closing.signal);
  }

  override verifyReceipt(receipt: string | object): ReceiptSummary {
    return this.receipts.check(receipt);
  }

  override async prove(key: string, options: CallOptions = {}): Promise<StateProof> {
    return this.receipts.proofOf(await this.ask({ path: `/v1/state/${keyInPath(key)}` }, options), key);
  }

  override verifyStateProof(proof: string | object): StateProofSummary {
    return this.receipts.checkState(proof);
  }

  override async status(options: CallOptions = {}): Promise<ClusterStatus> {
    return parsed(await this.ask({ path: '/v1/status' }, options)) as ClusterStatus;
  }

  override close(): Promise<void> {
    this.closing.abort(new QuorateError('shutting-down', 'the client was closed'));
    return Promise.resolve();
  }

  private async signed(operation: Json, executedUnder: string, options: SubmitCallOptions): Promise<Json> {
    const { signWith, deadlineMs = this.deadlineMs } = options;
    if (signWith === undefined) return operation;
    textOf(operation); // what is no JSON is refused before anybody is asked
    const { genesisDigest } = this.receipts;
    const status = await this.status(options);
    return signedOperation(operation, { signWith, executedUnder, genesisDigest, deadlineMs, status });
  }

  private async ask(call: Pick<HttpCall, 'path' | 'init'>, options: CallOptions): Promise<string> {
    this.assertOpen();
    const { deadlineMs = this.deadlineMs, signal } = options;
    checkDeadline(deadlineMs);
    const signals = signal === undefined ? [this.closing.signal] : [this.closing.signal, signal];
    signal?.throwIfAborted();
    return await this.http.ask({ ...call, deadlineMs, signals });
  }

  private assertOpen(): void {
    this.closing.signal.throwIfAborted();
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new QuorateError('internal', 'the gateway answered with something else than JSON', {}, { cause: error });
  }
}

function understood<T>(schema: z.ZodType<T>, text: string): T {
  const answer = schema.safeParse(parsed(text));
  if (answer.success) return answer.data;
  throw new QuorateError('internal', 'the gateway answered in a form that this version does not know');
}
