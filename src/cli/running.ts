/** A process's part that runs until it is stopped. */
export interface Running {
  /** Finishes what was accepted, within its deadlines, and lets go of everything. */
  stop(): Promise<void>;
}
