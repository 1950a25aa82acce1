import { createContext, runInContext } from 'node:vm';
import { afterEach, describe, expect, it } from '@jest/globals';
import { exampleStatus } from '../../support/fake-cluster-client.js';
import { PAGE_JS } from '../../../src/gateway/page.js';
import { start, stopAll, until } from './support.js';

afterEach(stopAll);

/** As much of an element as the page uses. */
class Element {
  textContent = '';
  className = '';
  children: Element[] = [];

  appendChild(child: Element): Element {
    this.children.push(child);
    return child;
  }

  replaceChildren(...children: Element[]): void {
    this.children = children;
  }

  get cells(): string[][] {
    return this.children.map((row) => row.children.map(({ textContent }) => textContent));
  }
}

/** Runs the page's script against a gateway, with a document of three elements; `refresh` is its next period. */
function open(url: string): { elements: Record<'summary' | 'replicas' | 'batches', Element>; refresh: () => void } {
  const elements = { summary: new Element(), replicas: new Element(), batches: new Element() };
  let next: (() => void) | undefined;
  const context = createContext({
    document: {
      createElement: () => new Element(),
      getElementById: (id: keyof typeof elements) => elements[id],
    },
    fetch: (path: string, init: RequestInit) => fetch(`${url}/${path}`, init),
    setTimeout: (callback: () => void) => {
      next = callback;
    },
  });
  runInContext(PAGE_JS, context);
  return {
    elements,
    refresh: () => {
      next?.();
    },
  };
}

describe("the status page's script", () => {
  it('shows the replicas by their own word', async () => {
    const { gateway, client } = await start();
    client.onStatus = () => exampleStatus(3);
    const { elements } = open(gateway.url);
    await until(() => elements.replicas.children.length === 4);
    expect(elements.summary.textContent).toBe('Cluster quorate · view 0 · primary replica-1 · n = 4, f = 1, quorum 3');
    expect(elements.replicas.cells[1]).toStrictEqual(['replica-2', 'yes', 'yes', '0', '43', '0', '0123456789ab…', '1']);
    expect(elements.replicas.cells[3]).toStrictEqual(['replica-4', 'no', '–', '0', '45', '0', '–', '3']);
    expect(elements.replicas.children.map(({ className }) => className)).toStrictEqual(['', '', '', 'away']);
  });

  it('shows batches newest first, as many as fit, and goes on from there', async () => {
    const { gateway, client } = await start();
    let last = 11;
    client.onStatus = () => {
      const status = exampleStatus();
      // One replica claims what nobody has executed: it moves nothing.
      const claimed = (index: number): number => (index === 3 ? Number.MAX_SAFE_INTEGER : last);
      return { ...status, replicas: status.replicas.map((r, index) => ({ ...r, lastExecuted: claimed(index) })) };
    };
    const { elements, refresh } = open(gateway.url);
    const shown = (): string[] => elements.batches.cells.map(([sequence = '']) => sequence);
    await until(() => shown().length === 10);
    expect(shown()).toStrictEqual(['11', '10', '9', '8', '7', '6', '5', '4', '3', '2']);
    expect(elements.batches.cells[0]?.slice(2, 5)).toStrictEqual([
      '2023-11-14T22:13:20.000Z',
      '1',
      'replica-1, replica-2, replica-3',
    ]);
    last = 12;
    refresh();
    await until(() => shown()[0] === '12');
    expect(shown()).toHaveLength(10);
  });

  it('says what is wrong, and goes on asking', async () => {
    const { gateway, client } = await start();
    client.onStatus = () => {
      throw new Error('not yet');
    };
    const { elements, refresh } = open(gateway.url);
    await until(() => elements.summary.textContent.startsWith('internal: '));
    client.onStatus = () => exampleStatus();
    refresh();
    await until(() => elements.summary.textContent.startsWith('Cluster quorate'));
  });
});
