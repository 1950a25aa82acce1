import type { QuorateClient } from '../sdk/client.js';
import { QuorateError } from '../errors.js';
import { undo, type CleanUp } from '../cli/open-redis.js';
import type { Membership } from '../crypto/membership.js';
import { checkDeadline, deadlineDefaultMs } from '../sdk/calls.js';
import { overBus } from '../sdk/over-bus.js';
import { pinChecker, type Trust } from '../sdk/receipts.js';
import { embeddedSettings, type EmbeddedSettings } from './embedded-settings.js';
import { givingUpAt } from './giving-up.js';

/**
 * The Redis of a cluster, who comes, and whom to believe. A client on the bus enrols as a gateway does: it needs the join token, and a
 * folder for its key and its counter. What is not given comes from the environment variable of that name, then from the default.
 */
export interface BusConnection extends Pick<
  EmbeddedSettings,
  'cluster' | 'dataDir' | 'joinToken' | 'joinTokenFile' | 'gatewayId' | 'inFlightMax'
> {
  /** `redis://`, `rediss://` or `unix:///PATH`. */
  readonly redisUrl: string;
  /** The membership document, known from a source that one trusts: the cluster must have this one. */
  readonly membership?: Trust['membership'];
  /**
   * The hexadecimal genesis digest that the cluster must have. Where neither is pinned the cluster is believed whose replicas have all
   * been admitted by the join token, and it is pinned in the folder from then on.
   */
  readonly genesis?: string | undefined;
  /** Milliseconds for each call with its retries, where the call says nothing else, and for connecting: 30,000 by default. */
  readonly deadlineMs?: number | undefined;
  /** Gives connecting up. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * @throws {QuorateError} `invalid-setting`, `invalid-membership`, `bus-unavailable`, `enrolment-refused`, `identity-in-use`;
 *   `no-quorum` when no cluster is founded within the deadline; or the signal's reason
 */
export async function connectByBus(connection: BusConnection): Promise<QuorateClient> {
  const { deadlineMs = deadlineDefaultMs, signal, membership, genesis, ...given } = connection;
  checkDeadline(deadlineMs);
  // It is part of somebody's program, whose output is its own.
  const settings = embeddedSettings({ ...given, logLevel: 'silent' });
  const accept = pinChecker({ membership, genesis });
  const late = new AbortController();
  const timer = setTimeout(() => {
    const text = `no replicas had founded the cluster ${settings.cluster} within ${String(deadlineMs)} ms`;
    late.abort(new QuorateError('no-quorum', text, { cluster: settings.cluster }));
  }, deadlineMs);
  try {
    const ended = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]);
    return await givingUpAt(ended, (cleanUp) => opened(settings, cleanUp, { accept, deadlineMs }));
  } finally {
    clearTimeout(timer);
  }
}

/** Opens a client on the bus; what was begun is undone when that fails. */
export async function opened(
  settings: ReturnType<typeof embeddedSettings>,
  cleanUp: CleanUp,
  { accept, deadlineMs }: { readonly accept?: (membership: Membership) => void; readonly deadlineMs?: number } = {},
): Promise<QuorateClient> {
  const { openClusterClient } = await import('../cli/open-client.js');
  try {
    const { client } = await openClusterClient(settings, cleanUp, accept);
    return overBus(client, () => undo(cleanUp), deadlineMs ?? settings.deadlineMs);
  } catch (error) {
    await undo(cleanUp);
    throw error;
  }
}
