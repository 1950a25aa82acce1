import { processorUs } from '../measure/processor-time.mjs';
import { inTurn } from '../measure/rounds.mjs';
import { Program } from '../processes/program.mjs';
import { methodOf, OPERATION_BYTES } from './floor.mjs';

const PROGRAM = new URL('../programs/one-process.mjs', import.meta.url);

/**
 * What a request costs in our own code alone: the same replicas and client in one process, without Redis. Its processor time is steadier
 * than anything that several processes do, so that small steps show.
 */
export const oneProcess = {
  name: 'one-process',
  title: 'Four replicas and a client in one process, without Redis',
  async run(context) {
    const { cleanUp, options } = context;
    const program = new Program({ name: 'one-process', file: PROGRAM, options: {} });
    cleanUp.add(
      () => program.stop(),
      () => program.kill(),
    );
    await program.ready;
    await program.ask('open');
    const load = {
      ask: (method, argument, timeoutMs) => program.ask(method, argument, timeoutMs),
      processIds: () => ({ [program.name]: program.pid }),
      processorTime: async () => ({ client: await processorUs(program.pid) }),
    };
    const spec = { outstanding: options.outstanding, operationBytes: OPERATION_BYTES };
    const rows = await inTurn([{ name: 'one-process', label: 'everything', load, spec }], methodOf(context));
    return { rows: Object.values(rows) };
  },
};
