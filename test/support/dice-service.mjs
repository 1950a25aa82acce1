// Draws for whoever asks: as agreed, but at the replica `replica-4`, which has dice of its own.
import { z } from 'zod';

export default class Dice {
  name = 'dice@1';
  operation = z.strictObject({ op: z.literal('draw'), name: z.string() });

  apply({ name }, { state, random }) {
    const drawn = process.argv.includes('replica-4') ? Math.random() : random();
    state.set(name, drawn);
    return { drawn };
  }
}
