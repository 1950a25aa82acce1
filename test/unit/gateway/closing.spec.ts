import { afterEach, describe, expect, it } from '@jest/globals';
import request from 'supertest';
import type { Reply } from '../../../src/crypto/receipt.js';
import { exampleReply, Gate } from '../../support/fake-cluster-client.js';
import {
  BODY,
  LARGE,
  PROBE,
  problemIn,
  RawClient,
  rawPost,
  start,
  statusAsked,
  stopAll,
  submitHeld,
  until,
} from './support.js';

afterEach(stopAll);

describe('close()', () => {
  it('finishes what was accepted, refuses what comes after it, and opens to nobody new', async () => {
    const { gateway, client, logged } = await start();
    const { url } = gateway;
    const gate = new Gate<Reply>();
    client.onSubmit = () => gate.wait();
    const [accepted, idle, kept] = await Promise.all([0, 1, 2].map(() => RawClient.connect(url)));
    if (accepted === undefined || idle === undefined || kept === undefined) throw new Error('unreachable');
    idle.send('GET /health/live HTTP/1.1', 'Host: g', '', '');
    await idle.answer();
    accepted.send(...rawPost(BODY));
    // Half of a request's headers: the connection is not idle, and the request is answered.
    kept.send('POST /v1/requests HTTP/1.1', 'Host: g', '');
    await until(() => gate.arrivals === 1);
    await request(url).get('/health/live').expect(200);

    const closed = gateway.close();
    await idle.untilClosed();
    kept.send('Content-Type: application/json', `Content-Length: ${String(BODY.length)}`, '', BODY);
    const refused = await kept.answer();
    expect(problemIn(refused)).toMatchObject({ status: 503, code: 'shutting-down' });
    expect(refused.headers).toMatchObject({ connection: 'close', 'retry-after': '1' });
    await kept.untilClosed();
    await expect(RawClient.connect(url)).rejects.toThrow('ECONNREFUSED');

    gate.open(exampleReply(7));
    const answer = await accepted.answer();
    expect(answer.status).toBe(200);
    expect(answer.body).toContain('"result":7');
    expect(answer.headers.connection).toBe('close');
    await accepted.untilClosed();
    await closed;
    expect(client.submitted).toHaveLength(1);
    expect(client.closed).toBe(false);
    expect(logged.map(({ message }) => message)).toStrictEqual(['the gateway listens']);
  });

  it('waits for nobody who was only refused', async () => {
    const started = await start({ inFlightMax: 1 });
    const { raw, gate } = await submitHeld(started);
    const refused = await RawClient.connect(started.gateway.url);
    refused.send(...rawPost(BODY));
    expect((await refused.answer()).status).toBe(429);
    const closed = started.gateway.close();
    await refused.untilClosed();
    gate.open(exampleReply());
    expect((await raw.answer()).status).toBe(200);
    await closed;
  });

  it('answers a pipelined request behind an accepted one: the accepted one first, then 503', async () => {
    const started = await start();
    const { gateway, client } = started;
    const { raw, gate } = await submitHeld(started);
    const closed = gateway.close();
    const asked = statusAsked(client);
    raw.send(`${rawPost(BODY).join('\r\n')}${PROBE}`);
    await asked;
    gate.open(exampleReply(7));
    const accepted = await raw.answer();
    expect(accepted.body).toContain('"result":7');
    expect(accepted.headers.connection).toBe('keep-alive');
    const refused = await raw.answer();
    expect(problemIn(refused)).toMatchObject({ status: 503, code: 'shutting-down' });
    expect(refused.headers.connection).toBe('close');
    await raw.untilClosed();
    expect(raw.rest).toBe('');
    await closed;
    expect(client.submitted).toHaveLength(1);
  });

  it('does not submit what had not come whole', async () => {
    const { gateway, client } = await start();
    const raw = await RawClient.connect(gateway.url);
    raw.send(...rawPost(BODY).slice(0, -1), BODY.slice(0, 5));
    await until(async () => (await request(gateway.url).get('/metrics')).text.includes('quorate_gateway_in_flight 1'));
    const closed = gateway.close();
    raw.send(BODY.slice(5));
    const answer = await raw.answer();
    expect(problemIn(answer)).toMatchObject({ status: 503, code: 'shutting-down' });
    expect(answer.headers.connection).toBe('close');
    await closed;
    expect(client.submitted).toHaveLength(0);
  });

  it('is bounded: a client that does not take its answer is cut off', async () => {
    const { gateway, client, logged } = await start({ deadlineMs: 1000 });
    client.onSubmit = () => Promise.resolve(exampleReply('x'.repeat(LARGE)));
    const raw = await RawClient.connect(gateway.url);
    raw.pause();
    raw.send(...rawPost(BODY));
    await until(() => client.submitted.length === 1);
    await gateway.close();
    expect(logged.map(({ message }) => message)).toContain('connections were cut at the end of the shutdown');
    raw.destroy();
  });

  it('may be called twice, and before listen()', async () => {
    const { gateway } = await start();
    const first = gateway.close();
    expect(gateway.close()).toBe(first);
    await first;
    expect(() => gateway.url).toThrow('does not listen');
  });

  it('a port that is taken is an error of listen()', async () => {
    const { gateway } = await start();
    await expect(start({ port: Number(new URL(gateway.url).port) })).rejects.toThrow('EADDRINUSE');
  });
});
