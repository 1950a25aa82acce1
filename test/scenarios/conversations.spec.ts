import { describe, expect, it } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import { conversations, textOf } from './conversations.js';

/** Rewrites the files instead of comparing them: look at the difference before you commit it. */
const isRewriting = process.env['UPDATE_SCENARIOS'] === '1';

describe('what replicas say to each other, to the byte', () => {
  it.each(conversations)('$name.txt', async (conversation) => {
    const file = new URL(`${conversation.name}.txt`, import.meta.url);
    const text = await textOf(conversation);
    if (isRewriting) writeFileSync(file, text);
    expect(text).toBe(readFileSync(file, 'utf8'));
  });
});
