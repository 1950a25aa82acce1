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
  {
    seed: 201_132,
    options: { replicas: 7 },
    what: 'a crash between data folder and log left COMMITs that nothing proved, and nobody who dared to change the view',
  },
  {
    seed: 5,
    options: { replicas: 4 },
    what: 'a vote that only the data folder had left was sent again, and was not in the log',
  },
  {
    seed: 124_565,
    options: {},
    what: 'what a certificate had brought was lost with the data of Redis, and nobody could pass it on',
  },
  {
    seed: 212_732,
    options: {},
    what: 'who could not follow others to a later view when they asked, having lost votes, did not when it could',
  },
  {
    seed: 83,
    options: { replicas: 4 },
    what: 'a gateway that had learnt patience from faults asked again only after 40 s',
  },
];
