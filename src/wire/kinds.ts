/** The kinds of message and their numbers in the signed bytes. A number is never given to another kind. */
export const kindNumbers = {
  genesis: 0,
  request: 1,
  'pre-prepare': 2,
  prepare: 3,
  commit: 4,
  reply: 5,
  checkpoint: 6,
  'view-change': 7,
  'new-view': 8,
  status: 9,
  fetch: 10,
  decided: 11,
  query: 12,
  'query-reply': 13,
} as const;

export type Kind = keyof typeof kindNumbers;

const kindsByNumber = new Map<number, Kind>(
  Object.entries(kindNumbers).map(([kind, number]) => [number, kind as Kind]),
);

/** The kind with this number, or `undefined`. */
export function kindOf(number: number): Kind | undefined {
  return kindsByNumber.get(number);
}
