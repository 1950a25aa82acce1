import { profileOnSignal } from './profiling.mjs';

/**
 * The child's side of `Program`: answers each message `{ id, method, argument }` with what the method returns. Ends when the
 * parent is gone, however that ended.
 *
 * @param {Record<string, (argument: any) => unknown>} methods
 */
export function answer(methods) {
  profileOnSignal(JSON.parse(process.argv[2]).name);
  const send = (message) => {
    if (!process.connected) process.exit(0);
    process.send(message, () => undefined);
  };
  process.on('message', async ({ id, method, argument }) => {
    try {
      send({ id, result: await methods[method](argument) });
    } catch (error) {
      send({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
  process.on('disconnect', () => process.exit(0));
  // A Ctrl-C reaches the whole group; the parent ends us in its order.
  process.on('SIGINT', () => undefined);
  send({ ready: true });
}
