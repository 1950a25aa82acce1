import { Connection } from '../redis/connection.js';
import { DirectConnection } from '../redis/direct-connection.js';

/** What is to be undone at the end, last first. */
export type CleanUp = (() => Promise<void> | void)[];

/** Undoes what was begun, last first. */
export async function undo(cleanUp: CleanUp): Promise<void> {
  for (const step of cleanUp.splice(0).reverse()) await step();
}

/** Opens a connection and has it closed at the end. @throws {QuorateError} `bus-unavailable` */
export function openRedis(url: string, cleanUp: CleanUp): Promise<Connection> {
  return opened(new Connection(url), cleanUp);
}

/** The same for what is said most. @throws {QuorateError} `bus-unavailable` */
export function openDirect(url: string, cleanUp: CleanUp): Promise<DirectConnection> {
  return opened(new DirectConnection(url), cleanUp);
}

async function opened<C extends Connection>(connection: C, cleanUp: CleanUp): Promise<C> {
  cleanUp.push(() => connection.close());
  await connection.open();
  return connection;
}
