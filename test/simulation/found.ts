import type { SimulationOptions } from '../../src/simulator/profile.js';

/** A mistake in our own code that the simulator found. */
interface Found {
  readonly seed: number;
  readonly options: SimulationOptions;
  readonly what: string;
}

/**
 * Run again for ever. A seed means something only as long as the simulator draws from it what it drew then: whatever can be
 * told in a few lines is a directed scenario, too (found.spec.ts).
 */
export const found: readonly Found[] = [
  {
    seed: 400_261,
    options: { replicas: 7 },
    what: 'a COMMIT that waited for Redis went out inside a DECIDED, before it was promised or logged',
  },
  {
    seed: 400_508,
    options: { replicas: 7 },
    what: 'the same, out of another crash',
  },
];
