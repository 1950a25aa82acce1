import type { ServerResponse } from 'node:http';
import { roomIn } from '../room.js';

/** Something is written at least this often, so that nobody on the way takes the connection for dead, milliseconds. */
const heartbeatMs = 15_000;
/** After a lost connection a browser tries again in this time, milliseconds. */
const retryMs = 1_000;

export interface StreamedEvent {
  readonly event: string;
  /** By which the client resumes (`Last-Event-ID`). */
  readonly id?: number;
  readonly data: unknown;
}

/** Server-sent events on one response (WHATWG HTML §9.2). Takes as much as the client reads. */
export class EventStream {
  private readonly heartbeat: NodeJS.Timeout;

  constructor(private readonly response: ServerResponse) {
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8', 'X-Accel-Buffering': 'no' });
    response.write(`retry: ${String(retryMs)}\n\n`);
    this.heartbeat = setInterval(() => {
      if (!response.writableNeedDrain) response.write(':\n\n');
    }, heartbeatMs).unref();
    response.once('close', () => {
      clearInterval(this.heartbeat);
    });
  }

  /** Resolves once there is room for another event, or the connection is gone. */
  async send({ event, id, data }: StreamedEvent): Promise<void> {
    if (this.response.destroyed || this.response.writableEnded) return;
    const lines = [
      `event: ${event}`,
      ...(id === undefined ? [] : [`id: ${String(id)}`]),
      `data: ${JSON.stringify(data)}`,
    ];
    if (!this.response.write(`${lines.join('\n')}\n\n`)) await roomIn(this.response);
  }

  end(): void {
    clearInterval(this.heartbeat);
    this.response.end();
  }
}
