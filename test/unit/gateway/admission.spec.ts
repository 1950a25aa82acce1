import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { Admission } from '../../../src/gateway/admission.js';
import type { Connections } from '../../../src/gateway/connections.js';
import type { GatewayOptions } from '../../../src/gateway/options.js';
import { Gate } from '../../support/fake-cluster-client.js';

describe('a place', () => {
  it('is taken and given back as often, by a batch whose client has left between two of its lines, too', async () => {
    let leave = (): void => undefined;
    const exchange = {
      onEnd: (callback: () => void) => {
        leave = callback;
      },
    };
    const connections = { draining: false, of: () => exchange } as unknown as Connections;
    const admission = new Admission({ inFlightMax: 4, deadlineMs: 1000 } as GatewayOptions, connections);
    const request = {} as IncomingMessage;
    const [first, second] = [new Gate<number>(), new Gate<number>()];

    admission.enter(request);
    const line = admission.run(request, () => first.wait());
    leave();
    expect(admission.inFlight).toBe(1);
    first.open(1);
    await line;
    expect(admission.inFlight).toBe(0);
    const next = admission.run(request, () => second.wait());
    expect(admission.inFlight).toBe(1);
    second.open(2);
    await next;
    expect(admission.inFlight).toBe(0);
  });
});
