import { closeSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';

const LOG_BYTES_MAX = 10 * 1024 * 1024;

/**
 * Opens a log for a process to append to. One that has grown beyond 10 MB becomes NAME.1 first; the NAME.1 before it goes.
 * @returns what the process writes to, and the way to let go of it here once the process has it
 */
export function openLog(file: string): { descriptor: number; release: () => void } {
  mkdirSync(dirname(file), { recursive: true });
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_BYTES_MAX) renameSync(file, `${file}.1`);
  const descriptor = openSync(file, 'a', 0o600);
  return {
    descriptor,
    release: () => {
      closeSync(descriptor);
    },
  };
}

/** The last lines of a log, for a message about what went wrong; empty when there is none. */
export async function tailOf(file: string, lines = 5): Promise<string> {
  const handle = await open(file).catch(() => undefined);
  if (handle === undefined) return '';
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, 8192);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8', 0, bytesRead).trimEnd().split('\n').slice(-lines).join('\n');
  } finally {
    await handle.close();
  }
}
