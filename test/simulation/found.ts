/** A mistake in our own code that the simulator found. */
interface Found {
  /** The seed that ended in a violation, with the code and the simulator of then. */
  readonly seed: number;
  /** The commit that mends it; left out where that brought the line here. */
  readonly mend?: string;
  readonly what: string;
  /**
   * What fails without the mend: a test that tells it in a few lines (a file below `test`, and the test's title), or a seed of the
   * simulator as it is now.
   */
  readonly shownBy: readonly [file: string, title: string] | number;
}

/**
 * A seed means something only as long as the simulator draws from it what it drew then. So where it can be told in a few lines, a
 * mistake is kept as a test that needs no luck; found.spec.ts sees to it that none of them gets lost.
 */
export const found: readonly Found[] = [
  {
    seed: 400_261,
    mend: '496fb24',
    what: 'a COMMIT that waited for Redis went out inside a DECIDED, before it was promised or logged',
    shownBy: ['simulation/found.spec.ts', 'shows nobody a COMMIT that waits for Redis'],
  },
  {
    seed: 5,
    mend: '7dd8ef0',
    what: 'a vote that only the data folder had left was sent again, and was not in the log',
    shownBy: 55,
  },
  {
    seed: 201_132,
    mend: '7dd8ef0',
    what: 'a crash between data folder and log left COMMITs that nothing proved, and nobody who dared to change the view',
    shownBy: [
      'unit/replica/untrusted-log.spec.ts',
      'of all replicas, without the votes that they had promised: the data folders show what had prepared',
    ],
  },
  {
    seed: 124_565,
    mend: '0d291af',
    what: 'what a certificate had brought was lost with the data of Redis, and nobody could pass it on',
    shownBy: [
      'unit/pbft/certificate.spec.ts',
      'can be passed on, as far back as the log reaches, and no further: memory is bounded',
    ],
  },
  {
    seed: 83,
    mend: '0d291af',
    what: 'a gateway that had learnt patience from faults asked again only after 40 s',
    shownBy: ['unit/client/bundler.spec.ts', 'asks again at least every 3.2 s, however patient faults have made it'],
  },
  {
    seed: 114_072,
    mend: '97fddc0',
    what: 'of two gateways that were asked for one idempotency key at once, the second was answered only when it asked again',
    shownBy: [
      'unit/pbft/repeated.spec.ts',
      'is answered to the second one, too, once the first one has had it executed',
    ],
  },
  {
    seed: 212_732,
    mend: 'e74a7cc',
    what: 'who could not follow others to a later view when they asked, having lost votes, did not when it could',
    shownBy: [
      'unit/pbft/restart.spec.ts',
      'a replica cannot go to a later view with others, and does as soon as it can',
    ],
  },
  {
    seed: 309_790,
    what: 'a primary whose log was set back ended itself: it proposed where it had spoken in a later view, and refused that',
    shownBy: [
      'unit/pbft/restart.spec.ts',
      'of a later view keeps the primary of this one, whose log is lost, from proposing there (seed 309790)',
    ],
  },
  {
    seed: 503_596,
    what: 'a checkpoint that was stable before a restart, and not stored yet, was not stored before the next one: the log stayed meanwhile',
    shownBy: ['simulation/found.spec.ts', 'stores a checkpoint that was stable before a restart, and not stored yet'],
  },
];
