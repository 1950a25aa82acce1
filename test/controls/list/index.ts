import type { Control } from '../control.js';
import { normalCase } from './normal-case.js';
import { onTheWire } from './on-the-wire.js';
import { pledges } from './pledges.js';
import { proposals } from './proposals.js';
import { readersFound } from './readers-found.js';
import { recovery } from './recovery.js';
import { viewChanges } from './view-change.js';

export const controls: readonly Control[] = [
  ...normalCase,
  ...viewChanges,
  ...recovery,
  ...onTheWire,
  ...pledges,
  ...proposals,
  ...readersFound,
];
