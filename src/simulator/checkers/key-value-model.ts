import { canonicalJson, type Json } from '../../wire/json.js';

interface Operation {
  readonly op: string;
  readonly key: string;
  readonly value?: Json;
  readonly expected?: Json;
  readonly by?: number;
}

/** What the key-value service does, told once more and in another way: the checkers trust no code that they check. */
export class KeyValueModel {
  /** How many operations were applied. */
  position = 0;
  private readonly histories = new Map<string, { readonly position: number; readonly text: string | undefined }[]>();

  apply(json: Json): Json {
    const operation = json as unknown as Operation;
    const { key } = operation;
    this.position++;
    const before = this.textOf(key);
    switch (operation.op) {
      case 'put':
        this.set(key, canonicalJson(operation.value ?? null));
        return { ok: true };
      case 'get':
        return before === undefined
          ? { ok: true, found: false }
          : { ok: true, found: true, value: JSON.parse(before) as Json };
      case 'delete':
        this.set(key, undefined);
        return { ok: true, existed: before !== undefined };
      case 'compare-and-set':
        return this.compareAndSet(operation, before);
      default:
        return this.increment(key, operation.by ?? 1, before);
    }
  }

  /** The first position from `floor` on after which the key has this value. */
  earliest(key: string, text: string | undefined, floor: number): number | undefined {
    const history = this.histories.get(key) ?? [];
    if (this.valueAt(history, floor) === text) return floor;
    return history.find((change) => change.position > floor && change.text === text)?.position;
  }

  private valueAt(
    history: readonly { readonly position: number; readonly text: string | undefined }[],
    position: number,
  ): string | undefined {
    return history.findLast((change) => change.position <= position)?.text;
  }

  private textOf(key: string): string | undefined {
    return this.histories.get(key)?.at(-1)?.text;
  }

  private set(key: string, text: string | undefined): void {
    const history = this.histories.get(key) ?? [];
    history.push({ position: this.position, text });
    this.histories.set(key, history);
  }

  private compareAndSet({ key, expected, value }: Operation, before: string | undefined): Json {
    const wanted = expected === undefined ? undefined : canonicalJson(expected);
    if (before === wanted) {
      this.set(key, canonicalJson(value ?? null));
      return { ok: true };
    }
    const error = { code: 'mismatch', message: 'the value is not the expected one' };
    return before === undefined ? { ok: false, error } : { ok: false, error, actual: JSON.parse(before) as Json };
  }

  private increment(key: string, by: number, before: string | undefined): Json {
    const value = before === undefined ? 0 : (JSON.parse(before) as Json);
    if (typeof value !== 'number')
      return { ok: false, error: { code: 'not-a-number', message: 'the value is not a number' } };
    this.set(key, String(value + by));
    return { ok: true, value: value + by };
  }
}
