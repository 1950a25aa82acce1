import { describe, expect, it } from '@jest/globals';
import type { ReplyChanges } from '../../../src/pbft/effects.js';
import { sequence } from '../../../src/pbft/types.js';
import { StateMachineService } from '../../../src/replica/state-machine-service.js';
import KeyValueMachine from '../../../src/state-machine/key-value.js';

const service = (): StateMachineService => new StateMachineService(new KeyValueMachine(), () => undefined);

/** What a batch at this place has changed, in which one client executed something. */
function changesAt(place: number): ReplyChanges {
  const header = { client: 'client', forgotten: -1, lastSequence: sequence(place), lastIndex: 0 };
  return { headers: new Map([['client', header]]), groups: new Map() };
}

describe('what a batch leaves to be done', () => {
  it('is done by each checkpoint, whether it was done before or not', () => {
    const [prompt, late, nothing] = [service(), service(), service()];
    for (const place of [1, 2]) {
      prompt.afterBatch(changesAt(place), 3 - place);
      prompt.keepUp();
      late.afterBatch(changesAt(place), 3 - place);
    }
    const digest = prompt.checkpoint(sequence(2), 0);
    expect(late.checkpoint(sequence(2), 0)).toBe(digest);
    expect(nothing.checkpoint(sequence(2), 0)).not.toBe(digest);
  });

  it('leaves less and less to the checkpoint as it comes nearer', () => {
    const near = service();
    const left: number[] = [];
    for (const { map } of near.checkpoints.parts) map.hashAhead = (most) => left.push(most);
    for (const untilCheckpoint of [128, 32, 31, 1]) {
      near.afterBatch(changesAt(1), untilCheckpoint);
      near.keepUp();
    }
    expect(left).toEqual([1024, 1024, 1024, 1024, 992, 992, 32, 32]);
  });

  it('is done before the replies are read', () => {
    const late = service();
    late.afterBatch(changesAt(7), 121);
    expect(late.replyTable().headers).toMatchObject([{ client: 'client', lastSequence: 7 }]);
  });
});
