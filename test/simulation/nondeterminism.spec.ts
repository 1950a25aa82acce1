import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { ScriptedCluster } from '../../src/simulator/scripted-cluster.js';
import type { OperationContext, StateMachine } from '../../src/state-machine/state-machine.js';
import type { Json } from '../../src/wire/json.js';

const operation = z.strictObject({ op: z.literal('draw'), name: z.string() });

/** Draws for everybody who asks, and keeps what was drawn. */
class Lottery implements StateMachine<z.infer<typeof operation>> {
  readonly name = 'lottery@1';
  readonly operation = operation;

  apply({ name }: z.infer<typeof operation>, context: OperationContext): Json {
    const drawn = this.draw(context);
    context.state.set(name, drawn);
    return { drawn };
  }

  protected draw({ random }: OperationContext): number {
    return random();
  }
}

/** The same, but by its own dice as long as it has them. */
class OwnDice extends Lottery {
  hasDice = true;

  protected override draw(context: OperationContext): number {
    return this.hasDice ? Math.random() : super.draw(context);
  }
}

const checkpointInterval = 4;

/** Draws as often as it takes to get to the next checkpoint. */
async function drawOn(cluster: ScriptedCluster, prefix: string, count = checkpointInterval): Promise<number[]> {
  const drawn: number[] = [];
  for (let turn = 0; turn < count; turn++) {
    const { result } = await cluster.submit({ op: 'draw', name: `${prefix} ${turn}` });
    drawn.push((result as { drawn: number }).drawn);
  }
  return drawn;
}

const digests = (cluster: ScriptedCluster, indices: readonly number[]): string[] => [
  ...new Set(indices.map((index) => cluster.seat(index).life!.service.stateDigest())),
];

describe('agreed chance (rule 11)', () => {
  it('is the same at every replica: in a new view, from the log after a restart, and for who caught up', async () => {
    const cluster = await ScriptedCluster.start({ checkpointInterval, logSize: 8, machineOf: () => new Lottery() });
    const before = await drawOn(cluster, 'first', 3);
    cluster.kill(0);
    const after = await drawOn(cluster, 'second', 2);
    expect(new Set([...before, ...after]).size).toBe(5);
    await cluster.revive(0);
    cluster.kill(2);
    await cluster.revive(2);
    await cluster.until('all are equal', () => [0, 1, 2, 3].every((index) => cluster.core(index).lastExecuted === 5));
    expect(digests(cluster, [0, 1, 2, 3])).toHaveLength(1);
    expect(cluster.violation).toBeUndefined();
  });
});

describe('a replica whose state machine asks Math.random()', () => {
  it('is caught by digests, says so, is left out while the others go on, and is healed by fetching their state', async () => {
    const dice = new OwnDice();
    const machineOf = (replica: number) => (replica === 3 ? dice : new Lottery());
    const cluster = await ScriptedCluster.start({ checkpointInterval, logSize: 8, byzantine: [3], machineOf });
    const statusOf = (replica: number) => cluster.cluster.gateways[0]!.client.status().replicas[replica]!;
    // It hears nothing of the others' states: else it would be healed before anybody could look.
    const meet = cluster.lose(({ to, frame }) => to === 'replica-4' && frame.kind === 'state-chunk');
    await drawOn(cluster, 'first');
    await cluster.until('it says so', () => statusOf(3).voting === false);
    expect(statusOf(3).notVoting).toBe('the state differs from what a quorum has');
    expect(cluster.core(3).isCorrupt).toBe(true);

    const meanwhile = await drawOn(cluster, 'second');
    expect(new Set(meanwhile).size).toBe(checkpointInterval);
    expect([0, 1, 2].map((replica) => statusOf(replica).voting)).toEqual([true, true, true]);
    expect(digests(cluster, [0, 1, 2])).toHaveLength(1);
    expect(digests(cluster, [0, 3])).toHaveLength(2);

    dice.hasDice = false;
    meet();
    await cluster.until('it is healed', () => !cluster.core(3).isCorrupt && statusOf(3).voting === true);
    await drawOn(cluster, 'third');
    const isLevel = () => cluster.core(3).stable.sequence === cluster.core(0).stable.sequence;
    await cluster.until('it has caught up', () => isLevel() && digests(cluster, [0, 1, 2, 3]).length === 1);
    expect(statusOf(3)).toMatchObject({ voting: true, notVoting: null });
    expect(cluster.violation).toBeUndefined();
  });
});
