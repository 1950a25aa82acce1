import type { Request } from './messages.js';

type Name = Pick<Request, 'client' | 'timestamp'>;

/** Values by (client, timestamp), which names a request for ever. */
export class RequestMap<V> {
  private readonly byClient = new Map<string, Map<number, V>>();

  get({ client, timestamp }: Name): V | undefined {
    return this.byClient.get(client)?.get(timestamp);
  }

  setIfAbsent({ client, timestamp }: Name, value: V): void {
    let values = this.byClient.get(client);
    if (values === undefined) {
      values = new Map();
      this.byClient.set(client, values);
    }
    if (!values.has(timestamp)) values.set(timestamp, value);
  }

  /** Deletes what it holds if that is `value`. */
  deleteIf({ client, timestamp }: Name, value: V): void {
    const values = this.byClient.get(client);
    if (values?.get(timestamp) !== value) return;
    values.delete(timestamp);
    if (values.size === 0) this.byClient.delete(client);
  }

  clear(): void {
    this.byClient.clear();
  }
}
