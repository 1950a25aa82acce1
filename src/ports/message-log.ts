/** One write to the log: fields of the hash of one sequence number, or of the replica's own hash. */
export interface LogWrite {
  /** A sequence number, or `replica` for the hash that holds view and last executed. */
  readonly place: number | 'replica';
  readonly fields: Readonly<Record<string, Uint8Array>>;
}

/** A replica's log as it is read back: by itself at a start, and to serve peers that were away. Its content is not trusted. */
export interface MessageLog {
  /** The fields of one sequence number; empty when there is none. */
  read(sequence: number): Promise<Readonly<Record<string, Buffer>>>;
  /** The fields of the replica's own hash. */
  readReplica(): Promise<Readonly<Record<string, Buffer>>>;
}
