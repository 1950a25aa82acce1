import type { Server } from 'node:http';
import type { QuorateClient } from '../sdk/client.js';
import { overBus } from '../sdk/over-bus.js';
import { undo } from '../cli/open-redis.js';
import { QuorateError } from '../errors.js';
import type { StateMachine } from '../state-machine/state-machine.js';
import { stateMachineOf } from '../state-machine/state-machine-of.js';
import { opened } from './bus-connection.js';
import { embeddedSettings, type EmbeddedSettings } from './embedded-settings.js';
import { givingUpAt } from './giving-up.js';

/** A class that is made with no arguments, or an instance. */
export type StateMachineSource = StateMachine<unknown> | (new () => StateMachine<unknown>);

/** The settings of the README's table under the same names in camel case, and what only a program can hand over. */
export interface EmbeddingOptions extends EmbeddedSettings {
  readonly stateMachine: StateMachineSource;
  /** Gives a start up: founding a cluster may wait for the other parties for ever. Without effect once it has started. */
  readonly signal?: AbortSignal | undefined;
}

/** What a replica takes. */
export interface ReplicaOptions extends EmbeddingOptions {
  /**
   * Told that the replica has ended by itself: another process runs with its identity, or an invariant broke. By default the
   * error is thrown where nobody catches it, which ends the process: a replica that goes on after that could do harm.
   */
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

/** A replica inside this process. */
export interface EmbeddedReplica {
  readonly name: string;
  /** Lets go of everything; the replica goes on from its folder when it is created again. */
  stop(): Promise<void>;
}

/** A gateway inside this process, listening on a port of its own. */
export interface EmbeddedGateway {
  /** Without a slash at the end. */
  readonly url: string;
  /** Straight over the bus, without HTTP. Closing it stops the gateway. */
  readonly client: QuorateClient;
  /** Finishes what was accepted, within its deadlines, and lets go of everything. */
  stop(): Promise<void>;
}

/**
 * Starts one replica in this process. Settles when it takes part; a cluster that is not founded yet is waited for.
 * One replica to a process and a machine is what fault tolerance needs; nothing else is enforced.
 * @throws {QuorateError} `invalid-setting`, `identity-in-use`, `bus-unavailable`, `unsafe-redis`, `state-format`, `enrolment-refused` …; or the
 *   signal's reason
 */
export async function createReplica(options: ReplicaOptions): Promise<EmbeddedReplica> {
  const { stateMachine, signal, onFailure = throwUncaught, ...given } = options;
  const settings = embeddedSettings(given);
  const machine = machineOf(stateMachine);
  const { runReplica } = await import('../cli/run-replica.js');
  return await givingUpAt(signal, (cleanUp) => {
    const failed = (error: unknown): void => {
      void undo(cleanUp).finally(() => {
        onFailure(error);
      });
    };
    return runReplica(settings, machine, { cleanUp, onFailure: failed });
  });
}

/**
 * Starts a gateway in this process: the `/v1` API on a port of its own, and a client.
 * @throws {QuorateError} as `createReplica`; EADDRINUSE and EACCES from the system
 */
export async function createGateway(options: EmbeddingOptions): Promise<EmbeddedGateway> {
  const { stateMachine, signal, ...given } = options;
  const settings = embeddedSettings(given);
  const machine = machineOf(stateMachine);
  const { runGateway } = await import('../cli/run-gateway.js');
  const running = await givingUpAt(signal, (cleanUp) => runGateway(settings, machine, cleanUp));
  const client = overBus(running.client, () => running.stop(), settings.deadlineMs);
  return { url: running.url, client, stop: () => client.stop() };
}

/** A gateway inside this process, for a server that is there already, or will be. */
export interface MountableGateway {
  /** Straight over the bus, without HTTP. Closing it stops the gateway. */
  readonly client: QuorateClient;
  /** Answers what `server` gets below the gateway's path, from now on; the rest goes on as before. */
  mountOn(server: Server): void;
  /** Finishes what was accepted, within its deadlines, and lets go of everything but the server. */
  stop(): Promise<void>;
}

/**
 * As `createGateway`, for somebody else's server. `port` and `host` mean nothing to it.
 * @param path below which it answers: by default `''`, and then it has `/v1` alone
 * @throws {QuorateError} as `createReplica`
 */
export async function createMountableGateway(options: EmbeddingOptions, path = ''): Promise<MountableGateway> {
  if (!/^(\/[\w.~-]+)*$/.test(path)) {
    throw new QuorateError(
      'invalid-setting',
      `path is ${JSON.stringify(path)}: it should be like /quorate, or left out`,
    );
  }
  const { stateMachine, signal, ...given } = options;
  const settings = embeddedSettings(given);
  const machine = machineOf(stateMachine);
  const { runMountableGateway } = await import('../cli/run-gateway.js');
  const running = await givingUpAt(signal, (cleanUp) => runMountableGateway(settings, machine, path, cleanUp));
  const client = overBus(running.client, () => running.stop(), settings.deadlineMs);
  const mountOn = (server: Server): void => {
    running.mountOn(server);
  };
  return { client, mountOn, stop: () => client.stop() };
}

/**
 * A client straight on the bus, without a gateway: it enrols as a gateway does, so it needs the join token and a folder.
 * Closing it lets go of both. `connect({ redisUrl })` is the same with a pinned genesis and a deadline.
 * @throws {QuorateError} as `createReplica`
 */
export async function createClient(options: Omit<EmbeddingOptions, 'stateMachine'>): Promise<QuorateClient> {
  const { signal, ...given } = options;
  const settings = embeddedSettings(given);
  return await givingUpAt(signal, (cleanUp) => opened(settings, cleanUp));
}

/** @throws {QuorateError} `invalid-setting` */
function machineOf(source: unknown): StateMachine {
  const machine = stateMachineOf(source);
  if (machine !== undefined) return machine;
  throw new QuorateError(
    'invalid-setting',
    'stateMachine should be an object with `name`, `operation` and `apply`, or a class of such objects',
  );
}

function throwUncaught(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
