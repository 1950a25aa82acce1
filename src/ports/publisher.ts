import type { Publication } from './bus.js';

/** Publishes without a log: what a gateway says, which promises nothing. */
export interface Publisher {
  /** Whether the bus answers just now. */
  readonly connected: boolean;
  /** Publishes at once; lost when the bus cannot be reached. */
  publish(publications: readonly Publication[]): void;
  close(): Promise<void>;
}
