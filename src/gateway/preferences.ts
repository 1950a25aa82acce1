import type { IncomingMessage } from 'node:http';

/** Whether the client prefers an answer before its request is executed (RFC 7240). Unknown preferences are ignored. */
export function prefersAsync({ headers }: IncomingMessage): boolean {
  const text = headers['prefer'];
  if (text === undefined) return false;
  const preferences = [text].flat().join(',').split(',');
  return preferences.some((preference) => preference.split(';', 1)[0]?.trim().toLowerCase() === 'respond-async');
}
