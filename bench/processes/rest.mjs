import { processorUs } from '../measure/processor-time.mjs';
import { Program } from './program.mjs';

const BARE = new URL('../programs/bare-nest.mjs', import.meta.url);
const CLIENT = new URL('../programs/http-client.mjs', import.meta.url);
const PATH = '/v1/requests';

async function startProgram(cleanUp, name, file, options) {
  const program = new Program({ name, file, options });
  cleanUp.add(
    () => program.stop(),
    () => program.kill(),
  );
  await program.ready;
  return program;
}

/** HTTP requests to the gateway of an engine. A load, as `rounds.mjs` drives it. */
export async function startRestLoad(cleanUp, engine) {
  const [gateway] = engine.cluster.gatewayNames;
  const url = `${engine.cluster.gatewayUrl(gateway)}${PATH}`;
  const client = await startProgram(cleanUp, 'http-client', CLIENT, { url });
  const pid = () => engine.cluster.pid(gateway);
  return {
    ask: (...question) => client.ask(...question),
    processIds: () => ({ ...engine.processIds(), [client.name]: client.pid, [gateway]: pid() }),
    processorTime: async () => ({
      ...(await engine.processorTime()),
      client: await processorUs(client.pid),
      gateway: await processorUs(pid()),
    }),
  };
}

/** The same requests to a bare NestJS application on Express, which does nothing with them. */
export async function startBareNest(cleanUp) {
  const server = await startProgram(cleanUp, 'bare-nest', BARE, {});
  const { url } = await server.ask('open');
  const client = await startProgram(cleanUp, 'bare-client', CLIENT, { url: `${url}${PATH}` });
  return {
    ask: (...question) => client.ask(...question),
    processIds: () => ({ [client.name]: client.pid, [server.name]: server.pid }),
    processorTime: async () => ({ client: await processorUs(client.pid), gateway: await processorUs(server.pid) }),
  };
}
