import { Connection } from '../redis/connection.js';

/** What is to be undone at the end, last first. */
export type CleanUp = (() => Promise<void> | void)[];

/** Undoes what was begun, last first. */
export async function undo(cleanUp: CleanUp): Promise<void> {
  for (const step of cleanUp.splice(0).reverse()) await step();
}

/** Opens a connection and has it closed at the end. @throws {QuorateError} `bus-unavailable` */
export async function openRedis(url: string, cleanUp: CleanUp): Promise<Connection> {
  const connection = new Connection(url);
  cleanUp.push(() => connection.close());
  await connection.open();
  return connection;
}
