import { z } from 'zod';
import type { OperationContext, ReadonlyState, StateMachine } from '../../src/state-machine/state-machine.js';
import type { Json } from '../../src/wire/json.js';

/** What a country may propose: the hour of the war, 0 to 9999. */
const operation = z.strictObject({
  op: z.literal('agree'),
  warTime: z.int().min(0).max(9999),
});

type Agree = z.infer<typeof operation>;

/**
 * The countries agree on the time of the war. All of them see the same proposals in the same order, so the latest one
 * is the same for all, even if one of the countries lies.
 */
export default class WarCouncil implements StateMachine<Agree> {
  /** Replicas that run another machine, or another version of it, never join this cluster. */
  readonly name = 'war-council@1';

  /** Checked before an operation is ordered: `apply` sees nothing else. */
  readonly operation = operation;

  /** Runs at every replica, in the agreed order. Everything it knows is in its arguments: no clock, no randomness. */
  apply({ warTime }: Agree, { state }: OperationContext): Json {
    const round = Number(state.get('round') ?? 0) + 1;
    state.set('round', round);
    state.set('war-time', warTime);
    return { ok: true, warTime, round };
  }

  /** Answers without ordering anything. `undefined`: nothing has been agreed yet. */
  query(_query: Json, state: ReadonlyState): Json | undefined {
    const warTime = state.get('war-time');
    return warTime === undefined ? undefined : { warTime, round: state.get('round') ?? 0 };
  }
}
