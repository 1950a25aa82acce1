/**
 * One of a replica's hashes: of a sequence number, `replica` for the one that holds view and last executed, or `state` for
 * its checkpointed state.
 */
export type LogPlace = number | 'replica' | 'state';

/** One write to the log: fields of one hash. */
export interface LogWrite {
  readonly place: LogPlace;
  readonly fields: ReadonlyMap<string, Uint8Array>;
}

/** What is not needed any more: all of a sequence number's hash; fields of the state's, or all of them. */
export type Removal =
  { readonly place: number } | { readonly place: 'state'; readonly fields: readonly string[] | 'all' };

/** A replica's log as it is read back: by itself at a start, and to serve peers that were away. Its content is not trusted. */
export interface MessageLog {
  /** The fields of one sequence number; empty when there is none. */
  read(sequence: number): Promise<Readonly<Record<string, Buffer>>>;
  /** The fields of the replica's own hash. */
  readReplica(): Promise<Readonly<Record<string, Buffer>>>;
  /**
   * The fields of the checkpointed state, a page at a time, in any order; one may come twice. It may be of any size: whoever
   * reads sets the limit, and ends the iteration.
   */
  scanState(): AsyncIterable<readonly [field: string, value: Buffer]>;
}
