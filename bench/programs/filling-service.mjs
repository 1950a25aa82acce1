// The key-value service with one operation more, which writes many keys at once: a state of any size takes few requests.
import { z } from 'zod';
import KeyValueService from '../../dist/state-machine/key-value.js';
import { keyAt } from '../measure/operations.mjs';

const fill = z.strictObject({ op: z.literal('fill'), from: z.int(), count: z.int() });

export default class FillingService extends KeyValueService {
  name = 'filling@1';
  operation = z.union([fill, new KeyValueService().operation]);

  apply(operation, context) {
    if (operation.op !== 'fill') return super.apply(operation, context);
    const { from, count } = operation;
    for (let index = from; index < from + count; index++) context.state.set(keyAt(index), `value ${index}`);
    return { ok: true };
  }
}
