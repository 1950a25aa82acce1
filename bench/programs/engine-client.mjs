// A client of the cluster straight over the bus: what a gateway is without HTTP. Started by bench/processes/engine.mjs.
import { answer } from '../processes/answering.mjs';
import { openBusClient } from '../processes/bus-client.mjs';
import { clientLoad } from '../processes/client-load.mjs';

const options = JSON.parse(process.argv[2]);
let opened;

answer({
  ...clientLoad({ submit: (operation) => opened.client.submit(operation) }),
  async open() {
    opened = await openBusClient(options);
    // Founded does not mean ready: the first answer does.
    await opened.client.submit({ op: 'get', key: 'ready' });
    return { members: opened.membership.replicas.map(({ name }) => name) };
  },
  status: () => opened.client.status(),
});
