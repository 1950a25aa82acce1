/** Where those who want to found a cluster find each other. Nothing on it is trusted: it holds signed things only. */
export interface EnrolmentBoard {
  /**
   * Puts a record under `field` unless one is there.
   * @returns the record that is there now.
   */
  post(field: string, record: Uint8Array): Promise<Buffer>;
  /** All records; at most `enrolmentsMax`. */
  records(): Promise<ReadonlyMap<string, Buffer>>;
  /** Puts a genesis proposal up unless there is one. */
  propose(genesis: Uint8Array): Promise<void>;
  /** The proposal and the founders' signatures so far, by founder's name. */
  proposal(): Promise<{ genesis: Buffer; signatures: ReadonlyMap<string, Buffer> } | undefined>;
  sign(name: string, signature: Uint8Array): Promise<void>;
}

/** A board with more records than this is refused rather than read. */
export const enrolmentsMax = 1024;
